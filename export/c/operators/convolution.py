"""Convolutions over time, as they are or as the polyphase form of a transposed one."""

import math

import numpy as np
import onnx_ir as ir

from ....errors import VcompressError
from ...integer_graph import constant, dequantizer
from ...interleave import interleaved_by, phases_first
from ..program import Convolution, Tensor, View
from ..reading import PCM, Reader, described

WEIGHTS = 127
SATURATED = 8.0  # tanh of it is 1 in 16 bits: what lies beyond needs no numbers of its own


def convolution(reader: Reader, node: ir.Node) -> None:
    """Conv, 1-D with a stride of 1: dilated, grouped, depthwise, of one row. One in floats at the end of the graph becomes integers here."""
    window = _window(node)
    view = reader.operand(node)
    groups = node.attributes.get_int("group", 1) or 1
    weights, weight_scale = _weights(reader, node)
    bias_scale = view.scale * weight_scale
    bias = _bias(node, bias_scale)
    phases = interleaved_by(node)
    tail = node.outputs[0].uses() and all(use.node.op_type == "Tanh" for use in node.outputs[0].uses())
    for output in [_before_tanh(reader, node, view, weights, bias, bias_scale)] if tail else reader.results(node):
        factor = bias_scale / output.scale
        laid, sums, factors = (phases_first(array, phases) for array in (weights.transpose(0, 2, 1), bias, factor))
        number = 1 + sum(isinstance(step, Convolution) for step in reader.steps)
        name = node.name or f"convolution {number} ({view.channels} to {len(weights)} channels, {weights.shape[2]} taps)"
        reader.emit(Convolution(name, (view,), output.tensor, laid, sums, factors, *window, groups))


def _window(node: ir.Node) -> tuple[int, int]:
    """Dilation, and rows before the first. What follows the last is a matter of how many rows are asked for."""
    strides, dilations = (list(node.attributes.get_ints(name, (1,)) or (1,)) for name in ("strides", "dilations"))
    pads = list(node.attributes.get_ints("pads", (0, 0)) or (0, 0))
    if len(dilations) != 1 or len(pads) != 2 or strides != [1] or node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        raise VcompressError(f"{described(node)} has a stride, two dimensions or automatic padding, which has no C form; export to ONNX only.")
    return dilations[0], pads[0]


def _weights(reader: Reader, node: ir.Node) -> tuple[np.ndarray, np.ndarray]:
    """int8 (out, in / groups, taps) and their scales, float64 (out,); floats are rounded here, and a note says so."""
    source = dequantizer(node.inputs[1])
    array = constant(source.inputs[0] if source is not None else node.inputs[1])
    if array is None or (source is not None and array.dtype != np.int8):
        raise VcompressError(f"{described(node)} takes weights that are no int8 constants; export to ONNX only.")
    if source is not None:
        scale = constant(source.inputs[1])
        assert scale is not None
        return array, np.broadcast_to(scale.astype(np.float64).reshape(-1), array.shape[:1])
    largest = np.abs(array.astype(np.float64)).reshape(len(array), -1).max(1)
    scale = np.where(largest > 0, largest, 1.0) / WEIGHTS
    reader.notes.append(f"{node.name or 'the last layer'}: float in ONNX, its weights are rounded to int8 and its output has 16 bits")
    return np.rint(array / scale[:, None, None]).astype(np.int8), scale


def _bias(node: ir.Node, scale: np.ndarray) -> np.ndarray:
    """int32 (out,) in steps of `scale`."""
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return np.zeros(len(scale), np.int32)
    source = dequantizer(value)
    array = constant(source.inputs[0] if source is not None else value)
    if array is None:
        raise VcompressError(f"{described(node)} takes a bias that is computed; export to ONNX only.")
    held = constant(source.inputs[1]) if source is not None else None
    steps = np.rint(array * (1.0 if source is None else np.asarray(held, np.float64)) / scale)
    if np.abs(steps).max() >= 2**31:
        raise VcompressError(f"The bias of {described(node)} overflows 32 bits at its scale; calibrate again.")
    return steps.astype(np.int32)


def _before_tanh(reader: Reader, node: ir.Node, view: View, weights: np.ndarray, bias: np.ndarray, scale: np.ndarray) -> View:
    """The 16-bit tensor of sums that a tanh will read: as wide as they can be, or as tanh has use for."""
    output = node.outputs[0]
    reach = np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(1) * _largest(reader.tensors[view.tensor]) + np.abs(bias.astype(np.int64))
    largest = min(SATURATED, float((reach * scale).max()))
    made = reader.tensor(output.name or "", reader.channels(output), reader.rows(output), 16, max(largest, PCM) / (1 << 15) if math.isfinite(largest) else PCM)
    reader.places[output.name or ""] = made
    return made


def _largest(tensor: Tensor) -> int:
    """The largest distance of an integer from the zero point."""
    lowest, highest = (-128, 127) if tensor.bits == 8 else (-32768, 32767)
    return max(tensor.zero_point - lowest, highest - tensor.zero_point)
