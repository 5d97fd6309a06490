"""The interleave behind a polyphase convolution: a movement in ONNX, and nothing where the channels are stored phase by phase."""

import numpy as np
import onnx_ir as ir

from .integer_graph import constant


def interleaved_by(node: ir.Node) -> int:
    """s where all that becomes of the output is the interleave of a polyphase convolution: channel c s + r of time q goes to channel c of time q s + r."""
    value = node.outputs[0]
    reader = _only_reader(value)
    if reader is not None and reader.op_type == "QuantizeLinear":
        value = reader.outputs[0]
        reader = _only_reader(value)
    if reader is None or reader.op_type != "Reshape" or reader.inputs[0] is not value:
        return 1
    transpose, shape = _only_reader(reader.outputs[0]), constant(reader.inputs[1])
    if transpose is None or transpose.op_type != "Transpose" or shape is None:
        return 1
    rank = shape.size
    perm = list(transpose.attributes.get_ints("perm", ()) or ())
    return int(shape[2]) if rank >= 4 and perm == [0, 1, *range(3, rank), 2] and shape[1] > 0 and shape[2] > 0 else 1


def phases_first(array: np.ndarray, phases: int) -> np.ndarray:
    """Output channel c s + r moves to r C + c."""
    return array.reshape(-1, phases, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape)


def _only_reader(value: ir.Value) -> ir.Node | None:
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None
