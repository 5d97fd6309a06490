"""From a trained network to the folded float network: what every recipe starts from. The numbers it computes do not change."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from ..vocoders.folding import fold as fold_weight_norm
from ..vocoders.windowed import WindowedTranspose1d
from .interpolation import LOWERED
from .polyphase import Polyphase


class PointwiseLinear(nn.Module):
    """A linear layer as a convolution of one sample: ONNX Runtime has no integer Gemm with a scale for each output."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.convolution = nn.Conv1d(linear.in_features, linear.out_features, 1, bias=linear.bias is not None)
        self.convolution.weight.data = linear.weight.data.unsqueeze(-1)
        if self.convolution.bias is not None:
            self.convolution.bias.data = linear.bias.data

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) -> (B, C')."""
        return self.convolution(x.unsqueeze(-1)).squeeze(-1)


REPLACEMENTS: Mapping[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.ConvTranspose1d: Polyphase,
    nn.ConvTranspose2d: Polyphase,
    WindowedTranspose1d: lambda layer: Polyphase(layer.plain()),
    nn.Linear: PointwiseLinear,
    **LOWERED,
}


def fold(network: nn.Module) -> nn.Module:
    """The network, changed in place: no weight norm, transposed convolutions in polyphase form, their windows in their filters, linear layers
    pointwise, interpolations as sums."""
    fold_weight_norm(network)
    for path, module in list(network.named_modules()):
        replacement = REPLACEMENTS.get(type(module))
        if replacement is not None:
            parent, _, name = path.rpartition(".")
            setattr(network.get_submodule(parent), name, replacement(module))
    return network.eval()
