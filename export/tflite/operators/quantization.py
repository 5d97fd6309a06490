"""Floats to integers, and which operators can stay among integers."""

import numpy as np
import onnx_ir as ir

from ...integer_graph import constant
from ..layout import Value
from ..translator import Operation, Translator, dequantizer, quantization_of


def quantize(t: Translator, operation: Operation) -> Value:
    """QuantizeLinear: floats to int8 or int16."""
    value = t.operand(operation)
    dtype = "int16" if _zero_point_dtype(operation.node) == np.int16 else "int8"
    output = t.tensor(operation.result.name or "", t.sizes(value), dtype, quantization_of(operation.node))
    t.emit("QUANTIZE", [value.tensor], output, "QuantizeOptions", 2 if dtype == "int16" else 1)
    return Value(output, value.shape, value.order, value.phases)


def eight_bits(value: ir.Value | None) -> bool:
    """Whether a tensor is what a DequantizeLinear makes of 8-bit activations."""
    node = dequantizer(value)
    return node is not None and _zero_point_dtype(node) == np.uint8 and quantization_of(node).scale.size == 1


def eight_bit_readers(node: ir.Node) -> list[ir.Node]:
    """Each QuantizeLinear to 8 bits behind a node; none where something else reads it too."""
    readers = [use.node for use in node.outputs[0].uses()]
    integer = [reader for reader in readers if reader.op_type == "QuantizeLinear" and _zero_point_dtype(reader) == np.uint8]
    return [] if node.outputs[0].is_graph_output() or len(integer) < len(readers) else integer


def _zero_point_dtype(node: ir.Node) -> np.dtype | None:
    zero_point = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    return None if zero_point is None else zero_point.dtype
