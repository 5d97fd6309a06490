"""Convolutions of quantized graphs in integers: the inputs laid out (im2col) for torch's product of int8 matrices, which is cuBLASLt's on a GPU.

torch has no integer convolution there. The product is exact; what is requantized behind it is so in float, as ONNX Runtime does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

KIND = "IntegerConvolution"
MULTIPLE = 8  # of both sides of the weights, for cuBLASLt
LEAST_ROWS = 17  # of the inputs, for the same


@dataclass(frozen=True)
class Node:
    """One operator: names of its inputs ("" where one is left out) and outputs."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Weights:
    """A quantized weight before it was folded to floats. integers: int8 (C_out, C_in, kernel); scales: (C_out,) or one."""

    integers: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, node: Node, known: Mapping[str, np.ndarray]) -> "Weights | None":
        """Of a DequantizeLinear of constants; None where it is none of a convolution's weights, or has zero points."""
        integers, scales, zeros = (known.get(name) for name in (*node.inputs, "")[:3])
        if integers is None or scales is None or integers.dtype != np.int8 or integers.ndim != 3 or (zeros is not None and zeros.any()):
            return None
        if scales.size not in (1, len(integers)) or (scales.size > 1 and node.attributes.get("axis", 1) != 0):
            return None
        return cls(integers, scales.reshape(-1))


def in_integers(nodes: Sequence[Node], known: Mapping[str, np.ndarray], weights: Mapping[str, Weights]) -> tuple[list[Node], dict[str, np.ndarray]]:
    """The nodes with every 1-D convolution of 8-bit data and weights in integers, and the constants of these."""
    makers = {name: node for node in nodes for name in node.outputs}
    found: list[Node] = []
    constants: dict[str, np.ndarray] = {}
    for node in nodes:
        data = makers.get(node.inputs[0]) if node.kind == "Conv" else None
        if data is None or node.inputs[1] not in weights or node.attributes.get("group", 1) != 1 or not _is_8_bit(data, known):
            found.append(node)
            continue
        held, scale, zero = weights[node.inputs[1]], known[data.inputs[1]], known[data.inputs[2]]
        outputs, channels, kernel = held.integers.shape
        packed = np.zeros([-(-size // MULTIPLE) * MULTIPLE for size in (kernel * channels, outputs)], np.int8)
        packed[: kernel * channels, :outputs] = held.integers.transpose(2, 1, 0).reshape(-1, outputs)
        names = [f"{node.outputs[0]}:{part}" for part in ("packed", "factors", "sums")]
        factors = (scale.reshape(-1) * held.scales).astype(np.float32) * np.ones(outputs, np.float32)
        constants |= dict(zip(names, (packed, factors, held.integers.sum((1, 2), dtype=np.int32)), strict=True))
        attributes = {**node.attributes, "kernel": kernel, "zero": int(zero.reshape(-1)[0])}
        found.append(Node(KIND, (data.inputs[0], *names, *node.inputs[2:]), node.outputs, attributes))
    return found, constants


def _is_8_bit(data: Node, known: Mapping[str, np.ndarray]) -> bool:
    if data.kind != "DequantizeLinear" or len(data.inputs) < 3 or not {data.inputs[1], data.inputs[2]} <= known.keys():
        return False
    zero = known[data.inputs[2]]
    return zero.size == 1 and zero.dtype in (np.uint8, np.int8)


def integer_convolution(x: Tensor, packed: Tensor, factors: Tensor, sums: Tensor, bias: Tensor | None = None, *, attributes: Mapping[str, Any]) -> Tensor:
    """x: 8-bit (N, C_in, T) -> float32 (N, C_out, T'). packed: int8 (kernel x C_in, C_out), padded; sums: of each output's weights."""
    zero, kernel = attributes["zero"], attributes["kernel"]
    stride, dilation = attributes.get("strides", [1])[0], attributes.get("dilations", [1])[0]
    if x.dtype == torch.uint8:
        x, zero = (x.to(torch.int16) - 128).to(torch.int8), zero - 128
    laid = functional.pad(x, attributes.get("pads", [0, 0]), value=zero).transpose(1, 2)  # (N, T, C_in)
    length = (laid.shape[1] - (kernel - 1) * dilation - 1) // stride + 1
    taps = [laid[:, tap * dilation : tap * dilation + (length - 1) * stride + 1 : stride] for tap in range(kernel)]
    rows = torch.cat(taps, 2).reshape(len(x) * length, -1)
    rows = functional.pad(rows, (0, packed.shape[0] - rows.shape[1], 0, max(0, LEAST_ROWS - len(rows))))
    product = torch._int_mm(rows, packed)[: len(x) * length, : len(factors)]
    found = (product - zero * sums).float() * factors
    if bias is not None:
        found = found + bias.float()
    return found.reshape(len(x), length, -1).transpose(1, 2)
