"""ONNX operators as torch functions, one each, by the names that ONNX has. A new one is a function here and a line in TORCH.

Tensors whose values follow from constants and shapes stay numpy arrays and are worked out before anything runs (KNOWN); so sizes, axes and
pads reach these functions as numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Attributes = Mapping[str, Any]
Value = Any  # Tensor, numpy array where the value is known, None for an input that is left out

INTEGERS = {"int8": torch.int8, "uint8": torch.uint8, "int16": torch.int16, "int32": torch.int32, "int64": torch.int64}


def _numbers(known: Value) -> list[int]:
    return [int(number) for number in np.asarray(known).reshape(-1)]


def _convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, attributes: Attributes) -> Tensor:
    rank = weight.ndim - 2
    pads = attributes.get("pads", [0] * 2 * rank)
    before, after = pads[:rank], pads[rank:]
    if before != after:
        x = functional.pad(x, [pad for pair in zip(reversed(before), reversed(after), strict=True) for pad in pair])
        before = [0] * rank
    convolve = {1: functional.conv1d, 2: functional.conv2d}[rank]
    ones = [1] * rank
    return convolve(x, weight, bias, attributes.get("strides", ones), before, attributes.get("dilations", ones), attributes.get("group", 1))


def _slice(x: Tensor, starts: Value, ends: Value, axes: Value = None, steps: Value = None, *, attributes: Attributes) -> Tensor:
    first = _numbers(starts)
    for axis, start, end, step in zip(
        _numbers(axes) if axes is not None else range(len(first)),
        first,
        _numbers(ends),
        _numbers(steps) if steps is not None else [1] * len(first),
        strict=True,
    ):
        if step > 0:
            x = x[(slice(None),) * (axis % x.ndim) + (slice(start, end, step),)]
        else:
            x = x.index_select(axis, torch.tensor(range(*slice(start, end, step).indices(x.shape[axis])), device=x.device))
    return x


def _pad(x: Tensor, pads: Value, value: Value = None, axes: Value = None, *, attributes: Attributes) -> Tensor:
    amounts = _numbers(pads)
    places = [axis % x.ndim for axis in _numbers(axes)] if axes is not None else list(range(x.ndim))
    both = {axis: (amounts[i], amounts[i + len(places)]) for i, axis in enumerate(places)}
    mode, outermost = attributes.get("mode", "constant"), min((axis for axis, pair in both.items() if any(pair)), default=x.ndim - 1)
    flat = [pad for axis in range(x.ndim - 1, outermost - 1, -1) for pad in both.get(axis, (0, 0))]
    if mode == "constant":
        return functional.pad(x, flat, value=0.0 if value is None else float(value))
    return functional.pad(x, flat, mode={"reflect": "reflect", "edge": "replicate"}[mode])


def _reshape(x: Tensor, shape: Value, *, attributes: Attributes) -> Tensor:
    return x.reshape([x.shape[i] if size == 0 and not attributes.get("allowzero") else size for i, size in enumerate(_numbers(shape))])


def _split(x: Tensor, sizes: Value = None, *, attributes: Attributes) -> list[Tensor]:
    axis = attributes.get("axis", 0)
    if sizes is not None:
        return list(x.split(_numbers(sizes), axis))
    return list(x.split(-(-x.shape[axis] // attributes["num_outputs"]), axis))


def _squeeze(x: Tensor, axes: Value = None, *, attributes: Attributes) -> Tensor:
    return x.squeeze(tuple(_numbers(axes))) if axes is not None else x.squeeze()


def _unsqueeze(x: Tensor, axes: Value, *, attributes: Attributes) -> Tensor:
    places = sorted(axis % (x.ndim + len(_numbers(axes))) for axis in _numbers(axes))
    for axis in places:
        x = x.unsqueeze(axis)
    return x


def _clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None, *, attributes: Attributes) -> Tensor:
    return x.clamp(low, high) if low is not None or high is not None else x


def _gather(x: Tensor, index: Value, *, attributes: Attributes) -> Tensor:
    axis, index = attributes.get("axis", 0), torch.as_tensor(index, device=x.device)
    return x.index_select(axis, index.reshape(-1)).reshape(x.shape[:axis] + index.shape + x.shape[axis:][1:])


def _quantize(x: Tensor, scale: Tensor, zero_point: Value, *, attributes: Attributes) -> Tensor:
    scale, zero = _along(scale, x, attributes), _along(torch.as_tensor(zero_point, device=x.device), x, attributes)
    limits = torch.iinfo(zero.dtype)
    return (torch.round(x.float() / scale.float()) + zero).clamp(limits.min, limits.max).to(zero.dtype)


def _dequantize(x: Tensor, scale: Tensor, zero_point: Value = None, *, attributes: Attributes) -> Tensor:
    zero = 0 if zero_point is None else _along(torch.as_tensor(zero_point, device=x.device), x, attributes).to(torch.int32)
    return ((x.to(torch.int32) - zero) * _along(scale, x, attributes).float()).to(scale.dtype)


def _along(parameter: Tensor, x: Tensor, attributes: Attributes) -> Tensor:
    """A scale or zero point a channel, shaped to meet its axis."""
    if parameter.numel() == 1:
        return parameter.reshape(())
    axis = attributes.get("axis", 1) % x.ndim
    return parameter.reshape([-1 if place == axis else 1 for place in range(x.ndim)])


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *inputs, attributes: function(*inputs)


TORCH: dict[str, Callable[..., Any]] = {
    "Conv": _convolution,
    "Add": _plain(torch.add),
    "Sub": _plain(torch.sub),
    "Mul": _plain(torch.mul),
    "Div": _plain(torch.div),
    "MatMul": _plain(torch.matmul),
    "LeakyRelu": lambda x, attributes: functional.leaky_relu(x, attributes.get("alpha", 0.01)),
    "Relu": _plain(torch.relu),
    "Sigmoid": _plain(torch.sigmoid),
    "Tanh": _plain(torch.tanh),
    "Exp": _plain(torch.exp),
    "Sin": _plain(torch.sin),
    "Cos": _plain(torch.cos),
    "Clip": _clip,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda x, attributes: x.permute(attributes["perm"]),
    "Slice": _slice,
    "Split": _split,
    "Pad": _pad,
    "Concat": lambda *inputs, attributes: torch.cat(inputs, attributes["axis"]),
    "Gather": _gather,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
}


def _known_slice(x: np.ndarray, starts: Value, ends: Value, axes: Value = None, steps: Value = None, *, attributes: Attributes) -> np.ndarray:
    first = _numbers(starts)
    places = [slice(None)] * x.ndim
    by_axis = zip(_numbers(axes) if axes is not None else range(len(first)), first, _numbers(ends), strict=True)
    for index, (axis, start, end) in enumerate(by_axis):
        places[axis] = slice(start, end, _numbers(steps)[index] if steps is not None else None)
    return x[tuple(places)]


def _known_dequantize(x: np.ndarray, scale: np.ndarray, zero_point: Value = None, *, attributes: Attributes) -> np.ndarray:
    shape: Sequence[int] = [-1 if place == attributes.get("axis", 1) % max(1, x.ndim) else 1 for place in range(x.ndim)] if np.size(scale) > 1 else []
    zero = 0 if zero_point is None else np.asarray(zero_point, np.int32).reshape(shape)
    return ((x.astype(np.int32) - zero) * np.asarray(scale).reshape(shape)).astype(np.float32)


KNOWN: dict[str, Callable[..., Any]] = {
    "Add": _plain(np.add),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "Div": lambda a, b, attributes: a // b if np.issubdtype(a.dtype, np.integer) else a / b,
    "Squeeze": lambda x, axes=None, attributes=None: np.squeeze(x, tuple(_numbers(axes)) if axes is not None else None),
    "Unsqueeze": lambda x, axes, attributes: np.expand_dims(x, tuple(_numbers(axes))),
    "Concat": lambda *inputs, attributes: np.concatenate(inputs, attributes["axis"]),
    "Reshape": lambda x, shape, attributes: np.reshape(x, _numbers(shape)),
    "Transpose": lambda x, attributes: np.transpose(x, attributes["perm"]),
    "Gather": lambda x, index, attributes: np.take(x, index, attributes.get("axis", 0)),
    "Slice": _known_slice,
    "DequantizeLinear": _known_dequantize,
}
