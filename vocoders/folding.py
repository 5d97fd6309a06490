"""Weight norm: folding it into plain weights, and putting plain weights under it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

State = dict[str, Tensor]


def fold(network: nn.Module) -> nn.Module:
    """Replace every parametrized weight by its value, in place; the network computes what it computed. Gives the network back."""
    for module in network.modules():
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return network


def is_folded(state: State) -> bool:
    """Whether a state dict holds plain weights only."""
    return not any("parametrizations." in key for key in state)


@torch.no_grad()
def load_folded(network: nn.Module, state: State) -> None:
    """Put plain weights into a network that may have weight norm: g = |w| and v = w, so that g v / |v| is w again.

    A channel of zeros (pruned) has no direction: it gets v = 1 and g = 0.
    """
    plain = {}
    for key, value in state.items():
        path, _, name = key.rpartition(".")
        module = network.get_submodule(path)
        if not parametrize.is_parametrized(module, name):
            plain[key] = value
            continue
        original: Any = module.parametrizations[name]  # type: ignore[index]
        norm = torch.linalg.vector_norm(value, dim=tuple(range(1, value.ndim)), keepdim=True)
        original.original0.copy_(norm)
        original.original1.copy_(torch.where(norm > 0, value, torch.ones_like(value)))
    network.load_state_dict(plain, strict=False)
