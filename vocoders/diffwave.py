"""DiffWave (Kong et al. 2021) as configured by Douwes 2023: predicts the noise in a waveform, given the step and the mel.

The network is one, its callable forms several: the whole (training), `conditioner` (mel only, once per utterance) and `step`.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.schedule import FAST_BETAS, TRAINING_BETAS, align, step_code
from .family import Family
from .forms import LAST_SUM, Form, Nested, nth, width_of
from .objectives import DenoisingObjective
from .plan import TrainingPlan

EMBEDDING = 128  # sin | cos of the step
HIDDEN = 512


@dataclass(frozen=True)
class DiffWaveConfig:
    """`dilation_cycle`: dilations are 2^(i mod cycle). The upsampler's strides multiply to the hop length."""

    channels: int = 32
    layers: int = 30
    dilation_cycle: int = 10
    upsample_strides: tuple[int, ...] = (16, 16)
    n_mels: int = 80

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return math.prod(self.upsample_strides)


SIZES = {"S": DiffWaveConfig(32), "M": DiffWaveConfig(64), "L": DiffWaveConfig(128)}


def _conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    layer = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel // 2))
    nn.init.kaiming_normal_(layer.weight)
    return layer


class StepEmbedding(nn.Module):
    """Two linear layers with SiLU over the sinusoidal code of a step: (B, 128) -> (B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(EMBEDDING, HIDDEN), nn.Linear(HIDDEN, HIDDEN)

    def forward(self, code: Tensor) -> Tensor:
        x = self.first(code)
        x = self.second(x * torch.sigmoid(x))
        return x * torch.sigmoid(x)


class MelUpsampler(nn.Module):
    """Transposed 2-D convolutions over the mel as an image, LeakyReLU 0.4 after each: (B, 80, F) -> (B, 80, prod(strides) F)."""

    def __init__(self, strides: tuple[int, ...]):
        super().__init__()
        self.convolutions = nn.ModuleList(nn.ConvTranspose2d(1, 1, (3, 2 * s), stride=(1, s), padding=(1, s // 2)) for s in strides)

    def forward(self, mel: Tensor) -> Tensor:
        x = mel.unsqueeze(1)
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), 0.4)
        return x.squeeze(1)


class ResidualLayer(nn.Module):
    """A gated dilated convolution. x: (B, C, T), shift: (B, C, 1), condition: (B, 2C, T) -> next x and skip, both (B, C, T)."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.dilated = _conv(channels, 2 * channels, 3, dilation)
        self.output = _conv(channels, 2 * channels, 1)

    def forward(self, x: Tensor, shift: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        channels = x.shape[1]
        hidden = self.dilated(x + shift) + condition
        gated = self.output(torch.sigmoid(hidden[:, :channels]) * torch.tanh(hidden[:, channels:]))
        return (x + gated[:, :channels]) / math.sqrt(2.0), gated[:, channels:]


class Conditioner(nn.Module):
    """What depends on the mel alone: (B, 80, F) -> for each layer its condition, (B, 2C, hop F)."""

    def __init__(self, config: DiffWaveConfig):
        super().__init__()
        self.upsampler = MelUpsampler(config.upsample_strides)
        self.projections = nn.ModuleList(_conv(config.n_mels, 2 * config.channels, 1) for _ in range(config.layers))

    def forward(self, mel: Tensor) -> list[Tensor]:
        upsampled = self.upsampler(mel)
        return [projection(upsampled) for projection in self.projections]


class StepShifts(nn.Module):
    """What depends on the step alone, constant for a fixed schedule: code (B, 128) -> for each layer its shift, (B, C, 1)."""

    def __init__(self, config: DiffWaveConfig):
        super().__init__()
        self.embedding = StepEmbedding()
        self.projections = nn.ModuleList(nn.Linear(HIDDEN, config.channels) for _ in range(config.layers))

    def forward(self, code: Tensor) -> list[Tensor]:
        hidden = self.embedding(code)
        return [projection(hidden).unsqueeze(-1) for projection in self.projections]


class Denoiser(nn.Module):
    """The residual stack: audio (B, 1, T), shifts and conditions of each layer -> predicted noise (B, 1, T)."""

    def __init__(self, config: DiffWaveConfig):
        super().__init__()
        c = config.channels
        self.input = _conv(1, c, 1)
        self.layers = nn.ModuleList(ResidualLayer(c, 2 ** (i % config.dilation_cycle)) for i in range(config.layers))
        self.skip, self.output = _conv(c, c, 1), _conv(c, 1, 1)
        nn.init.zeros_(self.output.weight)

    def forward(self, audio: Tensor, shifts: Sequence[Tensor], conditions: Sequence[Tensor]) -> Tensor:
        x, skips = F.relu(self.input(audio)), []
        for layer, shift, condition in zip(self.layers, shifts, conditions, strict=True):
            x, skip = layer(x, shift, condition)
            skips.append(skip)
        return self.output(F.relu(self.skip(pairwise_sum(skips) / math.sqrt(len(self.layers)))))


def pairwise_sum(terms: list[Tensor]) -> Tensor:
    """A sum in pairs of pairs: in 8 bits each term is rounded five times instead of thirty, which is 8 dB less noise for nothing."""
    while len(terms) > 1:
        terms = [terms[i] + terms[i + 1] if i + 1 < len(terms) else terms[i] for i in range(0, len(terms), 2)]
    return terms[0]


class DiffWave(nn.Module):
    """The whole network, as trained. `code` is the sinusoidal code of the step, from `runtime.schedule.step_code`."""

    def __init__(self, config: DiffWaveConfig):
        super().__init__()
        self.config = config
        self.conditioner, self.shifts, self.denoiser = Conditioner(config), StepShifts(config), Denoiser(config)

    def forward(self, audio: Tensor, code: Tensor, mel: Tensor) -> Tensor:
        """audio: float32 (B, 1, hop F), code: float32 (B, 128), mel: float32 (B, 80, F) -> noise: float32 (B, 1, hop F)."""
        return self.denoiser(audio, self.shifts(code), self.conditioner(mel))


class ConditionerForm(nn.Module):
    """What is computed once for an utterance."""

    def __init__(self, network: DiffWave):
        super().__init__()
        self.conditioner = network.conditioner

    def forward(self, mel: Tensor) -> list[Tensor]:
        return self.conditioner(mel)


class StepForm(nn.Module):
    """What is computed at every step. `step` is what the network's shifts take: a code, or the index of a folded schedule."""

    def __init__(self, network: DiffWave):
        super().__init__()
        self.shifts, self.denoiser = network.shifts, network.denoiser

    def forward(self, audio: Tensor, step: Tensor, conditions: list[Tensor]) -> Tensor:
        return self.denoiser(audio, self.shifts(step), conditions)


class ConstantShifts(nn.Module):
    """The shifts of a fixed schedule, in place of `StepShifts`: step index int64 (1,) -> for each layer its shift, (1, C, 1)."""

    def __init__(self, shifts: StepShifts, steps: Sequence[float]):
        super().__init__()
        with torch.no_grad():
            rows = torch.stack(shifts(torch.from_numpy(step_code(np.asarray(steps)))))
        self.register_buffer("constants", rows.squeeze(-1))  # (layers, steps, C)

    def forward(self, step: Tensor) -> list[Tensor]:
        return [rows.index_select(0, step).unsqueeze(-1) for rows in self.get_buffer("constants").unbind()]


def fold_schedule(network: nn.Module, sampler: Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """The network and sampler settings with everything that the schedule fixes as constants."""
    assert isinstance(network, DiffWave)
    folded = copy.deepcopy(network)
    folded.shifts = ConstantShifts(network.shifts, sampler["steps"])  # type: ignore[assignment, arg-type]
    return folded, {**sampler, "folded": True}


def diffwave_forms(network: nn.Module, config: DiffWaveConfig, frames: int = 8) -> list[Form]:
    """`conditioner` and `step`; the conditions have one scale at both ends."""
    assert isinstance(network, DiffWave)
    names = [f"condition_{i}" for i in range(config.layers)]
    mel, audio = torch.rand(1, config.n_mels, frames), torch.randn(1, 1, frames * config.hop_length)
    conditions = [torch.rand(1, width_of(layer), frames * config.hop_length) for layer in network.conditioner.projections]
    step: dict[str, Nested] = {"code": torch.rand(1, EMBEDDING)} if isinstance(network.shifts, StepShifts) else {"step": torch.tensor([1])}
    links = {name: f"conditioner.projections.{i}:conv1d" for i, name in enumerate(names)}
    inputs: dict[str, Nested] = {"audio": audio, **step, "condition": conditions}
    return [
        Form("conditioner", ConditionerForm(network), {"mel": mel}, {"mel": {2: 1}}, tuple(names)),
        Form("step", StepForm(network), inputs, {"audio": {2: config.hop_length}, "condition": {2: config.hop_length}}, ("noise",), links),
    ]


def _inputs(config: DiffWaveConfig, frames: int) -> tuple[Tensor, ...]:
    return torch.zeros(1, 1, frames * config.hop_length), torch.zeros(1, EMBEDDING), torch.zeros(1, config.n_mels, frames)


def _schedule_settings(betas: Sequence[float]) -> dict[str, Any]:
    schedule = align(tuple(betas))
    return {"betas": list(schedule.betas), "steps": list(schedule.steps)}


def _wide(config: DiffWaveConfig) -> dict[str, str]:
    total = (f"denoiser:{nth('add', config.layers - 1)}", "denoiser:div") if config.layers > 1 else ()  # one layer: nothing to sum
    return dict.fromkeys((*total, "denoiser.skip:conv1d", "denoiser:relu_2"), LAST_SUM)


FAMILY = Family(
    name="diffwave",
    title="DiffWave",
    config=DiffWaveConfig,
    network=DiffWave,
    sizes=SIZES,
    inputs=_inputs,
    objective=lambda config, front_end: DenoisingObjective(),
    objective_name="denoising",
    sampler=lambda config: {"name": "diffusion", **_schedule_settings(FAST_BETAS), "noise": True, "folded": False},
    plan=TrainingPlan(batch_size=8, frames=16, every=100),
    forms=diffwave_forms,
    compose=lambda config, graphs: lambda audio, code, mel: graphs["step"](audio, code, graphs["conditioner"](mel)),
    floats=lambda config: {
        "denoiser.input": "its input is the waveform, which 8 bits would cover with noise of its own",
        "denoiser.output": "an 8-bit waveform alone is 40 to 50 dB of noise",
    },
    wide=_wide,
    fold_schedule=fold_schedule,
    schedules={len(FAST_BETAS): FAST_BETAS, len(TRAINING_BETAS): TRAINING_BETAS},
    schedule_settings=_schedule_settings,
)
