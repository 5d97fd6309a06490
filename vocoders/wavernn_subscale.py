"""Subscale WaveRNN (Kalchbrenner et al. 2018, section 4): the waveform as B interleaved parts, of which each has its next sample made in one step.

Sample B i + s is sample i of part s. A part is a WaveRNN of its own, with the same weights for all, that is also told of the parts before it (s' < s): of
their past and of `lookahead` samples of their future. A context network sees these, the others masked: dilated convolutions of width 2, each of which
needs a single column of its past, so that what ships is a step of it, with states. All parts lie side by side as columns of one call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.samplers.wavernn_subscale import CENTRE, KNOWN, SILENCE
from .forms import AT_THE_FRAME_RATE, Form, Nested, nth
from .objectives import symbols
from .wavernn import FAMILY as WAVERNN
from .wavernn import (
    GATE_SCALE,
    GATES,
    HALVES,
    Conditioner,
    Half,
    WaveRNNConfig,
    conditioner_form,
    half_form,
    halves_at_once,
    projection,
    recurrence,
    seen_symbols,
    wide_of,
)


@dataclass(frozen=True)
class SubscaleConfig(WaveRNNConfig):
    """A WaveRNN of `parts` interleaved parts, which divide the hop. Its context network has `context_layers` layers of `context_channels` channels.

    It sees 2^context_layers columns of a sample of each part before its own, the last of them `lookahead` after its own sample.
    """

    parts: int = 16
    lookahead: int = 4
    context_channels: int = 48
    context_layers: int = 4

    def __post_init__(self) -> None:
        if self.parts < 2 or self.hop_length % self.parts or not 0 <= self.lookahead < self.seen:
            raise ValueError(f"{self.hop_length} samples a frame are not {self.parts} parts of which one sees {self.lookahead} ahead in {self.seen}")

    @property
    def seen(self) -> int:
        """Columns that the context network sees."""
        return 1 << self.context_layers


def _sizes() -> dict[str, SubscaleConfig]:
    """Units, hidden and channels as of WaveRNN's sizes; 16 parts, or 8 that see twice as many samples of each."""
    widths = {"S": (224, 112, 80), "M": (512, 256, 128), "L": (896, 448, 128)}
    context = {"S": 48, "M": 64, "L": 96}
    sizes = {}
    for size, width in widths.items():
        sizes[size] = SubscaleConfig(*width, context_channels=context[size])
        sizes[f"{size}8"] = SubscaleConfig(*width, parts=8, lookahead=8, context_channels=context[size], context_layers=5)
    return sizes


SIZES = _sizes()


class Context(nn.Module):
    """What a part is told of those before it: columns (B, 3 parts, T) -> what its steps add to the gates, (B, 3 half, T') of either half."""

    def __init__(self, config: SubscaleConfig):
        super().__init__()
        c = config.context_channels
        self.input = nn.Conv1d(3 * config.parts, c, 1)
        self.layers = nn.ModuleList(nn.Conv1d(2 * c, c, 1) for _ in range(config.context_layers))  # two columns 2^i apart, one above the other
        self.projections = nn.ModuleList(nn.Conv1d(c, 3 * config.half, 1, bias=False) for _ in HALVES)

    def features(self, columns: Tensor, past: Sequence[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Features (B, channels, T'), and what each layer saw.

        T' = T where `past` gives what each layer saw 2^i columns before; without it, there are features only where all has been seen: T' = T - 2^layers + 1.
        """
        x, saw = self.input(F.hardtanh(columns)), []
        for i, layer in enumerate(self.layers):
            saw.append(x)
            before, now = (x[:, :, : -(2**i)], x[:, :, 2**i :]) if past is None else (past[i], x)
            x = now + F.relu(layer(torch.cat([before, now], 1)))
        return x, saw

    def forward(self, columns: Tensor, conditions: Sequence[Tensor], past: Sequence[Tensor]) -> list[Tensor]:
        """A step of all parts: columns (B, 3 parts, parts), conditions (B, 3 half, parts) -> their sums with what is added here, and what each layer saw."""
        features, saw = self.features(columns, past)
        return [*(condition + project(features) for condition, project in zip(conditions, self.projections, strict=True)), *saw]


class SubscaleWaveRNN(nn.Module):
    """The whole network, as trained."""

    def __init__(self, config: SubscaleConfig):
        super().__init__()
        self.config = config
        self.conditioner, self.context = Conditioner(config), Context(config)
        self.coarse, self.fine = Half(config, 2), Half(config, 3)

    def forward(self, waveform: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """waveform: float32 (B, 1, hop F), mel: float32 (B, n_mels, F) -> logits of its coarse and of its fine symbols, (B, 256, hop F) each."""
        config = self.config
        features = self.conditioner.features(mel).repeat_interleave(config.parts, 0)
        context, _ = self.context.features(context_columns(waveform, config).flatten(0, 1))
        seen = seen_symbols(parted(waveform, config.parts).reshape(-1, 1, context.shape[2]))
        states = recurrence(self.coarse, self.fine, seen, [(features, self.conditioner.projections), (context, self.context.projections)])
        halves = self.coarse.read_all(states[:, : config.half]), self.fine.read_all(states[:, config.half :])
        coarse, fine = (logits.unflatten(0, (-1, config.parts)).permute(0, 2, 3, 1).flatten(2) for logits in halves)
        return coarse, fine


def parted(waveform: Tensor, parts: int) -> Tensor:
    """(B, 1, T) -> the parts, (B, parts, T / parts)."""
    return waveform.reshape(len(waveform), -1, parts).transpose(1, 2)


def context_columns(waveform: Tensor, config: SubscaleConfig) -> Tensor:
    """What the context network is shown for each part: (B, 1, T) -> (B, parts, 3 parts, T / parts + seen - 1), silence at both ends.

    Channels: coarse symbols of all parts, the fine ones, and which parts are known. Columns i to i + seen - 1 are those of sample i.
    """
    ahead, known = config.lookahead, torch.ones(config.parts, config.parts, device=waveform.device).tril(-1)
    shown = []
    for symbol, silence in zip(symbols(waveform), SILENCE, strict=True):
        of_parts = parted(symbol[:, None], config.parts)
        padded = F.pad(of_parts, (config.seen - 1 - ahead, ahead), value=silence)
        shown.append(torch.where(known.bool()[:, :, None], padded[:, None], silence))
    mask = (known * KNOWN)[None, :, :, None].expand(len(waveform), -1, -1, shown[0].shape[-1])
    return torch.cat([*((s - CENTRE) / CENTRE for s in shown), mask], 2)


class ContextForm(nn.Module):
    """A step of the context network: the newest column of all parts, and from earlier calls what each layer saw."""

    def __init__(self, context: nn.Module):
        super().__init__()
        self.context = context

    def forward(self, columns: Tensor, condition_coarse: Tensor, condition_fine: Tensor, past: list[Tensor]) -> list[Tensor]:
        return self.context(columns, [condition_coarse, condition_fine], past)


def step_forms(network: nn.Module, config: SubscaleConfig, frames: int = 8) -> list[Form]:
    """`conditioner`, and the steps `context`, `coarse` and `fine`, whose columns are the parts."""
    assert isinstance(network, SubscaleWaveRNN)
    halves = {"coarse": network.coarse, "fine": network.fine}
    steps = [half_form(half, name, _given(config, name), config.parts) for name, half in halves.items()]
    return [conditioner_form(network, config, frames), _context_form(network, config), *steps]


def _context_form(network: SubscaleWaveRNN, config: SubscaleConfig) -> Form:
    layers, parts = range(config.context_layers), config.parts
    conditions = {f"condition_{name}": torch.rand(1, 3 * config.half, parts) for name in HALVES}
    past = [torch.rand(1, network.context.input.out_channels, parts) for _ in layers]
    inputs: dict[str, Nested] = {"columns": torch.rand(1, 3 * parts, parts), **conditions, "past": past}
    outputs, states = (*(f"given_{name}" for name in HALVES), *(f"now_{i}" for i in layers)), {f"past_{i}": f"now_{i}" for i in layers}
    links, grids = {f"condition_{name}": projection(name) for name in HALVES}, dict.fromkeys(_wide_context(config), GATE_SCALE)
    return Form("context", ContextForm(network.context), inputs, {}, outputs, links, states, grids)


def _given(config: SubscaleConfig, name: str) -> str:
    """Key of what a half is given: the sum of what the mel and the context add to its gates, behind the sums of the context's layers."""
    return nth("context:add", config.context_layers + 1 + HALVES.index(name))


def _wide_context(config: SubscaleConfig) -> list[str]:
    """Keys of the tensors of 16 bits in the context's step."""
    return [key for i, name in enumerate(HALVES) for key in (projection(name), f"context.projections.{i}:conv1d", _given(config, name))]


def _wide(config: SubscaleConfig) -> dict[str, str]:
    return {"input:mel": AT_THE_FRAME_RATE} | dict.fromkeys(_wide_context(config), GATES) | wide_of()


def _taught(config: SubscaleConfig, graphs: Mapping[str, Callable[..., Any]], waveform: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
    """Teacher forcing through the steps themselves, of all parts at once: what is quantized is trained as it ships."""
    conditions, columns = graphs["conditioner"](mel), context_columns(waveform, config).transpose(1, 2)
    seen = seen_symbols(parted(waveform, config.parts).reshape(-1, 1, waveform.shape[2] // config.parts)).unflatten(0, (-1, config.parts))
    start = waveform.new_zeros(len(waveform), config.context_channels, config.parts)
    lines = [[start] * 2**i for i in range(config.context_layers)]
    state, logits = waveform.new_zeros(len(waveform), config.units, config.parts), []
    for t in range(columns.shape[3]):
        i = max(0, t - config.seen + 1)  # before that the context network fills
        frame = i * config.parts // config.hop_length
        at = [c[:, :, frame : frame + 1].expand(-1, -1, config.parts) for c in conditions]
        given = graphs["context"](columns[:, :, :, t], *at, [line[t % len(line)] for line in lines])
        for line, saw in zip(lines, given[2:], strict=True):
            line[t % len(line)] = saw
        if t < config.seen - 1:
            continue
        sees = seen[:, :, :, i].transpose(1, 2)
        coarse, first = graphs["coarse"](state, sees[:, :2], given[0])
        fine, second = graphs["fine"](state, sees, given[1])
        state = torch.cat([first, second], 1)
        logits.append((coarse, fine))
    coarse, fine = (torch.cat(half, 2) for half in zip(*logits, strict=True))
    return coarse, fine


def _at_once(network: nn.Module) -> Callable[[Tensor, Tensor], None]:
    """The products of a synthesis without the order in which they are made, to be counted: the states are given."""
    assert isinstance(network, SubscaleWaveRNN)

    def synthesis(waveform: Tensor, mel: Tensor) -> None:
        config, context = network.config, network.context
        network.conditioner(mel)
        past = [waveform.expand(-1, config.context_channels, -1)] * config.context_layers
        context(waveform.expand(-1, 3 * config.parts, -1), [waveform.expand(-1, 3 * config.half, -1)] * 2, past)
        halves_at_once(network.coarse, network.fine, waveform)

    return synthesis


FAMILY = replace(
    WAVERNN,
    name="subscale",
    title="Subscale WaveRNN",
    config=SubscaleConfig,
    network=SubscaleWaveRNN,
    sizes=SIZES,
    sampler=lambda config: {"name": "wavernn_subscale", "parts": config.parts, "lookahead": config.lookahead, "layers": config.context_layers},
    plan=replace(WAVERNN.plan, batch_size=16, frames=8),  # 128 steps of each of 16 parts
    forms=step_forms,
    compose=lambda config, graphs: partial(_taught, config, graphs),
    wide=_wide,
    paper_synthesis=_at_once,
    calibration_frames=8,
)
