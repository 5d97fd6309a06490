"""Operators that put tensors side by side: concatenation and padding."""

import numpy as np
import onnx_ir as ir

from ....errors import VcompressError
from ...integer_graph import constant
from ...lengths import Size
from ..layout import Value, labels, sizes_of
from ..translator import Operation, Translator, dequantizer, quantization_of
from .movement import slice_of
from .quantization import eight_bits


def concat_in_integers(node: ir.Node, behind: ir.Node) -> bool:
    """Integers of one scale on all sides."""
    sources = [dequantizer(value) for value in node.inputs]
    return all(map(eight_bits, node.inputs)) and all(source is not None and quantization_of(source) == quantization_of(behind) for source in sources)


def concatenate(t: Translator, operation: Operation) -> Value:
    """Concat."""
    values, shape = t.operands(operation), t.shape(operation.result)
    axis = (operation.node.attributes.get_int("axis", 0) or 0) % len(shape)
    held = t.facts(values[0]).quantization
    if held is not None:
        values = [t.with_scale(value, held) for value in values]
    return _join(t, operation, values, axis, shape)


def _join(t: Translator, operation: Operation, values: list[Value], axis: int, shape: tuple[Size, ...]) -> Value:
    order = max(values, key=lambda value: len(value.memory)).order
    inputs = [t.arrange(value, order) for value in values]
    output = t.like(operation, values[0], sizes_of(shape, order))
    t.emit("CONCATENATION", inputs, output, "ConcatenationOptions", axis=labels(order).index(axis))
    return Value(output, shape, order)


def pad(t: Translator, operation: Operation) -> Value:
    """Pad: with zeros, or with what is next to the edge (reflect, edge)."""
    node, value = operation.node, t.operand(operation)
    before, after = _amounts(t, node, len(value.shape))
    mode = node.attributes.get_string("mode", "constant")
    if mode == "constant":
        number = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
        if number is not None and number.any():
            raise VcompressError("A Pad with another number than 0 has no translation to TFLite; export to ONNX only.")
        return pad_with_zeros(t, value, before, after, operation)
    if mode not in ("reflect", "edge"):
        raise VcompressError(f"A Pad in mode {mode} has no translation to TFLite; export to ONNX only.")
    for axis, (left, right) in enumerate(zip(before, after, strict=True)):
        if left or right:
            value = _mirrored(t, operation, value, axis, left, right, mode)
    return value


def pad_with_zeros(t: Translator, value: Value, before: tuple[int, ...], after: tuple[int, ...], operation: Operation | None = None) -> Value:
    """A tensor with zeros around it, which in integers are its zero point."""
    shape = tuple(tuple(s + b + a for s in size) for size, b, a in zip(value.shape, before, after, strict=True))
    source, facts = t.arrange(value, value.order), t.facts(value)
    pairs = [(0, 0) if axis is None else (before[axis], after[axis]) for axis in labels(value.order)]
    name = (operation.result.name or "") if operation is not None else f"{facts.name}, padded"
    quantization = operation.quantization if operation is not None and operation.integer else facts.quantization
    output = t.tensor(name, sizes_of(shape, value.order), facts.dtype, quantization)
    t.emit("PAD", [source, t.constant("paddings", np.array(pairs, np.int32))], output, "PadOptions")
    return Value(output, shape, value.order)


def _mirrored(t: Translator, operation: Operation, value: Value, axis: int, left: int, right: int, mode: str) -> Value:
    """The edges gathered and set beside the tensor: TFLite's MIRROR_PAD reckons out where each number comes from, one by one."""
    value = t.reordered(value, value.order)
    parts, size = [value], value.shape[axis]
    reach = 1 if mode == "edge" else right + 1
    if left:
        parts.insert(0, _gathered(t, value, axis, [left - i if mode == "reflect" else 0 for i in range(left)]))
    if right:
        begin, end = [t.fixed(0) for _ in value.shape], list(value.shape)
        begin[axis] = tuple(s - reach for s in size)
        last = slice_of(t, operation, value, begin, end)
        parts.append(_gathered(t, last, axis, [right - 1 - i if mode == "reflect" else 0 for i in range(right)]))
    shape = tuple(tuple(s + left + right for s in size) if i == axis else size for i, size in enumerate(value.shape))
    return _join(t, operation, parts, axis, shape)


def _gathered(t: Translator, value: Value, axis: int, indices: list[int]) -> Value:
    shape = tuple(t.fixed(len(indices)) if i == axis else size for i, size in enumerate(value.shape))
    facts, source = t.facts(value), t.arrange(value, value.order)
    output = t.tensor(f"{facts.name}, edge", sizes_of(shape, value.order), facts.dtype, facts.quantization)
    t.emit("GATHER", [source, t.integers(*indices)], output, "GatherOptions", axis=labels(value.order).index(axis))
    return Value(output, shape, value.order)


def _amounts(t: Translator, node: ir.Node, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    pads, axes = constant(node.inputs[1]), constant(node.inputs[3]) if len(node.inputs) > 3 else None
    if pads is None:
        raise VcompressError("A Pad by numbers that are computed has no translation to TFLite; export to ONNX only.")
    along = list(range(rank)) if axes is None else [int(axis) % rank for axis in axes]
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(along):
        before[axis], after[axis] = int(pads[place]), int(pads[place + len(along)])
    return tuple(before), tuple(after)
