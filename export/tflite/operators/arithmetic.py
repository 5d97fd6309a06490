"""Operators on two tensors of one shape, or of shapes that broadcast."""

from math import prod

import onnx_ir as ir

from ..layout import Value, sizes_of
from ..translator import Operation, Translator
from .quantization import eight_bits


def in_integers(node: ir.Node, behind: ir.Node) -> bool:
    """Both operands must be integers."""
    return all(map(eight_bits, node.inputs))


def add(t: Translator, operation: Operation) -> Value:
    """Add."""
    return _binary(t, operation, "ADD", "AddOptions")


def subtract(t: Translator, operation: Operation) -> Value:
    """Sub."""
    return _binary(t, operation, "SUB", "SubOptions")


def multiply(t: Translator, operation: Operation) -> Value:
    """Mul."""
    return _binary(t, operation, "MUL", "MulOptions")


def divide(t: Translator, operation: Operation) -> Value:
    """Div, of floats."""
    return _binary(t, operation, "DIV", "DivOptions")


def _binary(t: Translator, operation: Operation, builtin: str, options: str) -> Value:
    """In the order of the larger operand, to which the other one is brought."""
    shape = t.shape(operation.result)
    operands = [value.widened(len(shape)) for value in t.operands(operation)]
    larger = max(operands, key=lambda value: prod(size[0] for size in value.shape))
    inputs = [t.arrange(value, larger.order) for value in operands]
    output = t.result(operation, sizes_of(shape, larger.order))
    t.emit(builtin, inputs, output, options)
    return Value(output, shape, larger.order)
