"""Operators that move numbers: other views of the same rows, but a concatenation, which copies."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from ....errors import VcompressError
from ...integer_graph import constant, dequantizer, scale_and_zero_point
from ..program import Joined, View
from ..reading import Reader, described


def reshape(reader: Reader, node: ir.Node) -> None:
    """Reshape, Squeeze and Unsqueeze: of axes of size 1, or the two of an interleave."""
    _moved(reader, node, reader.lengths.shapes)


def transpose(reader: Reader, node: ir.Node) -> None:
    """Transpose, within an interleave."""
    _moved(reader, node, reader.lengths.shapes)


def cut(reader: Reader, node: ir.Node) -> None:
    """Slice along time, to a length that follows the frames, or along channels."""
    value, output = node.inputs[0], node.outputs[0]
    assert value is not None
    numbers = [_numbers(reader, node, index) for index in range(1, len(node.inputs))]
    starts, axes = numbers[0], numbers[2] if len(numbers) > 2 else np.zeros(1, np.int64)
    steps = numbers[3] if len(numbers) > 3 else np.ones(1, np.int64)
    axis = int(axes[0]) % len(reader.lengths.shapes[value.name or ""])
    if len(starts) != 1 or (steps != 1).any() or axis not in (1, 2) or starts[0] < 0:
        raise VcompressError(f"{described(node)} cuts more than one axis, or with a step, or from the end, which has no C form; export to ONNX only.")
    view = _source(reader, node)
    if axis == 1:
        view = replace(view, first=view.first + int(starts[0]), channels=reader.channels(output))
    else:
        rate, extra = reader.rows(output)
        if rate != view.rate:
            raise VcompressError(f"{described(node)} cuts to a length that does not follow the frames; export to ONNX only.")
        view = replace(view, start=view.start + int(starts[0]), extra=extra)
    _define(reader, node, view)


def pad(reader: Reader, node: ir.Node) -> None:
    """Pad with nothing; a padding with zeros belongs into the convolution."""
    if (_numbers(reader, node, 1) != 0).any():
        raise VcompressError(f"{described(node)} pads outside of a convolution, which has no C form; export to ONNX only.")
    _define(reader, node, _source(reader, node))


def concatenate(reader: Reader, node: ir.Node) -> None:
    """Concat of channels that share one scale."""
    if node.inputs[0] is not None and node.inputs[0].dtype == ir.DataType.INT64:
        return
    views = [_source(reader, node, index) for index in range(len(node.inputs))]
    same = {(view.rate, view.extra, view.scale, reader.bits(view), reader.zero_point(view)) for view in views}
    if len(same) > 1 or (node.attributes.get_int("axis", 1) or 0) != 1:
        raise VcompressError(f"{described(node)} joins what differs in scale or length, or along time, which has no C form; export to ONNX only.")
    tensor = reader.tensors[views[0].tensor]
    channels = sum(view.channels for view in views)
    made = reader.tensor(node.outputs[0].name or "", channels, (views[0].rate, views[0].extra), tensor.bits, views[0].scale, tensor.zero_point)
    reader.emit(Joined(node.name or "a concatenation", tuple(views), made.tensor))
    _define(reader, node, made)


def _source(reader: Reader, node: ir.Node, index: int = 0) -> View:
    """What moves: integers, or what stands between a DequantizeLinear and a QuantizeLinear of one scale."""
    value = node.inputs[index]
    assert value is not None
    return reader.operand(node, index) if dequantizer(value) is not None else reader.integers(value, node)


def _define(reader: Reader, node: ir.Node, view: View) -> None:
    """Name the outcome; a QuantizeLinear behind it that changes nothing is passed over."""
    reader.places[node.outputs[0].name or ""] = view
    for use in node.outputs[0].uses():
        if use.node.op_type == "QuantizeLinear":
            found = scale_and_zero_point(use.node)
            source = dequantizer(node.inputs[0])
            if source is None or found is None or found != scale_and_zero_point(source):
                raise VcompressError(f"{described(node)} changes the scale of what it moves, which has no C form; export to ONNX only.")
            reader.places[use.node.outputs[0].name or ""] = view


def _moved(reader: Reader, node: ir.Node, shapes: dict[str, tuple[tuple[int, ...], ...]]) -> None:
    view, value, output = _source(reader, node), node.inputs[0], node.outputs[0]
    assert value is not None
    before, after = (shapes[v.name or ""] for v in (value, output))
    kept = [size for size in before if set(size) != {1}] == [size for size in after if set(size) != {1}]
    ranks = len(before), len(after)
    split = ranks == (3, 4) and _splits(before, after)
    swapped = node.op_type == "Transpose" and ranks == (4, 4)  # within an interleave: the last reshape looks whether it is one
    if swapped or (node.op_type != "Transpose" and (split or (kept and ranks == (3, 3)))):
        _define(reader, node, view)
    elif node.op_type == "Reshape" and ranks == (4, 3) and after[1][0] * before[3][0] == view.channels:
        rate, extra = reader.rows(output)
        _define(reader, node, replace(view, ratio=before[3][0], channels=after[1][0], rate=rate, extra=extra))
    else:
        raise VcompressError(f"{described(node)} moves numbers in a way that has no C form, and is no interleave; export to ONNX only.")


def _splits(before: tuple[tuple[int, ...], ...], after: tuple[tuple[int, ...], ...]) -> bool:
    """Whether channels alone become two axes."""
    return after[1][0] * after[2][0] == before[1][0] and after[3] == before[2]


def _numbers(reader: Reader, node: ir.Node, index: int) -> np.ndarray:
    """An integer input at the first length."""
    value = node.inputs[index]
    array = constant(value)
    known = reader.lengths.integers.get(value.name or "") if value is not None and array is None else None
    if array is None and known is None:
        raise VcompressError(f"{described(node)} takes a size that depends on the data, which has no C form; export to ONNX only.")
    return np.asarray(array if array is not None else known[0]).reshape(-1)  # type: ignore[index]
