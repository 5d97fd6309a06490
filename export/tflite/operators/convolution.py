"""Convolutions: 1-D ones as 2-D ones of height 1, channels last, with the integers of their weights and biases."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from ....errors import VcompressError
from ...integer_graph import constant
from ...interleave import interleaved_by, phases_first
from ...lengths import Size
from ..layout import Value, channels_last, sizes_of
from ..schema import Quantization
from ..translator import Operation, Translator, dequantizer, quantization_of
from .joining import pad_with_zeros
from .quantization import eight_bits

SAME, VALID = 0, 1
CHANNEL_AXIS = 1


@dataclass(frozen=True)
class Window:
    """What a convolution says of height and width; a 1-D one has height 1."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def of(cls, node: ir.Node, kernel: tuple[int, ...]) -> "Window":
        """Raises VcompressError for a padding that is not given in numbers."""
        rank = len(kernel)
        if node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
            raise VcompressError(f"Convolution {node.name} asks for automatic padding, which has no translation to TFLite; export to ONNX only.")
        strides, dilations = (tuple(node.attributes.get_ints(name, (1,) * rank) or ()) for name in ("strides", "dilations"))
        pads = tuple(node.attributes.get_ints("pads", (0,) * 2 * rank) or ())
        return cls(kernel, strides, dilations, pads[:rank], pads[rank:])

    @property
    def padding(self) -> int | None:
        """SAME or VALID where TFLite's own padding is this one."""
        reach = tuple(d * (k - 1) for d, k in zip(self.dilations, self.kernel, strict=True))
        if not any((*self.before, *self.after)):
            return VALID
        centred = self.before == self.after and reach == tuple(2 * size for size in self.before)
        return SAME if centred and set(self.strides) == {1} else None


def in_integers(node: ir.Node, behind: ir.Node) -> bool:
    """8-bit activations, int8 weights and an int32 bias, if any; and one reader, for each more would compute it once more."""
    weight, bias = dequantizer(node.inputs[1]), node.inputs[2] if len(node.inputs) > 2 else None
    integers = eight_bits(node.inputs[0]) and weight is not None and (bias is None or dequantizer(bias) is not None)
    return integers and len(node.outputs[0].uses()) == 1


def convolution(t: Translator, operation: Operation) -> Value:
    """Conv, 1-D or 2-D, dilated, grouped or depthwise."""
    node = operation.node
    value, shape = t.operand(operation), t.shape(operation.result)
    rank, order = len(shape), channels_last(len(shape))
    groups, channels = node.attributes.get_int("group", 1) or 1, value.shape[CHANNEL_AXIS][0]
    phases = interleaved_by(node)
    depthwise = groups > 1 and groups == channels
    weight, bias = _weight(t, operation, phases, depthwise), _bias(t, operation, phases)
    kernel = t.lengths.shapes[node.inputs[1].name][2:]  # type: ignore[index, union-attr]
    window = Window.of(node, tuple(size[0] for size in kernel))
    source = t.reordered(value, order)
    if window.padding is None:
        source = pad_with_zeros(t, source, (0, 0, *window.before), (0, 0, *window.after))
    output = t.result(operation, sizes_of(shape, order))
    height = (1,) * (4 - rank)
    (stride_h, stride_w), (dilation_h, dilation_w) = (*height, *window.strides), (*height, *window.dilations)
    fields = {
        "padding": VALID if window.padding is None else window.padding,
        "strideH": stride_h,
        "strideW": stride_w,
        "dilationHFactor": dilation_h,
        "dilationWFactor": dilation_w,
    }
    if depthwise:
        multiplier = shape[CHANNEL_AXIS][0] // groups
        version = 3 if operation.integer else 2
        t.emit("DEPTHWISE_CONV_2D", [source.tensor, weight, bias], output, "DepthwiseConv2DOptions", version, **fields, depthMultiplier=multiplier)
    else:
        t.emit("CONV_2D", [source.tensor, weight, bias], output, "Conv2DOptions", 3 if operation.integer else 1, **fields)
    return Value(output, shape, order, phases)


def _weight(t: Translator, operation: Operation, phases: int, depthwise: bool) -> int:
    """(O, I, k) as (O, 1, k, I), (O, I, h, w) as (O, h, w, I); of a depthwise one (1, h, w, O). In a float region int8 weights are made floats on loading."""
    node = operation.node
    stored, quantization = _stored(node, 1)
    array = phases_first(stored, phases)
    array = array.reshape(*array.shape[:2], *(1,) * (4 - array.ndim), *array.shape[2:])
    array = array.transpose(1, 2, 3, 0) if depthwise else array.transpose(0, 2, 3, 1)
    if quantization is None:
        return t.constant(node.name or "weight", np.ascontiguousarray(array))
    scale = np.broadcast_to(quantization.scale, stored.shape[:1])
    channels = Quantization(phases_first(scale, phases), np.zeros(len(scale), np.int64), 3 if depthwise else 0)
    index = t.constant(node.name or "weight", np.ascontiguousarray(array), channels)
    if operation.integer:
        return index
    sizes: tuple[Size, ...] = tuple(t.fixed(size) for size in array.shape)
    return t.emit("DEQUANTIZE", [index], t.tensor(f"{node.name} as float", sizes, "float32"), "DequantizeOptions", 5)


def _bias(t: Translator, operation: Operation, phases: int) -> int:
    """int32 with scale s_x s_w, or float; zeros where there is none."""
    node = operation.node
    channels = t.shape(node.outputs[0])[CHANNEL_AXIS][0]
    weight, quantization = _stored(node, 1)
    stored, scale = _stored(node, 2) if len(node.inputs) > 2 and node.inputs[2] is not None else (None, None)
    if not operation.integer:
        floats = np.zeros(channels, np.float32) if stored is None else stored * (scale.scale if scale is not None else np.float32(1))
        return t.constant("bias", phases_first(floats.astype(np.float32), phases))
    assert quantization is not None
    if scale is None:
        source = dequantizer(node.inputs[0])
        assert source is not None
        scale = Quantization(quantization_of(source).scale * np.broadcast_to(quantization.scale, weight.shape[:1]), np.zeros(channels, np.int64))
    integers = np.zeros(channels, np.int32) if stored is None else stored
    scales = phases_first(np.broadcast_to(scale.scale, (channels,)), phases)
    return t.constant("bias", phases_first(integers, phases), Quantization(scales, np.zeros(channels, np.int64)))


def _stored(node: ir.Node, index: int) -> tuple[np.ndarray, Quantization | None]:
    """A constant input as the ONNX file holds it, and its scales where it is integers."""
    source = dequantizer(node.inputs[index])
    array = constant(source.inputs[0] if source is not None else node.inputs[index])
    if array is None:
        raise VcompressError(f"Convolution {node.name} takes weights that are computed, which has no translation to TFLite; export to ONNX only.")
    return array, quantization_of(source) if source is not None else None
