"""Operators on each number by itself."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from ....errors import VcompressError
from ...integer_graph import SIGMOID_SCALE, TANH_SCALE, constant
from ..layout import Value
from ..schema import Quantization
from ..translator import Operation, Translator, dequantizer, quantization_of
from .quantization import eight_bits

LOWEST = -128
SIGMOID, TANH = Quantization.of(SIGMOID_SCALE, LOWEST), Quantization.of(TANH_SCALE, 0)  # the only ones that TFLite's kernels know


def in_integers(node: ir.Node, behind: ir.Node) -> bool:
    """Its operand must be integers."""
    return eight_bits(node.inputs[0])


def leaky_relu(t: Translator, operation: Operation) -> Value:
    """LeakyRelu."""
    return t.unary(operation, "LEAKY_RELU", t.operand(operation), "LeakyReluOptions", alpha=operation.node.attributes.get_float("alpha", 0.01))


def relu(t: Translator, operation: Operation) -> Value:
    """Relu. In integers whose zero point is the lowest, another scale already cuts off what is negative, and XNNPACK has that, but no such RELU."""
    if operation.quantization is not None and operation.quantization.zero_point[0] == LOWEST:
        return t.unary(operation, "QUANTIZE", t.operand(operation), "QuantizeOptions")
    return t.unary(operation, "RELU", t.operand(operation))


def sigmoid_in_integers(node: ir.Node, behind: ir.Node) -> bool:
    """Its output must have the scale of the table."""
    return in_integers(node, behind) and quantization_of(behind) == SIGMOID


def tanh_in_integers(node: ir.Node, behind: ir.Node) -> bool:
    """Its output must have the scale of the table."""
    return in_integers(node, behind) and quantization_of(behind) == TANH


def sigmoid(t: Translator, operation: Operation) -> Value:
    """Sigmoid, or the tanh that ONNX computes as the sigmoid of twice the number: its readers then take the integers for a tanh's."""
    if not operation.integer or not _is_tanh(operation):
        return t.unary(operation, "LOGISTIC", t.operand(operation))
    node = dequantizer(operation.node.inputs[0])
    assert node is not None and node.inputs[0] is not None
    double = quantization_of(node)
    value = t.with_scale(t.value(node.inputs[0]), Quantization.of(float(double.scale[0]) / 2, int(double.zero_point[0])))
    return t.unary(Operation(operation.node, operation.result, TANH), "TANH", value)


def tanh(t: Translator, operation: Operation) -> Value:
    """Tanh."""
    return t.unary(operation, "TANH", t.operand(operation))


def clip(t: Translator, operation: Operation) -> Value:
    """Clip, of floats."""
    value = t.operand(operation)
    for builtin, bound in zip(("MAXIMUM", "MINIMUM"), operation.node.inputs[1:], strict=False):
        if bound is None:
            continue
        number = constant(bound)
        if number is None:
            raise VcompressError("A Clip to numbers that are computed has no translation to TFLite; export to ONNX only.")
        output = t.like(operation, value)
        inputs = [value.tensor, t.constant("bound", number.reshape((1,) * len(t.sizes(value))))]
        t.emit(builtin, inputs, output, "MaximumMinimumOptions")
        value = replace(value, tensor=output)
    return value


def exp(t: Translator, operation: Operation) -> Value:
    """Exp, of floats."""
    return t.unary(operation, "EXP", t.operand(operation), "ExpOptions")


def sin(t: Translator, operation: Operation) -> Value:
    """Sin, of floats."""
    return t.unary(operation, "SIN", t.operand(operation))


def cos(t: Translator, operation: Operation) -> Value:
    """Cos, of floats."""
    return t.unary(operation, "COS", t.operand(operation), "CosOptions")


def _is_tanh(operation: Operation) -> bool:
    readers = [use.node for use in operation.result.uses()]
    found = [quantization_of(reader) for reader in readers if reader.op_type == "DequantizeLinear"]
    return bool(found) and len(found) == len(readers) and all(np.array_equal(q.zero_point, TANH.zero_point) and q == TANH for q in found)
