"""Functions of each number by itself: a table where the number has 8 bits, slopes or a curve where it has 16."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from ....errors import VcompressError
from ...integer_graph import dequantizer
from ..program import Curve, Scaled, Table, Tensor, View
from ..reading import Reader, described

Function = Callable[[np.ndarray], np.ndarray]
CURVE = 8  # bits: 257 values; between two of them tanh over 16 leaves its chord by 2^-11.3, and by less near the end of a waveform's range


def relu(reader: Reader, node: ir.Node) -> None:
    """Relu."""
    _piecewise(reader, node, lambda x: np.maximum(x, np.float32(0)), 1.0, 0.0)


def leaky_relu(reader: Reader, node: ir.Node) -> None:
    """LeakyRelu."""
    slope = node.attributes.get_float("alpha", 0.01) or 0.0
    _piecewise(reader, node, lambda x: np.where(x < 0, x * np.float32(slope), x), 1.0, slope)


def scaled(reader: Reader, node: ir.Node, number: float) -> None:
    """Multiplication by a number."""
    _piecewise(reader, node, lambda x: x * np.float32(number), number, 1.0)


def tanh(reader: Reader, node: ir.Node) -> None:
    """Tanh."""
    _curve(reader, node, np.tanh)


def sigmoid(reader: Reader, node: ir.Node) -> None:
    """Sigmoid."""
    _curve(reader, node, lambda x: 0.5 + 0.5 * np.tanh(0.5 * x))


def exp(reader: Reader, node: ir.Node) -> None:
    """Exp."""
    _curve(reader, node, np.exp)


def quantize(reader: Reader, node: ir.Node) -> None:
    """QuantizeLinear: of the mel, or of integers to another scale. Behind an operator it was read with that."""
    value = node.inputs[0]
    assert value is not None
    if value.is_graph_input():
        made = reader.quantized(node, value)
        reader.places[node.outputs[0].name or ""] = reader.places.setdefault(value.name or "", made)
        if reader.places[value.name or ""] is not made:
            raise VcompressError(f"{described(node)} quantizes the mel a second time, which has no C form; export to ONNX only.")
    elif dequantizer(value) is not None:
        view, made = reader.operand(node), reader.quantized(node, value)
        reader.places[node.outputs[0].name or ""] = made
        _emit_piecewise(reader, node, view, made, lambda x: x, 1.0, 1.0)
    elif node.outputs[0].name not in reader.places:
        raise VcompressError(f"{described(node)} reads floats, and the C code has only integers; export to ONNX only.")


def _piecewise(reader: Reader, node: ir.Node, function: Function, factor: float, slope: float) -> None:
    view = reader.operand(node)
    for output in reader.results(node):
        _emit_piecewise(reader, node, view, output, function, factor, slope)


def _emit_piecewise(reader: Reader, node: ir.Node, view: View, output: View, function: Function, factor: float, slope: float) -> None:
    name = node.name or node.op_type
    if reader.bits(view) == 8:
        reader.emit(Table(name, (view,), output.tensor, table_of(view, reader.tensors[view.tensor], reader.tensors[output.tensor], function)))
    elif factor < 0:
        raise VcompressError(f"{described(node)} turns the sign of 16-bit numbers, which has no C form; export to ONNX only.")
    else:
        reader.emit(Scaled(name, (view,), output.tensor, factor * view.scale / output.scale, slope))


def _curve(reader: Reader, node: ir.Node, function: Function) -> None:
    view = reader.operand(node)
    for output in reader.results(node):
        target = reader.tensors[output.tensor]
        if reader.bits(view) == 8:
            reader.emit(Table(node.name or node.op_type, (view,), output.tensor, table_of(view, reader.tensors[view.tensor], target, function)))
        else:
            x = np.linspace(-32768, 32768, (1 << CURVE) + 1) * view.scale
            reader.emit(Curve(node.name or node.op_type, (view,), output.tensor, _rounded(function(x), target)))


def table_of(view: View, source: Tensor, target: Tensor, function: Function) -> np.ndarray:
    """What the QDQ graph makes of each 8-bit number, in its own floats."""
    x = np.arange(-128 - source.zero_point, 128 - source.zero_point).astype(np.float32) * np.float32(view.scale)
    return _rounded(function(x), target)


def _rounded(y: np.ndarray, target: Tensor) -> np.ndarray:
    """Numbers as integers of a tensor, rounded as QuantizeLinear does."""
    limit = 1 << (target.bits - 1)
    steps = np.rint(y / y.dtype.type(target.scale)) + target.zero_point
    return np.clip(steps, -limit, limit - 1).astype(np.int8 if target.bits == 8 else np.int16)
