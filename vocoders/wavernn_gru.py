"""The WaveRNN of fatchord/WaveRNN: two GRUs with residual sums, and one sample at a time, as a class (RAW) or as a mixture of logistics (MOL).

Another network than `wavernn.py`, and an imported one: it has no sizes of its own. Its batch norms are folded into the convolutions that they follow. What
depends on the mel alone is computed once: the mel upsampled to the sample rate, and at the frame rate what the four parts of its ResNet's output
add to the four layers that read them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import VcompressError
from ..runtime.draws import LOGIT_SCALE
from ..runtime.logistic import LOG_SCALE_STEP, MEAN_STEP, MIXTURES
from .family import Family
from .forms import AT_THE_FRAME_RATE, Form, Nested
from .gru import GRUCell
from .objectives import Network
from .plan import TrainingPlan
from .sample_likelihood import SampleObjective
from .wavernn import DRAWN, GATES, STATE_SCALE

PARTS = ("input", "rnn2", "hidden1", "hidden2")  # layers that read a part of the ResNet's output each
STATES = {"state1": "next1", "state2": "next2"}
SEEN = "the sample before is heard again in the next one, and the mel has few bands: 16 bits of them cost nothing beside the matrices"


@dataclass(frozen=True)
class WaveRNNGRUConfig:
    """`units` of each GRU, `hidden` of the two layers behind them. The ResNet: `blocks` of `channels`, 4 `part` outputs, sees `pad` frames either side.

    `mode`: "RAW", classes of 2^`bits` levels, which with `mu_law` are those of the compressed waveform; or "MOL", a mixture of ten logistics.
    """

    mode: str = "MOL"
    bits: int = 16
    mu_law: bool = False
    units: int = 512
    hidden: int = 512
    channels: int = 128
    blocks: int = 10
    part: int = 32
    pad: int = 2
    upsample_factors: tuple[int, ...] = (5, 5, 11)
    n_mels: int = 80

    def __post_init__(self) -> None:
        if self.mode not in ("RAW", "MOL") or not 1 <= self.bits <= 16:
            raise VcompressError(f"A WaveRNN of two GRUs has the mode RAW with 1 to 16 bits, or MOL, not {self.mode} with {self.bits}; give its configuration.")

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return math.prod(self.upsample_factors)

    @property
    def heads(self) -> dict[str, int]:
        """What a step gives for its draw: name -> channels."""
        return {"logits": 2**self.bits} if self.mode == "RAW" else dict.fromkeys(("logits", "means", "log_scales"), MIXTURES)

    @property
    def parts(self) -> dict[str, int]:
        """Layers that read a part of the ResNet's output -> their rows."""
        return dict(zip(PARTS, (self.units, 3 * self.units, self.hidden, self.hidden), strict=True))


class Block(nn.Module):
    """Two pointwise convolutions and a residual sum: (B, C, F) -> the same."""

    def __init__(self, channels: int):
        super().__init__()
        self.first, self.second = nn.Conv1d(channels, channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class Conditioner(nn.Module):
    """What depends on the mel alone: (B, n_mels, F) -> the mel at the sample rate, (B, n_mels, hop F), and what each frame adds to each of PARTS, (B, rows, F).

    Both see `pad` frames of zeros at either end. A frame that is repeated s times and smoothed by 2s + 1 taps is a transposed convolution of 3s.
    """

    def __init__(self, config: WaveRNNGRUConfig):
        super().__init__()
        self.pad, self.part, self.margin = config.pad, config.part, config.pad * config.hop_length
        self.stem = nn.Conv1d(config.n_mels, config.channels, 2 * config.pad + 1)
        self.blocks = nn.ModuleList(Block(config.channels) for _ in range(config.blocks))
        self.output = nn.Conv1d(config.channels, 4 * config.part, 1)
        self.projections = nn.ModuleDict({name: nn.Conv1d(config.part, rows, 1) for name, rows in config.parts.items()})
        self.upsampler = nn.ModuleList(nn.ConvTranspose2d(1, 1, (1, 3 * s), (1, s), (0, s), bias=False) for s in config.upsample_factors)

    def forward(self, mel: Tensor) -> list[Tensor]:
        padded = F.pad(mel, (self.pad, self.pad))
        x = F.relu(self.stem(padded))
        for block in self.blocks:
            x = block(x)
        x = self.output(x)
        parts = [projection(x[:, i * self.part : (i + 1) * self.part]) for i, projection in enumerate(self.projections.values())]
        image = padded.unsqueeze(1)
        for layer in self.upsampler:
            image = layer(image)
        return [image.squeeze(1)[:, :, self.margin : -self.margin], *parts]


class Step(nn.Module):
    """One sample. sample: the one before, (B, 1, 1); upsampled: its column of the mel, (B, n_mels, 1); conditions of PARTS and states, (B, rows, 1)
    -> what the draw needs (`config.heads`), and the next states."""

    def __init__(self, config: WaveRNNGRUConfig):
        super().__init__()
        units, hidden = config.units, config.hidden
        self.sample, self.mel = nn.Conv1d(1, units, 1, bias=False), nn.Conv1d(config.n_mels, units, 1, bias=False)
        self.rnn1, self.rnn2 = GRUCell(units, units), GRUCell(units, units, bias=False)
        self.hidden1, self.hidden2 = nn.Conv1d(units, hidden, 1, bias=False), nn.Conv1d(hidden, hidden, 1, bias=False)
        self.heads = nn.ModuleDict({name: nn.Conv1d(hidden, channels, 1) for name, channels in config.heads.items()})

    def forward(self, sample: Tensor, upsampled: Tensor, conditions: list[Tensor], state1: Tensor, state2: Tensor) -> list[Tensor]:
        x = self.sample(sample) + self.mel(upsampled) + conditions[0]
        state1 = self.rnn1(x, state1)
        x = x + state1
        state2 = self.rnn2(x, state2, conditions[1])
        x = x + state2
        x = F.relu(self.hidden1(x) + conditions[2])
        x = F.relu(self.hidden2(x) + conditions[3])
        return [*(head(x) for head in self.heads.values()), state1, state2]


class WaveRNNGRU(nn.Module):
    """The whole network. samples: the sample before each, (B, 1, hop F); mel: (B, n_mels, F) -> heads of each sample, (B, channels, hop F)."""

    def __init__(self, config: WaveRNNGRUConfig):
        super().__init__()
        self.config = config
        self.conditioner, self.step = Conditioner(config), Step(config)

    def forward(self, samples: Tensor, mel: Tensor) -> list[Tensor]:
        return _compose(self.config, {"conditioner": self.conditioner, "step": self.step})(samples, mel)


class ConditionerForm(nn.Module):
    """What is computed once for an utterance."""

    def __init__(self, network: WaveRNNGRU):
        super().__init__()
        self.conditioner = network.conditioner

    def forward(self, mel: Tensor) -> list[Tensor]:
        return self.conditioner(mel)


class StepForm(nn.Module):
    """What is computed for every sample."""

    def __init__(self, network: WaveRNNGRU):
        super().__init__()
        self.step = network.step

    def forward(self, sample: Tensor, upsampled: Tensor, conditions: list[Tensor], state1: Tensor, state2: Tensor) -> list[Tensor]:
        return self.step(sample, upsampled, conditions, state1, state2)


def step_forms(network: nn.Module, config: WaveRNNGRUConfig, frames: int = 8) -> list[Form]:
    """`conditioner` and `step`."""
    assert isinstance(network, WaveRNNGRU)
    given = ("upsampled", *(f"conditions_{i}" for i in range(len(PARTS))))
    keys = [f"conditioner.upsampler.{len(config.upsample_factors) - 1}.convolution:conv2d", *(f"conditioner.projections.{name}:conv1d" for name in PARTS)]
    inputs: dict[str, Nested] = {"sample": 2 * torch.rand(1, 1, 1) - 1, "upsampled": torch.rand(1, config.n_mels, 1)}
    inputs |= {"conditions": [torch.rand(1, rows, 1) for rows in config.parts.values()], **{name: torch.rand(1, config.units, 1) for name in STATES}}
    links = dict(zip(given, keys, strict=True))
    return [
        Form("conditioner", ConditionerForm(network), {"mel": torch.rand(1, config.n_mels, frames)}, {"mel": {2: 1}}, given),
        Form("step", StepForm(network), inputs, {}, (*config.heads, *STATES.values()), links, STATES, _grids(config)),
    ]


def _grids(config: WaveRNNGRUConfig) -> dict[str, float]:
    """Scales of 16-bit tensors that are chosen: of states, and of what is drawn from."""
    states = {f"step.rnn{i}:{operator}": STATE_SCALE for i in (1, 2) for operator in ("sigmoid", "tanh", "lerp")}
    steps = {"logits": LOGIT_SCALE, "means": MEAN_STEP, "log_scales": LOG_SCALE_STEP}
    return states | {f"step.heads.{name}:conv1d": steps[name] for name in config.heads}


def _wide(config: WaveRNNGRUConfig) -> dict[str, str]:
    mels = ["input:mel", *(f"conditioner.upsampler.{i}.convolution:conv2d" for i in range(len(config.upsample_factors)))]
    frames = ["conditioner:relu", *(f"conditioner.blocks.{i}:{name}" for i in range(config.blocks) for name in ("relu", "add")), "conditioner.output:conv1d"]
    frames += [f"conditioner.projections.{name}:conv1d" for name in PARTS]
    gates = [f"step.rnn{i}{path}" for i in (1, 2) for path in (".input:conv1d", ".recurrent:conv1d", ":add", ":add_2", ":mul")]
    sums = ["step.rnn2:add_3", "step.hidden1:conv1d", "step.hidden2:conv1d", "step:add", "step:add_5", "step:add_6"]
    seen = ["input:sample", "step.sample:conv1d", "step.mel:conv1d"]
    reasons = {AT_THE_FRAME_RATE: [*mels, *frames], SEEN: seen, GATES: [*gates, *sums]}
    wide = {key: reason for reason, keys in reasons.items() for key in keys}
    return wide | {key: DRAWN if ".heads." in key else GATES for key in _grids(config)}


def _compose(config: WaveRNNGRUConfig, graphs: Mapping[str, Callable[..., Any]]) -> Network:
    """Teacher forcing through the step itself, sample by sample: what is quantized is trained as it ships."""

    def network(samples: Tensor, mel: Tensor) -> list[Tensor]:
        upsampled, *conditions = graphs["conditioner"](mel)
        units, drawn = conditions[1].shape[1] // 3, []
        states = [samples.new_zeros(len(samples), units, 1) for _ in STATES]
        for t in range(samples.shape[2]):
            frame = t * mel.shape[2] // samples.shape[2]
            at = [c[:, :, frame : frame + 1] for c in conditions]
            *heads, first, second = graphs["step"](samples[:, :, t : t + 1], upsampled[:, :, t : t + 1], at, *states)
            states = [first, second]
            drawn.append(heads)
        return [torch.cat(head, 2) for head in zip(*drawn, strict=True)]

    return network


def _sampler(config: WaveRNNGRUConfig) -> dict[str, Any]:
    return {"name": "sample_by_sample", "mode": config.mode, **({"bits": config.bits, "mu_law": config.mu_law} if config.mode == "RAW" else {})}


def _inputs(config: WaveRNNGRUConfig, frames: int) -> tuple[Tensor, ...]:
    return torch.zeros(1, 1, frames * config.hop_length), torch.zeros(1, config.n_mels, frames)


FAMILY = Family(
    name="wavernngru",
    title="two-GRU WaveRNN",
    config=WaveRNNGRUConfig,
    network=WaveRNNGRU,
    sizes={},
    inputs=_inputs,
    objective=lambda config, front_end: SampleObjective(config.mode, config.bits, config.mu_law),
    objective_name="sample likelihood",
    sampler=_sampler,
    plan=TrainingPlan(batch_size=16, frames=5, learning_rate=1e-4, every=100, clip=4.0),
    forms=step_forms,
    compose=_compose,
    floats=lambda config: {},
    wide=_wide,
    paper_calls=1,
    calibration_frames=6,
)
