"""MelGAN (Kumar et al. 2019) as configured by Douwes 2023: mel (B, 80, F) -> waveform (B, 1, 256 F)."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from ..runtime.mel import FrontEnd
from .family import Family
from .forms import AT_THE_FRAME_RATE, LAST_SUM
from .objectives import SpectralObjective
from .plan import TrainingPlan

if TYPE_CHECKING:
    from .adversarial import Adversary

SLOPE = 0.2

Padding = Literal["reflect", "zeros"]


@dataclass(frozen=True)
class MelGANConfig:
    """`padding`: "reflect" (the paper's) or "zeros" (streams and runs in int8 kernels throughout). `block_kernel`: of the dilated
    convolutions, whose dilations are its powers. `slope`: of every LeakyReLU."""

    base_channels: int = 16
    residual_blocks: int = 2
    ratios: tuple[int, ...] = (8, 8, 2, 2)
    n_mels: int = 80
    padding: Padding = "reflect"
    discriminator_channels: int = 16
    block_kernel: int = 3
    slope: float = SLOPE

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return math.prod(self.ratios)


SIZES = {"S": MelGANConfig(16, 2), "M": MelGANConfig(32, 3), "L": MelGANConfig(64, 4, discriminator_channels=32)}


class ResidualBlock(nn.Module):
    """LeakyReLU, dilated conv k3, LeakyReLU, conv k1, plus a conv k1 shortcut: (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, index: int, config: MelGANConfig):
        super().__init__()
        self.slope, kernel, dilation = config.slope, config.block_kernel, config.block_kernel**index
        around = dilation * (kernel - 1) // 2
        self.dilated = weight_norm(nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=around, padding_mode=config.padding))
        self.pointwise = weight_norm(nn.Conv1d(channels, channels, 1))
        self.shortcut = weight_norm(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.dilated(F.leaky_relu(x, self.slope))
        return self.shortcut(x) + self.pointwise(F.leaky_relu(y, self.slope))


class Stage(nn.Module):
    """LeakyReLU, transposed conv (x ratio), residual blocks of dilation 3^j: (B, C, T) -> (B, C / 2, ratio T)."""

    def __init__(self, channels: int, ratio: int, config: MelGANConfig):
        super().__init__()
        self.slope = config.slope
        upsample = nn.ConvTranspose1d(channels, channels // 2, 2 * ratio, ratio, padding=ratio // 2 + ratio % 2, output_padding=ratio % 2)
        self.upsample = weight_norm(upsample, dim=0)
        self.blocks = nn.ModuleList(ResidualBlock(channels // 2, j, config) for j in range(config.residual_blocks))

    def forward(self, x: Tensor) -> Tensor:
        x = self.upsample(F.leaky_relu(x, self.slope))
        for block in self.blocks:
            x = block(x)
        return x


class MelGAN(nn.Module):
    """The generator. Weight norm on every convolution."""

    def __init__(self, config: MelGANConfig):
        super().__init__()
        self.config = config
        channels = config.base_channels * 2 ** len(config.ratios)
        self.stem = weight_norm(nn.Conv1d(config.n_mels, channels, 7, padding=3, padding_mode=config.padding))
        self.stages = nn.ModuleList(Stage(channels // 2**i, ratio, config) for i, ratio in enumerate(config.ratios))
        self.head = weight_norm(nn.Conv1d(config.base_channels, 1, 7, padding=3, padding_mode=config.padding))

    def forward(self, mel: Tensor) -> Tensor:
        """mel: float32 (B, n_mels, F) -> waveform: float32 (B, 1, F * prod(ratios)) in [-1, 1]."""
        x = self.stem(mel)
        for stage in self.stages:
            x = stage(x)
        return torch.tanh(self.head(F.leaky_relu(x, self.config.slope)))


def _inputs(config: MelGANConfig, frames: int) -> tuple[Tensor, ...]:
    return (torch.zeros(1, config.n_mels, frames),)


def _adversary(config: MelGANConfig, front_end: FrontEnd) -> "Adversary":
    from .adversarial import MelGANAdversary

    return MelGANAdversary(config.discriminator_channels)


def _wide(config: MelGANConfig) -> dict[str, str]:
    block = f"stages.{len(config.ratios) - 1}.blocks.{config.residual_blocks - 1}"
    last = (f"{block}.shortcut:conv1d", f"{block}.pointwise:conv1d", f"{block}:add", ":leaky_relu", "head:pad")
    return dict.fromkeys(("input:mel", "stem:pad"), AT_THE_FRAME_RATE) | dict.fromkeys(last, LAST_SUM)


FAMILY = Family(
    name="melgan",
    title="MelGAN",
    config=MelGANConfig,
    network=MelGAN,
    sizes=SIZES,
    inputs=_inputs,
    objective=lambda config, front_end: SpectralObjective(front_end.sample_rate),
    objective_name="spectral",
    sampler=lambda config: {"name": "feed_forward"},
    plan=TrainingPlan(),
    wide=_wide,
    adversary=_adversary,
    adversarial_plan=TrainingPlan(
        batch_size=16, frames=32, learning_rate=1e-4, betas=(0.5, 0.9), optimizer="adam", schedule="constant", warmup=0, clip=0.0, every=1000
    ),
)
