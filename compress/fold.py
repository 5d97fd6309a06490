"""From a trained network to the folded float network: what every recipe starts from. The numbers it computes do not change."""

import copy

from torch import nn
from torch.nn.utils import parametrize

from .polyphase import Polyphase


def fold(network: nn.Module) -> nn.Module:
    """A copy without weight norm and with every transposed convolution in polyphase form."""
    folded = copy.deepcopy(network)
    for module in list(folded.modules()):
        if parametrize.is_parametrized(module, "weight"):
            _unparametrize(module)
    for path, module in list(folded.named_modules()):
        if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d):
            parent, _, name = path.rpartition(".")
            setattr(folded.get_submodule(parent), name, Polyphase(module))
    return folded.eval()


def _unparametrize(module: nn.Module) -> None:
    """What `remove_parametrizations` does, without changing the class that a copy shares with its original."""
    weight = module.weight.detach().clone()  # type: ignore[operator]
    module.__class__ = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    module.register_parameter("weight", nn.Parameter(weight))
