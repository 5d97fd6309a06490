"""Forms: the callable graphs of a network, with a fixed signature each, that are traced, quantized and exported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Nested = Tensor | list[Tensor]


# Why a tensor gets 16 bits; measured tensor by tensor on the shipped weights (docs/quantization.md).
AT_THE_FRAME_RATE = "at the mel's frame rate 16 bits cost next to nothing, and 8 bits cost more than anywhere else"
LAST_SUM = "the last sum before the waveform: 8 bits are a noise floor in its pauses"


@dataclass(frozen=True)
class Form:
    """One graph of a vocoder. `module` holds the network's own submodules under the paths they have in the network.

    inputs: example tensors by name (a list for an input that is many); axes: for each input, axis -> multiple of the frame count;
    outputs: names; links: input name -> table key of the tensor another form gives out, so that both ends share one scale;
    states: input name -> the output that a later call of this form gets there; both have one scale, and where none is given it is zero;
    grids: table key of a tensor with 16 bits -> the scale that it has, where that is chosen and not measured; least: frames that it needs.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Nested]
    axes: dict[str, dict[int, int]]
    outputs: tuple[str, ...]
    links: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    grids: dict[str, float] = field(default_factory=dict)
    least: int = 4

    @property
    def flat_inputs(self) -> dict[str, Tensor]:
        """Inputs with lists laid out as name_0, name_1, ..."""
        flat: dict[str, Tensor] = {}
        for name, value in self.inputs.items():
            flat.update({name: value} if isinstance(value, Tensor) else {f"{name}_{i}": tensor for i, tensor in enumerate(value)})
        return flat

    def zero_states(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
        """Zeros, float32, for the states that are not among inputs of these shapes."""
        lists = {f"{name}_{i}": name for name, value in self.inputs.items() if isinstance(value, list) for i in range(len(value))}
        batch = frames = 1
        for name, shape in shapes.items():
            batch = shape[0]
            frames = next((shape[axis] // multiple for axis, multiple in self.axes.get(lists.get(name, name), {}).items()), frames)
        zeros = {}
        for name in self.states.keys() - shapes.keys():
            sizes = {0: batch} | {axis: multiple * frames for axis, multiple in self.axes.get(lists.get(name, name), {}).items()}
            zeros[name] = np.zeros([sizes.get(axis, size) for axis, size in enumerate(self.flat_inputs[name].shape)], np.float32)
        return zeros


def feed_forward_forms(network: nn.Module, config: Any, frames: int = 24) -> list[Form]:
    """The one form of a network that maps mel (1, n_mels, F) to waveform (1, 1, hop_length * F)."""
    return [Form("network", network, {"mel": torch.rand(1, config.n_mels, frames)}, {"mel": {2: 1}}, ("waveform",))]


def nth(operator: str, count: int) -> str:
    """How a scale table calls the last of `count` equal operators of a module."""
    return operator if count == 1 else f"{operator}_{count}"


def width_of(layer: nn.Module) -> int:
    """Output channels of a layer as it is: of a pruned one fewer than its configuration has."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight.shape[0]
