"""WaveGrad (Chen et al. 2021) as configured by Douwes 2023: predicts the noise in a waveform, given the noise level and the mel.

A U-Net: a path down takes the noisy waveform to five rates, at each of which it modulates (FiLM) a path up, from the mel to the noise.
The network is one, its callable forms several: the whole (training), `conditioner` (mel only, once per utterance) and `step`.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import VcompressError
from ..runtime.schedule import WAVEGRAD_BETAS, WAVEGRAD_FAST_BETAS, noise_levels
from .family import Family
from .forms import Form, Nested, nth, width_of
from .interpolation import Resampling, UpsampledPointwise, downsampling, upsampling
from .objectives import NoiseLevelObjective
from .plan import TrainingPlan

SLOPE = 0.01
LONGEST, SPREAD = 5000.0, 1e-4  # radians that the positional code turns in one unit of noise level: 5000 x 1 .. 5000 x 1e-4


@dataclass(frozen=True)
class WaveGradConfig:
    """`up`: channels of the mel's first convolution and of each block up; `down`: of the waveform's first and of each block down.

    `ratios` of the blocks up multiply to the hop length; the path down undoes all but the first. `dilation_cycles`: the four
    convolutions of block i have dilations 2^(j mod cycle i).

    Public code bases differ in `slope` of every LeakyReLU, `resampling`, `down_dilations`, the width of a FiLM between its convolutions
    (`film`: that of its "output" or "input"), and the codes' fastest speed `code_speed`, whose slowest is 1e-4 of it or (`code_closed` False) just above.
    """

    up: tuple[int, ...] = (256, 256, 256, 128, 64, 64)
    down: tuple[int, ...] = (32, 64, 64, 128, 256)
    ratios: tuple[int, ...] = (4, 4, 4, 4, 2)
    dilation_cycles: tuple[int, ...] = (4, 4, 4, 2, 2)
    n_mels: int = 80
    slope: float = SLOPE
    resampling: Resampling = "linear"
    down_dilations: tuple[int, ...] = (1, 2, 1)
    film: Literal["output", "input"] = "output"
    code_speed: float = LONGEST
    code_closed: bool = True

    def __post_init__(self) -> None:
        blocks = len(self.ratios)
        if not blocks or (len(self.up), len(self.down), len(self.dilation_cycles)) != (blocks + 1, blocks, blocks):
            raise VcompressError(f"A WaveGrad of {blocks} ratios needs {blocks + 1} widths up, {blocks} down and {blocks} dilation cycles; correct them.")
        if any(width % 2 for width in self.code_widths):  # half of a code is sines, half cosines
            raise VcompressError(f"The codes of a WaveGrad are {list(self.code_widths)} wide; make these widths even.")

    @property
    def code_widths(self) -> tuple[int, ...]:
        """Channels of the noise level's code at each scale, in the order of the path down."""
        return tuple(reversed(self.up[1:])) if self.film == "output" else self.down

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return math.prod(self.ratios)


SIZES = {
    "S": WaveGradConfig(),
    "M": WaveGradConfig((512, 384, 384, 256, 128, 64), (32, 64, 128, 256, 384)),
    "L": WaveGradConfig((768, 512, 512, 256, 128, 128), (32, 128, 128, 256, 512)),
}


def _conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    layer = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel // 2))
    nn.init.orthogonal_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _act(x: Tensor, slope: float) -> Tensor:
    return F.leaky_relu(x, slope)


class Entry(nn.Module):
    """What a block up makes of its input before the noise comes in: (B, C, T) -> main branch and shortcut, both (B, C', ratio T)."""

    def __init__(self, inputs: int, outputs: int, ratio: int, config: WaveGradConfig):
        super().__init__()
        self.slope = config.slope
        self.upsample = upsampling(ratio, config.resampling)
        self.main = _conv(inputs, outputs, 3)
        self.shortcut = UpsampledPointwise(nn.Conv1d(inputs, outputs, 1), ratio, config.resampling)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.main(self.upsample(_act(x, self.slope))), self.shortcut(x)


class UpBlock(nn.Module):
    """Three modulated convolutions: main branch and shortcut of its entry, scale and shift, all (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, dilations: Sequence[int], slope: float):
        super().__init__()
        self.slope = slope
        self.convolutions = nn.ModuleList(_conv(channels, channels, 3, dilation) for dilation in dilations)

    def forward(self, main: Tensor, shortcut: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        first, second, third = self.convolutions
        x = first(_act(scale * main + shift, self.slope)) + shortcut
        y = second(_act(scale * x + shift, self.slope))
        return x + third(_act(scale * y + shift, self.slope))


class DownBlock(nn.Module):
    """Linear downsampling, three convolutions and a shortcut: (B, C, T) -> (B, C', T / ratio)."""

    def __init__(self, inputs: int, outputs: int, ratio: int, config: WaveGradConfig):
        super().__init__()
        self.slope = config.slope
        self.downsample = downsampling(ratio, config.resampling)
        dilations = enumerate(config.down_dilations)
        self.convolutions = nn.ModuleList(_conv(inputs if i == 0 else outputs, outputs, 3, dilation) for i, dilation in dilations)
        self.shortcut = _conv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.downsample(x)
        y = x
        for convolution in self.convolutions:
            y = convolution(_act(y, self.slope))
        return y + self.shortcut(x)


class FiLM(nn.Module):
    """Feature-wise linear modulation: x (B, C, T) and the code of the level (B, C', 1) -> scale and shift, both (B, C', T)."""

    def __init__(self, inputs: int, outputs: int, config: WaveGradConfig):
        super().__init__()
        self.slope, width = config.slope, outputs if config.film == "output" else inputs
        self.input, self.scale, self.shift = _conv(inputs, width, 3), _conv(width, outputs, 3), _conv(width, outputs, 3)

    def forward(self, x: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        x = _act(self.input(x), self.slope) + code
        return self.scale(x), self.shift(x)


class Conditioner(nn.Module):
    """What depends on the mel alone: (B, 80, F) -> main branch and shortcut of the first block up, both (B, C, ratio F)."""

    def __init__(self, config: WaveGradConfig):
        super().__init__()
        self.stem = _conv(config.n_mels, config.up[0], 3)
        self.entry = Entry(config.up[0], config.up[1], config.ratios[0], config)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        return self.entry(self.stem(mel))


class LevelCodes(nn.Module):
    """What depends on the noise level alone, constant for a fixed schedule: level (B, 1) -> for each scale its code, (B, C, 1).

    sin | cos of level * 5000 * 1e-4^linspace(0, 1, C / 2), in the order of the path down (public code).
    """

    def __init__(self, config: WaveGradConfig):
        super().__init__()
        for index, width in enumerate(config.code_widths):
            count = width // 2 + (not config.code_closed)
            speed = torch.logspace(math.log10(config.code_speed), math.log10(config.code_speed * SPREAD), count, dtype=torch.float64)[: width // 2]
            self.register_buffer(f"period_{index}", (1 / speed).float(), persistent=False)

    def forward(self, level: Tensor) -> list[Tensor]:
        # a quotient of tensors, not a product: those the quantizer makes integer, and 8 bits of 5000 radians are noise
        phases = [level / period for period in self.buffers()]
        return [torch.cat([torch.sin(phase), torch.cos(phase)], 1).unsqueeze(-1) for phase in phases]


class Denoiser(nn.Module):
    """The U-Net: audio (B, 1, T), codes of the level, conditions of the mel -> predicted noise (B, 1, T)."""

    def __init__(self, config: WaveGradConfig):
        super().__init__()
        up, down, ratios = config.up, config.down, config.ratios
        self.input = _conv(1, down[0], 5)
        self.downs = nn.ModuleList(DownBlock(*sizes, config) for sizes in zip(down[:-1], down[1:], reversed(ratios[1:]), strict=True))
        self.films = nn.ModuleList(FiLM(*sizes, config) for sizes in zip(down, reversed(up[1:]), strict=True))
        self.entries = nn.ModuleList(Entry(*sizes, config) for sizes in zip(up[1:-1], up[2:], ratios[1:], strict=True))
        dilations = [[2 ** (j % cycle) for j in range(4)] for cycle in config.dilation_cycles]
        self.blocks = nn.ModuleList(UpBlock(width, dilation[1:], config.slope) for width, dilation in zip(up[1:], dilations, strict=True))
        self.output = _conv(up[-1], 1, 3)

    def forward(self, audio: Tensor, codes: Sequence[Tensor], conditions: Sequence[Tensor]) -> Tensor:
        x = self.input(audio)
        modulations = [self.films[0](x, codes[0])]
        for down, film, code in zip(self.downs, self.films[1:], codes[1:], strict=True):
            x = down(x)
            modulations.append(film(x, code))
        main, shortcut = conditions
        for index, block in enumerate(self.blocks):
            x = block(main, shortcut, *modulations.pop())
            if index < len(self.entries):
                main, shortcut = self.entries[index](x)
        return self.output(x)


class WaveGrad(nn.Module):
    """The whole network, as trained. `level`: square root of the part of the variance that is signal, sqrt(alpha bar)."""

    def __init__(self, config: WaveGradConfig):
        super().__init__()
        self.config = config
        self.conditioner, self.codes, self.denoiser = Conditioner(config), LevelCodes(config), Denoiser(config)

    def forward(self, audio: Tensor, level: Tensor, mel: Tensor) -> Tensor:
        """audio: float32 (B, 1, hop F), level: float32 (B, 1), mel: float32 (B, 80, F) -> noise: float32 (B, 1, hop F)."""
        return self.denoiser(audio, self.codes(level), self.conditioner(mel))


class ConditionerForm(nn.Module):
    """What is computed once for an utterance."""

    def __init__(self, network: WaveGrad):
        super().__init__()
        self.conditioner = network.conditioner

    def forward(self, mel: Tensor) -> list[Tensor]:
        return list(self.conditioner(mel))


class StepForm(nn.Module):
    """What is computed at every step. `step` is what the network's codes take: a level, or the index of a folded schedule."""

    def __init__(self, network: WaveGrad):
        super().__init__()
        self.codes, self.denoiser = network.codes, network.denoiser

    def forward(self, audio: Tensor, step: Tensor, conditions: list[Tensor]) -> Tensor:
        return self.denoiser(audio, self.codes(step), conditions)


class ConstantCodes(nn.Module):
    """The codes of a fixed schedule, in place of `LevelCodes`: step index int64 (1,) -> for each scale its code, (1, C, 1)."""

    def __init__(self, codes: LevelCodes, betas: Sequence[float]):
        super().__init__()
        levels = torch.from_numpy(noise_levels(betas).astype(np.float32))[:, None]
        for index, code in enumerate(codes(levels)):
            self.register_buffer(f"constant_{index}", code.squeeze(-1))  # (steps, C)

    def forward(self, step: Tensor) -> list[Tensor]:
        return [rows.index_select(0, step).unsqueeze(-1) for rows in self.buffers()]


def fold_schedule(network: nn.Module, sampler: Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """The network and sampler settings with everything that the schedule fixes as constants."""
    assert isinstance(network, WaveGrad)
    folded = copy.deepcopy(network)
    folded.codes = ConstantCodes(network.codes, sampler["betas"])  # type: ignore[assignment]
    return folded, {**sampler, "folded": True}


def wavegrad_forms(network: nn.Module, config: WaveGradConfig, frames: int = 8) -> list[Form]:
    """`conditioner` and `step`; the conditions have one scale at both ends."""
    assert isinstance(network, WaveGrad)
    names = tuple(f"condition_{i}" for i in range(2))
    mel, audio = torch.rand(1, config.n_mels, frames), torch.randn(1, 1, frames * config.hop_length)
    conditions = [torch.randn(1, width_of(network.conditioner.entry.main), frames * config.ratios[0]) for _ in names]
    step: dict[str, Nested] = {"level": torch.tensor([[0.9]])} if isinstance(network.codes, LevelCodes) else {"step": torch.tensor([1])}
    entry = "conditioner.entry"
    last = "transpose_2" if config.resampling == "linear" else "reshape"
    links = dict(zip(names, (f"{entry}.main:conv1d", f"{entry}.shortcut.upsample:{last}"), strict=True))
    inputs: dict[str, Nested] = {"audio": audio, **step, "condition": conditions}
    axes = {"audio": {2: config.hop_length}, "condition": {2: config.ratios[0]}}
    return [
        Form("conditioner", ConditionerForm(network), {"mel": mel}, {"mel": {2: 1}}, names),
        Form("step", StepForm(network), inputs, axes, ("noise",), links),
    ]


def _inputs(config: WaveGradConfig, frames: int) -> tuple[Tensor, ...]:
    return torch.zeros(1, 1, frames * config.hop_length), torch.full((1, 1), 0.9), torch.zeros(1, config.n_mels, frames)


# Measured on S weights of 3562 steps, two clips of half a second: these three alone 19.2 dB below the signal, everything else without them 18.7.
_RARE_PEAKS = "its rare peaks steer the whole utterance, and this close to the mel's frame rate 16 bits cost 2 % of the multiplications"


def _wide(config: WaveGradConfig) -> dict[str, str]:
    return {f"denoiser.blocks.0:{nth('leaky_relu', i)}": _RARE_PEAKS for i in (1, 2, 3)}


FAMILY = Family(
    name="wavegrad",
    title="WaveGrad",
    config=WaveGradConfig,
    network=WaveGrad,
    sizes=SIZES,
    inputs=_inputs,
    objective=lambda config, front_end: NoiseLevelObjective(),
    objective_name="denoising",
    sampler=lambda config: {"name": "noise_level", "betas": list(WAVEGRAD_FAST_BETAS), "noise": True, "folded": False},
    plan=TrainingPlan(batch_size=8, frames=16, every=100),
    forms=wavegrad_forms,
    compose=lambda config, graphs: lambda audio, level, mel: graphs["step"](audio, level, graphs["conditioner"](mel)),
    floats=lambda config: {
        "denoiser.input": "its input is the waveform, which 8 bits would cover with noise of its own",
        "denoiser.output": "an 8-bit waveform alone is 40 to 50 dB of noise",
    },
    wide=_wide,
    fold_schedule=fold_schedule,
    paper_calls=len(WAVEGRAD_BETAS),
    schedules={len(WAVEGRAD_FAST_BETAS): WAVEGRAD_FAST_BETAS, len(WAVEGRAD_BETAS): WAVEGRAD_BETAS},
    schedule_settings=lambda betas: {"betas": list(betas)},
)
