"""HiFi-GAN (Kong et al. 2020) as configured by Douwes 2023: mel (B, 80, F) -> waveform (B, 1, 256 F)."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from ..runtime.mel import FrontEnd
from .family import Family
from .forms import AT_THE_FRAME_RATE, LAST_SUM, nth
from .objectives import SpectralObjective
from .plan import TrainingPlan

if TYPE_CHECKING:
    from .adversarial import Adversary

SLOPE = 0.1
FINAL_SLOPE = 0.01  # the original's last LeakyReLU falls back to torch's default


@dataclass(frozen=True)
class HiFiGANConfig:
    """`block` 1 pairs each dilated convolution with an undilated one (ResBlock1), 2 does not (ResBlock2). `slope`: of every LeakyReLU but the last."""

    channels: int = 128
    block: int = 1
    upsample_rates: tuple[int, ...] = (8, 8, 2, 2)
    upsample_kernels: tuple[int, ...] = (16, 16, 4, 4)
    residual_kernels: tuple[int, ...] = (3, 7, 11)
    dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    n_mels: int = 80
    slope: float = SLOPE

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return math.prod(self.upsample_rates)


# Named as in Table 8 of the thesis: S is the original's V2, M its V3, L its V1.
SIZES = {
    "S": HiFiGANConfig(),
    "M": HiFiGANConfig(256, 2, (8, 8, 4), (16, 16, 8), (3, 5, 7), ((1, 2), (2, 6), (3, 12))),
    "L": HiFiGANConfig(512),
}


def _conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Module:
    return weight_norm(nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2))


class ResidualBlock(nn.Module):
    """One kernel size, several dilations: (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], paired: bool, slope: float = SLOPE):
        super().__init__()
        self.slope = slope
        self.dilated = nn.ModuleList(_conv(channels, channels, kernel, d) for d in dilations)
        self.undilated = nn.ModuleList(_conv(channels, channels, kernel) for _ in dilations) if paired else None

    def forward(self, x: Tensor) -> Tensor:
        for i, dilated in enumerate(self.dilated):
            y = dilated(F.leaky_relu(x, self.slope))
            if self.undilated is not None:
                y = self.undilated[i](F.leaky_relu(y, self.slope))
            x = x + y
        return x


class Stage(nn.Module):
    """LeakyReLU, transposed conv, mean of the residual blocks: (B, C, T) -> (B, C / 2, rate T)."""

    def __init__(self, channels: int, rate: int, kernel: int, config: HiFiGANConfig):
        super().__init__()
        self.slope, odd = config.slope, (kernel - rate) % 2  # an odd difference: one sample more at the end, so that frames stay whole
        upsample = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate + odd) // 2, output_padding=odd)
        self.upsample = weight_norm(upsample, dim=0)
        self.blocks = nn.ModuleList(
            ResidualBlock(channels // 2, k, d, config.block == 1, config.slope) for k, d in zip(config.residual_kernels, config.dilations, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.upsample(F.leaky_relu(x, self.slope))
        total = self.blocks[0](x)
        for block in self.blocks[1:]:
            total = total + block(x)
        return total / len(self.blocks)


class HiFiGAN(nn.Module):
    """The generator. Weight norm on every convolution."""

    def __init__(self, config: HiFiGANConfig):
        super().__init__()
        self.config = config
        self.stem = _conv(config.n_mels, config.channels, 7)
        self.stages = nn.ModuleList(
            Stage(config.channels // 2**i, rate, kernel, config)
            for i, (rate, kernel) in enumerate(zip(config.upsample_rates, config.upsample_kernels, strict=True))
        )
        self.head = _conv(config.channels // 2 ** len(config.upsample_rates), 1, 7)

    def forward(self, mel: Tensor) -> Tensor:
        """mel: float32 (B, n_mels, F) -> waveform: float32 (B, 1, F * prod(upsample_rates)) in [-1, 1]."""
        x = self.stem(mel)
        for stage in self.stages:
            x = stage(x)
        return torch.tanh(self.head(F.leaky_relu(x, FINAL_SLOPE)))


def _inputs(config: HiFiGANConfig, frames: int) -> tuple[Tensor, ...]:
    return (torch.zeros(1, config.n_mels, frames),)


def _adversary(config: HiFiGANConfig, front_end: FrontEnd) -> "Adversary":
    from .adversarial import HiFiGANAdversary

    return HiFiGANAdversary(front_end.sample_rate)


def _wide(config: HiFiGANConfig) -> dict[str, str]:
    upsampling = ("convolution:conv1d", ":reshape", ":transpose", ":reshape_2", ":slice")
    front = ("input:mel", "stem:conv1d", "stages.0:leaky_relu", *(f"stages.0.upsample{'.' * (i == 0)}{port}" for i, port in enumerate(upsampling)))
    stage, blocks = f"stages.{len(config.upsample_rates) - 1}", range(len(config.dilations))
    ends = [f"{stage}.blocks.{j}:{nth('add', len(config.dilations[j]))}" for j in blocks]
    last = (*ends, *(f"{stage}:{nth('add', j)}" for j in blocks[1:]), f"{stage}:div", ":leaky_relu")
    return dict.fromkeys(front, AT_THE_FRAME_RATE) | dict.fromkeys(last, LAST_SUM)


FAMILY = Family(
    name="hifigan",
    title="HiFi-GAN",
    config=HiFiGANConfig,
    network=HiFiGAN,
    sizes=SIZES,
    inputs=_inputs,
    objective=lambda config, front_end: SpectralObjective(front_end.sample_rate),
    objective_name="spectral",
    sampler=lambda config: {"name": "feed_forward"},
    plan=TrainingPlan(),
    wide=_wide,
    adversary=_adversary,
    adversarial_plan=TrainingPlan(
        batch_size=16, frames=32, learning_rate=2e-4, betas=(0.8, 0.99), optimizer="adamw", schedule="constant", warmup=0, clip=0.0, every=1000
    ),
)
