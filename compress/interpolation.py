"""Linear interpolation as slices, sums and an interleave: the same numbers, in operators that have integer kernels everywhere.

Multiplying a tensor by a number changes its scale alone, so each output is one integer addition, rounded once. Channels are
last inside: that is how integer convolutions run, and the interleave is then a concatenation.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..vocoders.interpolation import LinearDownsample, LinearUpsample, UpsampledPointwise


class Interleave(nn.Module):
    """Stands for a LinearUpsample: between neighbours a and b lie the outputs (1 - o) a + o b, o = 1/2f, 3/2f, ... of an even factor f,
    o = 0, 1/f, ... of an odd one."""

    def __init__(self, layer: LinearUpsample):
        super().__init__()
        self.factor = layer.factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, f T)."""
        f, length = self.factor, x.shape[-1]
        y = F.pad(x, (1, 1), mode="replicate").transpose(1, 2)
        before, after = y[:, :-1], y[:, 1:]
        if f % 2:
            between = torch.cat([before, *(before * (1 - k / f) + after * (k / f) for k in range(1, f))], 2)
        else:
            between = torch.cat([before * (1 - o) + after * o for o in ((k + 0.5) / f for k in range(f))], 2)
        start = (f + 1) // 2
        return between.reshape(x.shape[0], -1, x.shape[1])[:, start : start + f * length].transpose(1, 2)


class Midpoints(nn.Module):
    """Stands for a LinearDownsample: of every f inputs the one in the middle, or the mean of the two there."""

    def __init__(self, layer: LinearDownsample):
        super().__init__()
        self.factor = layer.factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, f T) -> (B, C, T)."""
        f, middle, end = self.factor, self.factor // 2, x.shape[-1] - self.factor + 1
        if f % 2:
            return x[..., middle : end + middle : f]
        y = x.transpose(1, 2)
        return ((y[:, middle - 1 : end + middle - 1 : f] + y[:, middle : end + middle : f]) * 0.5).transpose(1, 2)


class PointwiseUpsampled(nn.Module):
    """Stands for an UpsampledPointwise: the convolution first, on `factor` times fewer samples.

    The weights of an interpolation sum to one, so it commutes with a convolution of width 1 and its bias.
    """

    def __init__(self, layer: UpsampledPointwise):
        super().__init__()
        self.upsample, self.convolution = layer.upsample, layer.convolution

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C', f T)."""
        return self.upsample(self.convolution(x))


LOWERED: dict[type[nn.Module], type[nn.Module]] = {LinearUpsample: Interleave, LinearDownsample: Midpoints, UpsampledPointwise: PointwiseUpsampled}
