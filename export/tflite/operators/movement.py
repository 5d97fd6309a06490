"""Operators that only move numbers. Most of them move nothing here: the axes of a value get other names."""

from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir

from ....errors import VcompressError
from ...integer_graph import constant
from ...lengths import Size
from ..layout import Value, labels, sizes_of
from ..translator import Operation, Translator, dequantizer, quantization_of
from .quantization import eight_bits


def in_integers(node: ir.Node, behind: ir.Node) -> bool:
    """Integers of one scale before and behind."""
    source = dequantizer(node.inputs[0])
    return source is not None and eight_bits(node.inputs[0]) and quantization_of(source) == quantization_of(behind)


def reshape(t: Translator, operation: Operation) -> Value:
    """Reshape, Squeeze and Unsqueeze."""
    return t.regroup(t.operand(operation), t.shape(operation.result))


def transpose(t: Translator, operation: Operation) -> Value:
    """Transpose."""
    value = t.operand(operation)
    return value.transposed(operation.node.attributes.get_ints("perm", tuple(reversed(range(len(value.shape))))) or ())


def cut(t: Translator, operation: Operation) -> Value:
    """Slice, forwards."""
    value, node = t.operand(operation), operation.node
    starts, ends, axes, steps = (_numbers(t, node, index) for index in range(1, 5))
    assert starts is not None and ends is not None
    axes = axes or [t.fixed(axis) for axis in range(len(starts))]
    if any(step[0] < 1 for step in steps or ()):
        raise VcompressError("A Slice that runs backwards has no translation to TFLite; export to ONNX only.")
    begin, end, strides = [t.fixed(0) for _ in value.shape], list(value.shape), [1] * len(value.shape)
    for (axis, *_), first, last, step in zip(axes, starts, ends, steps or [t.fixed(1)] * len(axes), strict=True):
        begin[axis], end[axis], strides[axis] = _within(first, value.shape[axis]), _within(last, value.shape[axis]), step[0]
    return slice_of(t, operation, value, begin, end, strides)


def split(t: Translator, operation: Operation) -> list[Value]:
    """Split: a slice for each output."""
    value, node = t.operand(operation), operation.node
    axis, start, parts = node.attributes.get_int("axis", 0) or 0, t.fixed(0), []
    axis %= len(value.shape)
    for result in node.outputs:
        begin, end = [t.fixed(0) for _ in value.shape], list(value.shape)
        size = t.shape(result)[axis]
        begin[axis], end[axis] = start, _sum(start, size)
        parts.append(slice_of(t, replace(operation, result=result), value, begin, end))
        start = end[axis]
    return parts


def slice_of(t: Translator, operation: Operation, value: Value, begin: list[Size], end: list[Size], strides: Sequence[int] = ()) -> Value:
    """A part of a tensor, from `begin` to `end` along each ONNX axis. Raises VcompressError where an end follows the frames in a way of its own."""
    strides = strides or [1] * len(value.shape)
    shape = tuple(tuple(-(-(b - a) // step) for a, b in zip(first, last, strict=True)) for first, last, step in zip(begin, end, strides, strict=True))
    if shape == value.shape:
        return value
    order = value.order
    source = t.arrange(value, order)
    starts, ends, open_ends = [], [], 0
    sizes = sizes_of(value.shape, order)
    for place, axis in enumerate(labels(order)):
        first, last, size = (t.fixed(0), sizes[place], sizes[place]) if axis is None else (begin[axis], end[axis], value.shape[axis])
        starts.append(_bound(first, size))
        if last == size:
            open_ends |= 1 << place
        ends.append(0 if last == size else _bound(last, size))
    steps = [1 if axis is None else strides[axis] for axis in labels(order)]
    inputs = [source, t.integers(*starts), t.integers(*ends), t.integers(*steps)]
    output = t.like(operation, value, sizes_of(shape, order))
    t.emit("STRIDED_SLICE", inputs, output, "StridedSliceOptions", endMask=open_ends)
    return Value(output, shape, order)


def gather(t: Translator, operation: Operation) -> Value:
    """Gather along the first axis: rows of a constant."""
    node = operation.node
    table, rows = (t.operand(operation, index) for index in range(2))
    if (node.attributes.get_int("axis", 0) or 0) != 0:
        raise VcompressError("A Gather along another than the first axis has no translation to TFLite; export to ONNX only.")
    shape = t.shape(operation.result)
    output = t.like(operation, table, shape)
    t.emit("GATHER", [t.plain(table), t.plain(rows)], output, "GatherOptions", axis=0)
    return Value(output, shape, tuple(range(len(shape))))


def cast(t: Translator, operation: Operation) -> Value:
    """Cast between integers, which indices are; of int64 to itself it is nothing."""
    value = t.operand(operation)
    to = ir.DataType(operation.node.attributes.get_int("to", 0) or 0)
    if to.numpy().name != t.facts(value).dtype:
        raise VcompressError(f"A Cast of {t.facts(value).dtype} to {to} has no translation to TFLite; export to ONNX only.")
    return value


def _numbers(t: Translator, node: ir.Node, index: int) -> list[Size] | None:
    """An integer input at every length."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        return None
    array = constant(value)
    arrays = (array, array) if array is not None else t.lengths.integers.get(value.name or "")
    if arrays is None:
        raise VcompressError(f"{node.op_type} takes a size that depends on the data, which has no translation to TFLite; export to ONNX only.")
    return [tuple(int(number) for number in column) for column in zip(*(a.reshape(-1) for a in arrays if a is not None), strict=True)]


def _within(bound: Size, size: Size) -> Size:
    """A bound as ONNX reads it: from the end where it is negative, never outside."""
    return tuple(min(max(b + s if b < 0 else b, 0), s) for b, s in zip(bound, size, strict=True))


def _bound(bound: Size, size: Size) -> int:
    """A bound as a number from the start, or a negative one from the end."""
    if len(set(bound)) == 1:
        return bound[0]
    back = {b - s for b, s in zip(bound, size, strict=True)}
    if len(back) == 1 and (number := back.pop()) < 0:
        return number
    raise VcompressError("A Slice whose end follows the frames in a way of its own has no translation to TFLite; export to ONNX only.")


def _sum(a: Size, b: Size) -> Size:
    return tuple(x + y for x, y in zip(a, b, strict=True))
