"""Interpolation by a whole factor, linear between sample centres (torch's `align_corners=False`) or nearest: layers without weights."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Resampling = Literal["linear", "nearest"]


class LinearUpsample(nn.Module):
    """(B, C, T) -> (B, C, factor T); beyond its ends the signal stays as it is."""

    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=self.factor, mode="linear", align_corners=False)


class LinearDownsample(nn.Module):
    """(B, C, factor T) -> (B, C, T): no smoothing, each output lies between its two nearest inputs."""

    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=1 / self.factor, mode="linear", align_corners=False, recompute_scale_factor=False)


class NearestUpsample(nn.Module):
    """(B, C, T) -> (B, C, factor T): each sample as often; in operators that integers pass through."""

    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.unsqueeze(-1)] * self.factor, -1).reshape(x.shape[0], x.shape[1], -1)


class NearestDownsample(nn.Module):
    """(B, C, factor T) -> (B, C, T): the first of every so many samples, as torch's "nearest"."""

    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :: self.factor]


def upsampling(factor: int, resampling: Resampling) -> nn.Module:
    """A layer (B, C, T) -> (B, C, factor T)."""
    return LinearUpsample(factor) if resampling == "linear" else NearestUpsample(factor)


def downsampling(factor: int, resampling: Resampling) -> nn.Module:
    """A layer (B, C, factor T) -> (B, C, T)."""
    return LinearDownsample(factor) if resampling == "linear" else NearestDownsample(factor)


class UpsampledPointwise(nn.Module):
    """A convolution of width 1 on the interpolated signal: (B, C, T) -> (B, C', factor T)."""

    def __init__(self, convolution: nn.Conv1d, factor: int, resampling: Resampling = "linear"):
        super().__init__()
        self.upsample, self.convolution = upsampling(factor, resampling), convolution

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(self.upsample(x))
