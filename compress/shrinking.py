"""A network with channels gone: layers get the shapes that its weights have, so that a state dict alone says what is there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from .channels import Slot
from .polyphase import Polyphase
from .quantizer import WEIGHTED_MODULES


def without(network: nn.Module, gone: Iterable[Slot]) -> dict[str, Tensor]:
    """The state of a folded network without some slots: whole groups, as `channels.tied_channels` finds them."""
    state = {key: value.detach().clone() for key, value in network.state_dict().items()}
    by_layer: dict[tuple[str, int], set[int]] = defaultdict(set)
    for path, side, channel in gone:
        by_layer[path, 1 if side == "in" else 0].add(channel)  # a depthwise layer has one input channel for each filter
    for (path, dimension), channels in by_layer.items():
        weight = state[f"{path}.weight"]
        kept = torch.tensor([channel for channel in range(weight.shape[dimension]) if channel not in channels])
        state[f"{path}.weight"] = weight.index_select(dimension, kept)
        if dimension == 0 and f"{path}.bias" in state:
            state[f"{path}.bias"] = state[f"{path}.bias"].index_select(0, kept)
    return state


def fit(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """The folded network with its layers narrowed, in place, to the shapes of a state, whose weights it gets.

    Raises ValueError or RuntimeError where a layer would be no narrower layer of its kind.
    """
    for path, layer in network.named_modules():
        if isinstance(layer, WEIGHTED_MODULES) and isinstance(layer.weight, nn.Parameter):
            _narrow(layer, tuple(state[f"{path}.weight"].shape))
    for layer in network.modules():
        if isinstance(layer, Polyphase):
            layer.channels, rest = divmod(layer.convolution.out_channels, layer.stride)
            if rest:
                raise ValueError("a channel lacks some of its phases")
    network.load_state_dict(dict(state))
    return network


def _narrow(layer: nn.Module, shape: tuple[int, ...]) -> None:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    if weight.shape == shape:
        return
    if (
        not isinstance(layer, nn.Conv1d | nn.Conv2d)
        or len(shape) != weight.ndim
        or shape[2:] != weight.shape[2:]
        or not all(0 < new <= old for new, old in zip(shape, weight.shape, strict=True))
    ):
        raise ValueError(f"{list(shape)} is no narrower {list(weight.shape)}")
    if layer.groups > 1 and layer.groups != layer.out_channels:
        raise ValueError("channels in groups are not depthwise")
    layer.groups = shape[0] if layer.groups > 1 else 1
    layer.out_channels, layer.in_channels = shape[0], shape[1] * layer.groups
    layer.weight = nn.Parameter(weight.new_empty(shape))
    if layer.bias is not None:
        layer.bias = nn.Parameter(weight.new_empty(shape[0]))
