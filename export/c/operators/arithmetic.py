"""Operators on two tensors of one shape."""

import onnx_ir as ir

from ....errors import VcompressError
from ...integer_graph import constant
from ..program import Product, Sum, View
from ..reading import Reader, described
from .activations import scaled


def add(reader: Reader, node: ir.Node) -> None:
    """Add."""
    _sum(reader, node, 1)


def subtract(reader: Reader, node: ir.Node) -> None:
    """Sub."""
    _sum(reader, node, -1)


def multiply(reader: Reader, node: ir.Node) -> None:
    """Mul, also by a number."""
    number = constant(node.inputs[1])
    if number is not None and number.size == 1:
        scaled(reader, node, float(number.reshape(())))
        return
    a, b = sorted(_operands(reader, node), key=reader.bits)  # kernels take the narrower one first
    for output in reader.results(node):
        reader.emit(Product(node.name or "a product", (a, b), output.tensor, a.scale * b.scale / output.scale))


def _sum(reader: Reader, node: ir.Node, sign: int) -> None:
    operands = _operands(reader, node)
    for output in reader.results(node):
        terms = ((operand, number * operand.scale / output.scale) for operand, number in zip(operands, (1, sign), strict=True))
        views, factors = zip(*sorted(terms, key=lambda term: reader.bits(term[0])), strict=True)
        reader.emit(Sum(node.name or "a sum", views, output.tensor, factors))


def _operands(reader: Reader, node: ir.Node) -> tuple[View, View]:
    a, b = reader.operand(node, 0), reader.operand(node, 1)
    if (a.channels, a.rate, a.extra) != (b.channels, b.rate, b.extra):
        raise VcompressError(f"{described(node)} has two operands of different shapes, which has no C form; export to ONNX only.")
    return a, b
