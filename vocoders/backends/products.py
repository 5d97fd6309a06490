"""Integer products of a step as the convolutions that they were, so that torch back ends treat all layers alike."""

from typing import Any

import numpy as np

from ...runtime.sums import PRODUCT, Sums, readers_of

# The file has the scales of data and weights as products alone. So both factors are near where they were, which a back end in fp16 needs.
DATA_SCALE = np.array(2.0**-7, np.float32)


def as_convolutions(graph: Any) -> tuple[list[Any], dict[str, np.ndarray]]:
    """The nodes of an ONNX graph with a dequantized Conv of width 1 for each MatMulInteger and what requantizes it, and its constants with theirs."""
    from onnx import helper, numpy_helper

    known = {tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in graph.initializer}
    readers, makers = readers_of(graph.node), {name: node for node in graph.node for name in node.output}
    made: dict[str, list[Any]] = {}  # in place of the node with this output
    for node in graph.node:
        sums = Sums.of(node, readers, known) if node.op_type == PRODUCT else None
        turned = makers.get(node.input[0]) if sums is not None else None
        if sums is None or turned is None or turned.op_type != "Transpose" or sums.between[-1].op_type != "Transpose" or node.input[1] not in known:
            continue
        scale, scales, weight, data, floats, bias = (f"{node.output[0]}:{part}" for part in ("scale", "scales", "weight", "data", "floats", "bias"))
        known |= {scale: DATA_SCALE, scales: known[sums.scales] / DATA_SCALE, weight: known[node.input[1]].T[:, :, None]}
        layer = [
            helper.make_node("DequantizeLinear", [turned.input[0], scale, *node.input[2:3]], [data]),
            helper.make_node("DequantizeLinear", [weight, scales], [floats], axis=0),
            *([helper.make_node("DequantizeLinear", [sums.bias, sums.scales], [bias], axis=0)] if sums.bias else []),
            helper.make_node("Conv", [data, floats, *([bias] if sums.bias else [])], [sums.between[-1].output[0]]),
        ]
        made |= {name: [] for between in sums.between for name in between.output} | {node.output[0]: layer}
        if len(readers[node.input[0]]) == 1:
            made[node.input[0]] = []
    return [new for node in graph.node for new in made.get(node.output[0], [node])], known
