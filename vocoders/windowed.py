"""Convolutions whose filters are multiplied by a squared Hann window, so that they begin and end in silence (SING, section 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
