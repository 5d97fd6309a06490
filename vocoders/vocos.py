"""A vocoder at the mel's frame rate with an inverse STFT behind it, after Vocos (Siuzdak 2023), in operators that have integer kernels.

mel (B, 80, F) -> spectrum, as log magnitudes (B, n_fft / 2 + 1, F) and directions (B, n_fft + 2, F) -> waveform (B, 1, 256 F).
As Vocos: ConvNeXt blocks of one width, no upsampling, an exponential for the magnitude. Unlike it: ReLU for GELU, weight norm
for LayerNorm, and a direction in the plane for the angle of the phase, which trains better and spares sine and cosine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from ..runtime.mel import FrontEnd
from .family import Family
from .forms import AT_THE_FRAME_RATE, Form
from .istft import inverse_stft
from .objectives import Network, SpectralObjective
from .plan import TrainingPlan

if TYPE_CHECKING:
    from .adversarial import Adversary

HOP_LENGTH = 256
SPECTRUM = "its sum has 32 bits, and rounding it to 8 before the inverse STFT would be 1 dB of noise for nothing"
QUIET = -1.0  # log magnitude at the start of a training


@dataclass(frozen=True)
class VocosConfig:
    """`hidden` channels between the two pointwise layers of a block; `stem` and `kernel` are widths of convolutions in frames.

    `causal`: frame t of the spectrum depends on no later frame of the mel, so that a mel can be vocoded as it comes: frame t completes the
    samples before hop_length (t + 1) - n_fft / 2. That is a latency of n_fft / 2 samples, 16 ms in nano; the front end adds the half window, 64 ms,
    that it looks beyond a frame's centre.
    """

    channels: int = 192
    hidden: int = 576
    layers: int = 5
    stem: int = 7
    kernel: int = 7
    n_fft: int = 1024
    causal: bool = False
    n_mels: int = 80

    @property
    def bins(self) -> int:
        """Bins of the spectrum."""
        return self.n_fft // 2 + 1

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return HOP_LENGTH


SIZES = {
    "nano": VocosConfig(48, 72, 6, stem=1, n_fft=512, causal=True),
    "S": VocosConfig(stem=3),
    "M": VocosConfig(320, 960, 6),
    "L": VocosConfig(512, 1536, 8),
}


class FrameConv(nn.Module):
    """Weight-normed convolution over frames, padded with zeros: (B, C, F) -> (B, C', F)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, causal: bool, groups: int = 1):
        super().__init__()
        self.convolution = weight_norm(nn.Conv1d(inputs, outputs, kernel, padding=kernel - 1 if causal else kernel // 2, groups=groups))
        self.causal = causal and kernel > 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(x)
        return y[..., : x.shape[-1]] if self.causal else y


class Block(nn.Module):
    """Depthwise conv, pointwise conv, ReLU, pointwise conv, plus the input: (B, C, F) -> (B, C, F)."""

    def __init__(self, config: VocosConfig):
        super().__init__()
        self.depthwise = FrameConv(config.channels, config.channels, config.kernel, config.causal, groups=config.channels)
        self.expand = weight_norm(nn.Conv1d(config.channels, config.hidden, 1))
        project = nn.Conv1d(config.hidden, config.channels, 1)
        nn.init.normal_(project.weight, std=(3 * config.hidden) ** -0.5 / config.layers)  # all blocks together add as much as one layer
        self.project = weight_norm(project)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(F.relu(self.expand(self.depthwise(x))))


class Spectrum(nn.Module):
    """What is quantized and shipped: the network without its inverse STFT."""

    def __init__(self, stem: nn.Module, blocks: nn.ModuleList, log_magnitude: nn.Module, direction: nn.Module):
        super().__init__()
        self.stem, self.blocks, self.log_magnitude, self.direction = stem, blocks, log_magnitude, direction

    def forward(self, mel: Tensor) -> list[Tensor]:
        """mel: float32 (B, n_mels, F) -> log magnitudes: float32 (B, n_fft / 2 + 1, F), directions: float32 (B, n_fft + 2, F)."""
        x = self.stem(mel)
        for block in self.blocks:
            x = block(x)
        return [self.log_magnitude(x), self.direction(x)]


class Vocos(Spectrum):
    """The whole network, as trained. Weight norm on every convolution."""

    def __init__(self, config: VocosConfig):
        log_magnitude, direction = nn.Conv1d(config.channels, config.bins, 1), nn.Conv1d(config.channels, 2 * config.bins, 1)
        nn.init.constant_(log_magnitude.bias, QUIET)  # type: ignore[arg-type]
        super().__init__(
            FrameConv(config.n_mels, config.channels, config.stem, config.causal),
            nn.ModuleList(Block(config) for _ in range(config.layers)),
            weight_norm(log_magnitude),
            weight_norm(direction),
        )
        self.config = config

    def forward(self, mel: Tensor) -> Tensor:  # type: ignore[override]
        """mel: float32 (B, n_mels, F) -> waveform: float32 (B, 1, hop_length F)."""
        log_magnitude, direction = super().forward(mel)
        return inverse_stft(log_magnitude, direction, self.config.hop_length)


def vocos_forms(network: nn.Module, config: VocosConfig, frames: int = 24) -> list[Form]:
    """The one form: mel (1, n_mels, F) -> log_magnitude (1, n_fft / 2 + 1, F), direction (1, n_fft + 2, F)."""
    assert isinstance(network, Spectrum)
    spectrum = Spectrum(network.stem, network.blocks, network.log_magnitude, network.direction)
    return [Form("network", spectrum, {"mel": torch.rand(1, config.n_mels, frames)}, {"mel": {2: 1}}, ("log_magnitude", "direction"))]


def _compose(config: VocosConfig, graphs: Mapping[str, Callable[..., Any]]) -> Network:
    def network(mel: Tensor) -> Tensor:
        log_magnitude, direction = graphs["network"](mel)
        return inverse_stft(log_magnitude, direction, HOP_LENGTH)

    return network


def _inputs(config: VocosConfig, frames: int) -> tuple[Tensor, ...]:
    return (torch.zeros(1, config.n_mels, frames),)


def _adversary(config: VocosConfig, front_end: FrontEnd) -> "Adversary":
    from .adversarial import HiFiGANAdversary

    return HiFiGANAdversary(front_end.sample_rate)


def _wide(config: VocosConfig) -> dict[str, str]:
    mel = {} if config.causal else {"input:mel": AT_THE_FRAME_RATE}  # on a microcontroller every layer reads 8 bits
    return mel | dict.fromkeys(("log_magnitude:conv1d", "direction:conv1d"), SPECTRUM)


FAMILY = Family(
    name="vocos",
    title="Vocos",
    config=VocosConfig,
    network=Vocos,
    sizes=SIZES,
    inputs=_inputs,
    objective=lambda config, front_end: SpectralObjective(front_end.sample_rate),
    objective_name="spectral",
    sampler=lambda config: {"name": "istft"},
    plan=TrainingPlan(batch_size=16, frames=32, learning_rate=2e-3),
    forms=vocos_forms,
    compose=_compose,
    floats=lambda config: {},
    wide=_wide,
    adversary=_adversary,
    adversarial_plan=TrainingPlan(
        batch_size=16, frames=64, learning_rate=5e-4, betas=(0.8, 0.9), optimizer="adamw", schedule="cosine", warmup=0, clip=1.0, every=1000
    ),
)
