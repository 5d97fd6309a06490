"""Transposed convolutions as a convolution and an interleave: the same numbers, and int8 kernels exist for it everywhere.

Output sample q * s + r of a transposed convolution is sum_j w[j s + r] x[q - j]: a convolution of ceil(k / s) taps with one
output channel for each phase r, then the phases interleaved and the padding cropped.
"""

import torch
from torch import Tensor, nn

from ..errors import VcompressError


class Polyphase(nn.Module):
    """Stands for a ConvTranspose1d, or for a ConvTranspose2d whose stride is 1 in height."""

    def __init__(self, transposed: nn.ConvTranspose1d | nn.ConvTranspose2d):
        super().__init__()
        self.flat = isinstance(transposed, nn.ConvTranspose1d)
        weight = transposed.weight.detach()
        if self.flat:
            weight = weight.unsqueeze(2)
        tall = not self.flat and (transposed.stride[0] != 1 or int(transposed.padding[0]) >= transposed.kernel_size[0])
        if transposed.groups != 1 or set(transposed.dilation) != {1} or tall:
            raise VcompressError(f"{transposed} has groups, dilation, or a stride or wide padding in height: it has no polyphase form; replace the layer.")
        inputs, self.channels, height, width = weight.shape
        self.stride, padding, extra = transposed.stride[-1], int(transposed.padding[-1]), transposed.output_padding[-1]
        taps = -(-max(width, width - padding + extra) // self.stride)  # output padding may reach beyond the kernel
        # zero taps up to a multiple of the stride: (in, out, height, tap, phase)
        phases = nn.functional.pad(weight, (0, taps * self.stride - width)).reshape(inputs, self.channels, height, taps, self.stride)
        kernel = phases.flip(2, 3).permute(1, 4, 0, 2, 3).reshape(self.channels * self.stride, inputs, height, taps)
        bias = transposed.bias is not None
        if self.flat:
            self.convolution: nn.Conv1d | nn.Conv2d = nn.Conv1d(inputs, self.channels * self.stride, taps, padding=taps - 1, bias=bias)
        else:
            above = height - 1 - int(transposed.padding[0])
            self.convolution = nn.Conv2d(inputs, self.channels * self.stride, (height, taps), padding=(above, taps - 1), bias=bias)
        with torch.no_grad():
            self.convolution.weight.copy_(kernel.reshape(self.convolution.weight.shape))
            if transposed.bias is not None and self.convolution.bias is not None:
                self.convolution.bias.copy_(transposed.bias.repeat_interleave(self.stride))
        self.crop = padding
        self.shorten = width - 2 * padding + extra - self.stride  # output length = stride * input length + shorten

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F) -> (B, C', s F), or (B, C, H, F) -> (B, C', H, s F) for the 2-D layer."""
        y, length = self.convolution(x), x.shape[-1] * self.stride + self.shorten
        if self.flat:
            y = y.reshape(y.shape[0], self.channels, self.stride, -1).transpose(2, 3).reshape(y.shape[0], self.channels, -1)
        else:
            y = y.reshape(y.shape[0], self.channels, self.stride, y.shape[2], -1).permute(0, 1, 3, 4, 2)
            y = y.reshape(y.shape[0], self.channels, y.shape[2], -1)
        return y[..., self.crop : self.crop + length]
