"""MelGAN's discriminators (Kumar et al. 2019, section 2.3): the same network on the waveform at three rates."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from .melgan import SLOPE

SCALES = 3
DOWNSAMPLINGS = 4
STRIDE = 4
WIDEST = 1024


class ScaleDiscriminator(nn.Module):
    """Grouped strided convolutions over the waveform: (B, 1, T) -> every layer's feature map, the last of them the score."""

    def __init__(self, channels: int, widest: int = WIDEST):
        super().__init__()
        layers: list[nn.Module] = [weight_norm(nn.Conv1d(1, channels, 15, padding=7, padding_mode="reflect"))]
        for _ in range(DOWNSAMPLINGS):
            inputs, channels = channels, min(channels * STRIDE, widest)
            layers.append(weight_norm(nn.Conv1d(inputs, channels, 10 * STRIDE + 1, STRIDE, padding=5 * STRIDE, groups=inputs // 4)))
        inputs, channels = channels, min(channels * 2, widest)
        layers.append(weight_norm(nn.Conv1d(inputs, channels, 5, padding=2)))
        self.layers = nn.ModuleList(layers)
        self.score = weight_norm(nn.Conv1d(channels, 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        maps, x = [], waveform
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        return [*maps, self.score(x)]


class MelGANDiscriminators(nn.Module):
    """Three scales, halved by average pooling: (B, 1, T) -> for each its feature maps."""

    def __init__(self, channels: int, widest: int = WIDEST):
        super().__init__()
        self.scales = nn.ModuleList(ScaleDiscriminator(channels, widest) for _ in range(SCALES))

    def forward(self, waveform: Tensor) -> list[list[Tensor]]:
        outputs = []
        for scale in self.scales:
            outputs.append(scale(waveform))
            waveform = F.avg_pool1d(waveform, 4, 2, padding=1, count_include_pad=False)
        return outputs
