"""Convolutions whose filters are multiplied by a squared Hann window, so that they begin and end in silence (SING, section 3.2)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOWEST, HIGHEST, RATE = 40.0, 7800.0, 16000  # Hz


@torch.no_grad()
def begin_as_sines(layer: nn.Conv1d | nn.ConvTranspose1d, level: float) -> None:
    """Begin with filters that are sines, four phases of each frequency, spread as pitches are heard.

    From random filters D_STFT first falls to silence, where its gradient is zero, and a short training stays there.
    """
    filters = layer.weight.view(-1, layer.weight.shape[2])
    count, kernel = filters.shape
    lowest, highest = (math.log1p(frequency / 700) for frequency in (LOWEST, HIGHEST))
    frequencies = 700 / RATE * torch.expm1(torch.linspace(lowest, highest, -(-count // 4))).repeat_interleave(4)[:count]
    phases = torch.arange(count) % 4 * (math.pi / 2)
    filters.copy_(level * torch.cos(2 * math.pi * frequencies[:, None] * torch.arange(kernel) + phases[:, None]))
    if layer.bias is not None:
        layer.bias.zero_()


def begin_for_relu(*layers: nn.Conv1d) -> None:
    """Begin with weights that keep the size of what passes (He et al. 2015)."""
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class WindowedConv1d(nn.Conv1d):
    """Analysis: frames of a waveform, (B, 1, T) -> (B, C, F)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int):
        super().__init__(inputs, outputs, kernel, stride, padding)
        self.register_buffer("window", torch.hann_window(kernel).square(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight * self.get_buffer("window"), self.bias, self.stride, self.padding)


class WindowedTranspose1d(nn.ConvTranspose1d):
    """Synthesis by overlap-add: (B, C, F) -> (B, 1, (F - 1) stride - 2 padding + kernel)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int):
        super().__init__(inputs, outputs, kernel, stride, padding)
        self.register_buffer("window", torch.hann_window(kernel).square(), persistent=False)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return F.conv_transpose1d(x, self.weight * self.get_buffer("window"), self.bias, self.stride, self.padding)  # type: ignore[arg-type]

    def plain(self) -> nn.ConvTranspose1d:
        """The same as an ordinary layer."""
        layer = nn.ConvTranspose1d(self.in_channels, self.out_channels, self.kernel_size, self.stride, self.padding, bias=self.bias is not None)  # type: ignore[arg-type]
        layer.weight.data = (self.weight * self.get_buffer("window")).detach()
        if self.bias is not None and layer.bias is not None:
            layer.bias.data = self.bias.detach()
        return layer
