"""Rewrites that leave the integers of a QDQ graph as they are and let every back end run it in integers.

torch exports a quantized tensor as QuantizeLinear, DequantizeLinear around each float operator. ONNX Runtime fuses most of that
into integer kernels, but not a reflecting Pad, a Tanh, or a multiplication by a number, which need not be computed at all.
"""

from collections.abc import Callable, Collection

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from ..errors import VcompressError

TANH_SCALE, TANH_ZERO_POINT = 2.0**-7, 128
SIGMOID_SCALE, SIGMOID_ZERO_POINT = 2.0**-8, 0
MOVEMENT = ("Reshape", "Transpose", "Slice", "Pad", "Unsqueeze", "Squeeze")


def make_integer(model: ir.Model, integer_ports: Collection[str]) -> None:
    """Apply every rewrite in place. `integer_ports`: inputs and outputs that carry integers instead of floats, channels last.

    Raises VcompressError for a port of these that is nowhere an integer in the graph: its other end would take it for one.
    """
    _rewrite(model, _clipping_by_rounding)
    _rewrite(model, _scaling_to_scale)
    _rewrite(model, _movement_on_integers)
    _rewrite(model, _joining_on_integers)
    _rewrite(model, _tanh_to_sigmoid)
    for value in list(model.graph.inputs):
        if value.name in integer_ports:
            _integer_input(model.graph, value)
    for index, value in enumerate(list(model.graph.outputs)):
        if value.name in integer_ports:
            _integer_output(model.graph, index)
    RemoveUnusedNodesPass()(model)


def _rewrite(model: ir.Model, rule: Callable[[ir.Graph, ir.Node], None]) -> None:
    for node in list(model.graph):
        rule(model.graph, node)


def constant(value: ir.Value | None) -> np.ndarray | None:
    """The numbers of a constant input, None where it is computed."""
    if value is None:
        return None
    if value.const_value is not None:
        return value.const_value.numpy()
    producer = value.producer()
    if producer is not None and producer.op_type == "Constant":
        return producer.attributes["value"].as_tensor().numpy()
    return None


def scale_and_zero_point(node: ir.Node) -> tuple[float, int] | None:
    """Scale and zero point of a per-tensor Q or DQ node."""
    scale, zero_point = constant(node.inputs[1]), constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if scale is None or scale.size != 1 or zero_point is None:
        return None
    return float(scale.reshape(())), int(zero_point.reshape(()))


def _same(a: tuple[float, int] | None, b: tuple[float, int] | None) -> bool:
    return a is not None and b is not None and a[1] == b[1] and abs(a[0] - b[0]) <= 1e-6 * b[0]


def dequantizer(value: ir.Value | None) -> ir.Node | None:
    """The DequantizeLinear that makes a tensor."""
    producer = value.producer() if value is not None else None
    return producer if producer is not None and producer.op_type == "DequantizeLinear" else None


def _quantize(node: ir.Node) -> ir.Node | None:
    """The one QuantizeLinear that reads a node's output."""
    users = [use.node for use in node.outputs[0].uses()]
    if len(users) == 1 and users[0].op_type == "QuantizeLinear" and not node.outputs[0].is_graph_output():
        return users[0]
    return None


def _scaling_to_scale(graph: ir.Graph, node: ir.Node) -> None:
    """DQ(s) -> Mul by c -> Q(c s): the integers are the same; whoever reads them uses c s."""
    if node.op_type not in ("Mul", "Div"):
        return
    source, target, factor = dequantizer(node.inputs[0]), _quantize(node), constant(node.inputs[1])
    if source is None or target is None or factor is None or factor.size != 1 or source.inputs[0] is None:
        return
    number = float(factor.reshape(()))
    parameters = scale_and_zero_point(source)
    if parameters and _same((parameters[0] * (number if node.op_type == "Mul" else 1 / number), parameters[1]), scale_and_zero_point(target)):
        ir.convenience.replace_all_uses_with(target.outputs[0], source.inputs[0])


def _clipping_by_rounding(graph: ir.Graph, node: ir.Node) -> None:
    """Relu -> Q to u8 with zero point 0: the rounding clips what is negative by itself."""
    target = _quantize(node) if node.op_type == "Relu" else None
    parameters = scale_and_zero_point(target) if target is not None else None
    if target is None or parameters is None or parameters[1] != 0 or target.outputs[0].dtype != ir.DataType.UINT8:
        return
    target.replace_input_with(0, node.inputs[0])


def _movement_on_integers(graph: ir.Graph, node: ir.Node) -> None:
    """DQ -> data movement -> Q with one scale: move the integers."""
    if node.op_type not in MOVEMENT:
        return
    source, target = dequantizer(node.inputs[0]), _quantize(node)
    if source is None or target is None or source.inputs[0] is None or not _same(scale_and_zero_point(source), scale_and_zero_point(target)):
        return
    if node.op_type == "Pad" and (node.attributes.get_string("mode", "constant") == "constant" or source.inputs[0].dtype == ir.DataType.INT16):
        return  # a constant would have to be the zero point; ONNX Runtime pads no int16
    node.replace_input_with(0, source.inputs[0])
    _take_dtype(node.outputs[0], target.outputs[0])
    ir.convenience.replace_all_uses_with(target.outputs[0], node.outputs[0])


def _joining_on_integers(graph: ir.Graph, node: ir.Node) -> None:
    """DQ, DQ, ... -> Concat -> Q, all with one scale: join the integers."""
    if node.op_type != "Concat":
        return
    sources, target = [dequantizer(value) for value in node.inputs], _quantize(node)
    if target is None or not all(source is not None and _same(scale_and_zero_point(source), scale_and_zero_point(target)) for source in sources):
        return
    for index, source in enumerate(sources):
        assert source is not None
        node.replace_input_with(index, source.inputs[0])
    _take_dtype(node.outputs[0], target.outputs[0])
    ir.convenience.replace_all_uses_with(target.outputs[0], node.outputs[0])


def _tanh_to_sigmoid(graph: ir.Graph, node: ir.Node) -> None:
    """tanh(x) = 2 sigmoid(2 x) - 1: with these scales the very same integers, and ONNX Runtime has an integer Sigmoid, no integer Tanh."""
    if node.op_type != "Tanh":
        return
    source, target = dequantizer(node.inputs[0]), _quantize(node)
    parameters = scale_and_zero_point(source) if source is not None else None
    if source is None or target is None or parameters is None or not _same((TANH_SCALE, TANH_ZERO_POINT), scale_and_zero_point(target)):
        return
    double = _scalar(graph, np.float32(2 * parameters[0]))
    wider = ir.Node("", "DequantizeLinear", [source.inputs[0], double, source.inputs[2]])
    sigmoid = ir.Node("", "Sigmoid", [wider.outputs[0]], name=node.name)
    scale, zero_point = _scalar(graph, np.float32(SIGMOID_SCALE)), _scalar(graph, np.uint8(SIGMOID_ZERO_POINT))
    quantize = ir.Node("", "QuantizeLinear", [sigmoid.outputs[0], scale, zero_point])
    for value in (wider.outputs[0], sigmoid.outputs[0]):
        value.dtype, value.shape = ir.DataType.FLOAT, node.outputs[0].shape
    quantize.outputs[0].dtype, quantize.outputs[0].shape = ir.DataType.UINT8, node.outputs[0].shape
    graph.insert_before(node, [wider, sigmoid, quantize])
    ir.convenience.replace_all_uses_with(target.outputs[0], quantize.outputs[0])


def _scalar(graph: ir.Graph, number: np.generic) -> ir.Value:
    """An initializer that holds one number; equal numbers share one."""
    name = f"{number.dtype.name}_{number.item()!r}"
    if name not in graph.initializers:
        tensor = ir.tensor(np.asarray(number), name=name)
        graph.initializers[name] = ir.Value(name=name, shape=ir.Shape([]), type=ir.TensorType(tensor.dtype), const_value=tensor)
    return graph.initializers[name]


def _take_dtype(value: ir.Value, other: ir.Value) -> None:
    if other.dtype is not None:
        value.dtype = other.dtype


def _integer_input(graph: ir.Graph, value: ir.Value) -> None:
    """input -> Q -> ...: the input itself is the integer; who reads it as a float reads what the integer stands for."""
    uses = [(use.node, use.idx) for use in value.uses()]
    quantizers = [node for node, _ in uses if node.op_type == "QuantizeLinear"]
    if not quantizers or not all(_same(scale_and_zero_point(quantizers[0]), scale_and_zero_point(node)) for node in quantizers):
        raise VcompressError(f"Input {value.name} is handed over as integers but has not one scale here; report this with the vocoder's configuration.")
    floats = [(node, index) for node, index in uses if node.op_type != "QuantizeLinear"]
    shape = value.shape
    _take_dtype(value, quantizers[0].outputs[0])
    integer = value
    if value.shape is not None and len(value.shape) > 2:
        value.shape = _channels_last(value.shape)
        transpose = _transposed(value, (0, len(value.shape) - 1, *range(1, len(value.shape) - 1)))
        graph.insert_before(graph[0], transpose)
        integer = transpose.outputs[0]
    if floats:
        dequantize = ir.Node("", "DequantizeLinear", [integer, *quantizers[0].inputs[1:3]])
        dequantize.outputs[0].dtype, dequantize.outputs[0].shape = ir.DataType.FLOAT, shape
        (graph.insert_before if integer is value else graph.insert_after)(graph[0], dequantize)
        for node, index in floats:
            node.replace_input_with(index, dequantize.outputs[0])
    for quantize in quantizers:
        ir.convenience.replace_all_uses_with(quantize.outputs[0], integer)
        quantize.replace_input_with(0, None)


def _integer_output(graph: ir.Graph, index: int) -> None:
    """... -> Q -> DQ -> output: the integer itself is the output."""
    value = graph.outputs[index]
    source = dequantizer(value)
    if source is None or source.inputs[0] is None:
        raise VcompressError(f"Output {value.name} is handed over as integers but is a float here; report this with the vocoder's configuration.")
    integer, name = source.inputs[0], value.name
    value.name = f"{name}_float"
    if value.shape is not None and len(value.shape) > 2:
        transpose = _transposed(integer, (0, *range(2, len(value.shape)), 1))
        transpose.outputs[0].shape = _channels_last(value.shape)
        _take_dtype(transpose.outputs[0], integer)
        graph.append(transpose)
        integer = transpose.outputs[0]
    else:
        integer.shape = value.shape
    integer.name = name
    graph.outputs[index] = integer


def _channels_last(shape: ir.Shape) -> ir.Shape:
    return ir.Shape([shape[0], *shape[2:], shape[1]])


def _transposed(value: ir.Value, order: tuple[int, ...]) -> ir.Node:
    """To channels last or back: the layout of ONNX Runtime's integer convolutions, which then need no transposition at the port."""
    return ir.Node("", "Transpose", [value], [ir.AttrInt64s("perm", order)])
