"""HiFi-GAN's discriminators (Kong et al. 2020, section 2.3): by period (2-D, columns one period apart) and by scale."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from .hifigan import SLOPE

PERIODS = (2, 3, 5, 7, 11)
PERIOD_CHANNELS = (32, 128, 512, 1024, 1024)
SCALE_LAYERS = ((128, 15, 1, 1), (128, 41, 2, 4), (256, 41, 2, 16), (512, 41, 4, 16), (1024, 41, 4, 16), (1024, 41, 1, 16), (1024, 5, 1, 1))
"""Channels, kernel, stride, groups (public code)."""


def _maps(layers: nn.ModuleList, score: nn.Module, x: Tensor) -> list[Tensor]:
    """Every layer's feature map, the last of them the score."""
    maps = []
    for layer in layers:
        x = F.leaky_relu(layer(x), SLOPE)
        maps.append(x)
    return [*maps, score(x)]


class PeriodDiscriminator(nn.Module):
    """The waveform folded into rows of one period: (B, 1, T) -> feature maps (B, C, T / (period 3^i), period)."""

    def __init__(self, period: int, narrower: int = 1):
        super().__init__()
        self.period = period
        channels = [1, *(c // narrower for c in PERIOD_CHANNELS)]
        strides = [3] * (len(PERIOD_CHANNELS) - 1) + [1]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 1), (stride, 1), padding=(2, 0))) for a, b, stride in zip(channels[:-1], channels[1:], strides, strict=True)
        )
        self.score = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        x = F.pad(waveform, (0, -waveform.shape[-1] % self.period), mode="reflect")
        return _maps(self.layers, self.score, x.unflatten(-1, (-1, self.period)))


class ScaleDiscriminator(nn.Module):
    """Grouped strided convolutions over the waveform: (B, 1, T) -> feature maps."""

    def __init__(self, norm: Callable[[nn.Module], nn.Module], narrower: int = 1):
        super().__init__()
        inputs, layers = 1, []
        for channels, kernel, stride, groups in SCALE_LAYERS:
            outputs = channels // narrower
            layers.append(norm(nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=max(1, groups // narrower))))
            inputs = outputs
        self.layers = nn.ModuleList(layers)
        self.score = norm(nn.Conv1d(inputs, 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        return _maps(self.layers, self.score, waveform)


class HiFiGANDiscriminators(nn.Module):
    """Five periods and three scales: (B, 1, T) -> for each its feature maps. `narrower` divides the channels (for tests)."""

    def __init__(self, narrower: int = 1):
        super().__init__()
        self.periods = nn.ModuleList(PeriodDiscriminator(period, narrower) for period in PERIODS)
        self.scales = nn.ModuleList(ScaleDiscriminator(norm, narrower) for norm in (spectral_norm, weight_norm, weight_norm))

    def forward(self, waveform: Tensor) -> list[list[Tensor]]:
        outputs = [period(waveform) for period in self.periods]
        for scale in self.scales:
            outputs.append(scale(waveform))
            waveform = F.avg_pool1d(waveform, 4, 2, padding=2)
        return outputs
