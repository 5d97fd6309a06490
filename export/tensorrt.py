"""What TensorRT asks of a quantized graph, held against a file: it has one integer scheme, and passes over or refuses what has another.

The rules are those of NVIDIA's page "Explicit Quantization" and of the importer that ONNX Runtime's provider uses (onnx-tensorrt,
QuantDequantLinearHelper); docs/gpu.md says each in words.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, numpy_helper

from ..errors import VcompressError

PAIR = ("QuantizeLinear", "DequantizeLinear")
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
OTHER_INTEGERS = ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear")


def check_graph(path: Path) -> None:
    """Raises VcompressError, naming the first, where a quantized graph breaks a rule."""
    broken = next(broken_rules(onnx.load(path).graph), "")
    if broken:
        raise VcompressError(f"TensorRT does not take {path.name}: {broken}; report this with the vocoder's configuration.")


def broken_rules(graph: GraphProto) -> Iterator[str]:
    """A clause for each rule that a graph breaks and place where it does."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for value in (*graph.input, *graph.output):
        if value.name not in constants and value.type.tensor_type.elem_type in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8, onnx.TensorProto.INT16):
            yield f"{value.name} is handed over as an integer"
    for node in graph.node:
        if node.op_type in OTHER_INTEGERS:
            yield f"it has an operator {node.op_type}"
        elif node.op_type in PAIR:
            yield from _of_pair(node, constants, readers)
        elif node.op_type in WEIGHTED:
            yield from _of_layer(node, constants, makers)


def _of_pair(node: NodeProto, constants: dict[str, np.ndarray], readers: dict[str, list[NodeProto]]) -> Iterator[str]:
    """Scale and zero point, and who is beside a node of QDQ."""
    where = f"{node.op_type} of {node.input[0]}"
    held = constants.get(node.input[0])
    scale, zero_point = constants.get(node.input[1]), constants.get(node.input[2]) if len(node.input) > 2 else None
    if scale is None or scale.dtype != np.float32 or not (np.isfinite(scale).all() and (scale > 0).all()):
        yield f"{where} has no constant float32 scale above 0"
        return
    if zero_point is None and node.op_type == "QuantizeLinear":
        yield f"{where} has no zero point, and makes unsigned integers"
    elif zero_point is not None and (zero_point.dtype != np.int8 or zero_point.any()):
        yield f"{where} has a zero point of {zero_point.dtype} that is not int8 0" if zero_point.dtype != np.int8 else f"{where} has a zero point that is not 0"
    if held is not None and held.dtype != np.int8:
        yield f"{where} is of constants of {held.dtype}, not int8"
    if scale.size > 1:
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        if held is None:
            yield f"{where} has a scale for each channel, which only weights may have"
        elif axis != 0 or scale.size != len(held):
            yield f"{where} has scales that are not one for each output channel (axis 0)"
    if node.op_type == "QuantizeLinear" and any(reader.op_type != "DequantizeLinear" for reader in readers.get(node.output[0], [])):
        yield f"{where} is read by something else than DequantizeLinear"


def _of_layer(node: NodeProto, constants: dict[str, np.ndarray], makers: dict[str, NodeProto]) -> Iterator[str]:
    """Weights are not quantized without the data (the other way round the layer is a float one), and a bias is a float constant."""
    data, weights = (name in makers and makers[name].op_type == "DequantizeLinear" for name in node.input[:2])
    if weights and not data:
        yield f"{node.op_type} {node.name} has weights alone in integers"
    bias = node.input[2] if len(node.input) > 2 else ""
    if bias and (bias not in constants or constants[bias].dtype != np.float32):
        yield f"{node.op_type} {node.name} has a bias that is no float32 constant"
