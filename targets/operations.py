"""Operators of ONNX graphs that carry weights, and how many multiply-accumulates each makes."""

from math import prod
from typing import Any

Shape = tuple[int, ...]
CONVOLUTIONS = ("Conv", "ConvInteger", "QLinearConv")
PRODUCTS = ("MatMul", "MatMulInteger", "QLinearMatMul", "Gemm")
COUNTED = (*CONVOLUTIONS, *PRODUCTS, "ConvTranspose")
UNCOUNTED = ("GRU", "LSTM", "RNN", "Einsum", "Loop", "Scan", "If", "Attention")


def operands(node: Any) -> tuple[str, str]:
    """Data and weights of a counted node; the QLinear forms have scale and zero point between them."""
    return node.input[0], node.input[3 if node.op_type.startswith("QLinear") else 1]


def macs(node: Any, data: Shape, weights: Shape, output: Shape) -> int:
    """Multiply-accumulates of one call of a counted node, from the shapes of its operands and its output."""
    if node.op_type in CONVOLUTIONS:
        return prod(output) * prod(weights[1:])  # weights (C_out, C_in / groups, *kernel)
    if node.op_type == "ConvTranspose":
        return prod(data) * prod(weights[1:])  # weights (C_in, C_out / groups, *kernel)
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return prod(output) * data[0 if transposed else -1]
