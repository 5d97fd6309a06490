"""SING (Défossez et al. 2018): a note to a waveform. An LSTM makes a sequence of frames, a convolutional decoder makes the waveform of it.

The LSTM is driven by embeddings of instrument, pitch, velocity and of the time since the beginning, and by nothing that it made itself. Every product is a
convolution here: an embedding that of a one-hot vector, the LSTM's two a step by themselves. Training goes through torch's LSTM, whose
arithmetic is the same; what ships are a `conditioner` (embeddings and what they give to the first gates, once a note), the `lstm` step with its
state, and the `decoder`. The training in three stages is in `sing_training.py`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.front_ends import AnyFrontEnd
from ..runtime.notes import NoteFrontEnd
from .family import Family
from .forms import Form, Nested, nth
from .objectives import DSTFTObjective, Network, Objective
from .plan import TrainingPlan
from .segments import Batch
from .windowed import WindowedTranspose1d, begin_as_sines, begin_for_relu

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .training import Training

CODES = ("instrument", "pitch", "velocity", "time")
GATES = "the state of a recurrent layer gathers what its gates round away, and 16 bits of a vector cost nothing beside the matrix"
HEAD = "an 8-bit waveform alone is 40 to 50 dB of noise"
STATE_SCALE = 2.0**-15  # what an LSTM gives out is within 1


@dataclass(frozen=True)
class SINGConfig:
    """How many instruments, pitches and velocities it knows, how many values embed each of them and the time (`embeddings`).

    `layers` of `units` of the LSTM, whose frames have `dimension` values. The decoder: a convolution over `context` frames, `rewrites` over one,
    of `channels` each, and filters of `kernel` samples. A note has up to `frames` frames of `hop_length` samples; the LSTM makes some more
    (`lead`), because the decoder sees `context` and begins and ends two hops outside the note. Kernel and context as in the paper: 4 hops, and odd.
    """

    instruments: int = 1006
    pitches: int = 121
    velocities: int = 5
    embeddings: tuple[int, int, int, int] = (16, 8, 2, 4)
    units: int = 192
    layers: int = 2
    dimension: int = 64
    channels: int = 384
    rewrites: int = 2
    context: int = 9
    kernel: int = 1024
    hop_length: int = 256
    frames: int = 250

    def __post_init__(self) -> None:
        if self.kernel % self.hop_length or self.context % 2 != 1 or len(self.embeddings) != len(CODES):
            raise ValueError("a kernel of whole hops, an odd context and four embeddings")

    @property
    def lead(self) -> int:
        """Frames of the LSTM that a note needs beside its own: 15 of 265 in the paper."""
        return self.context + self.kernel // self.hop_length + 2

    @property
    def cardinalities(self) -> tuple[int, int, int, int]:
        """Rows of the four tables."""
        return self.instruments, self.pitches, self.velocities, self.frames + self.lead


SIZES = {
    "S": SINGConfig(),
    "M": SINGConfig(units=512, layers=3, dimension=128, channels=1024),
    "L": SINGConfig(units=1024, layers=3, dimension=128, channels=4096),
}


class LSTMCell(nn.Module):
    """One step of a layer. `recurrent`: what it gave itself, 4 x units rows: input gate, forget gate, output gate, candidate."""

    def __init__(self, units: int):
        super().__init__()
        self.units, self.recurrent = units, nn.Conv1d(units, 4 * units, 1, bias=False)

    def forward(self, given: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """given: (B, 4 units, 1), what the layer's input gives, with the biases; hidden and cell: (B, units, 1), of the step before -> those of this step.

        A hardtanh marks where what lies within 1 is rounded to 8 bits.
        """
        n, gates = self.units, given + self.recurrent(F.hardtanh(hidden))
        opened = torch.sigmoid(gates[:, : 3 * n])
        cell = opened[:, n : 2 * n] * cell + opened[:, :n] * torch.tanh(gates[:, 3 * n :])
        return opened[:, 2 * n :] * torch.tanh(cell), cell


class LSTMLayer(nn.Module):
    """One layer: `input` is what it is given, `cell` its step; all steps at once go through torch's LSTM, which computes the same."""

    def __init__(self, inputs: int, units: int):
        super().__init__()
        self.units = units
        self.input, self.cell = nn.Conv1d(inputs, 4 * units, 1), LSTMCell(units)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(units), 1 / math.sqrt(units))  # as torch's

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x: (B, inputs, T), state: hidden and cell, (1, B, units) each -> hidden of every step, (B, units, T), and the state after the last."""
        weights = [self._rows(layer.weight.squeeze(2)) for layer in (self.input, self.cell.recurrent)]
        assert self.input.bias is not None
        bias = self._rows(self.input.bias)
        parameters = [*weights, bias, torch.zeros_like(bias)]
        output, hidden, cell = torch.lstm(x.transpose(1, 2), list(state), parameters, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        return output.transpose(1, 2), (hidden, cell)

    def _rows(self, tensor: Tensor) -> Tensor:
        """In torch's order: the candidate before the output gate."""
        return torch.cat([tensor[self.units * gate : self.units * (gate + 1)] for gate in (0, 1, 3, 2)])


State = list[tuple[Tensor, Tensor]]


class SequenceGenerator(nn.Module):
    """Codes of a note -> frames. `tables`: the embeddings, as convolutions of one-hot vectors."""

    def __init__(self, config: SINGConfig):
        super().__init__()
        self.steps, self.units = config.frames + config.lead, config.units
        self.tables = nn.ModuleList(nn.Conv1d(rows, width, 1, bias=False) for rows, width in zip(config.cardinalities, config.embeddings, strict=True))
        for table in self.tables:
            nn.init.normal_(table.weight)  # type: ignore[arg-type]
        widths = [sum(config.embeddings), *[config.units] * (config.layers - 1)]
        self.layers = nn.ModuleList(LSTMLayer(width, config.units) for width in widths)
        self.projection = nn.Conv1d(config.units, config.dimension, 1)

    def forward(self, codes: Tensor, start: int, length: int, state: State | None = None) -> tuple[Tensor, State]:
        """codes: (B, 3) -> frames from `start` on, (B, dimension, length), and the state to go on from."""
        x = self.embed(codes, start, length)
        if state is None:
            zero = x.new_zeros(1, len(x), self.units)
            state = [(zero, zero)] * len(self.layers)
        after: State = []
        for layer, before in zip(self.layers, state, strict=True):
            x, kept = layer(x, before)
            after.append(kept)
        return self.projection(x), after

    def embed(self, codes: Tensor, start: int, length: int) -> Tensor:
        """(B, 3) -> embeddings of every step, (B, sum of their widths, length)."""
        times = torch.arange(start, start + length, device=codes.device)
        places = [*codes.long().T[:, :, None].expand(-1, -1, length), times.expand(len(codes), -1)]
        rows = [F.embedding(place, table.weight.squeeze(2).T) for place, table in zip(places, self.tables, strict=True)]  # type: ignore[operator]
        return torch.cat(rows, 2).transpose(1, 2)


class Decoder(nn.Module):
    """Frames -> waveform, by overlap-add of filters that a squared Hann window keeps smooth at their ends."""

    def __init__(self, config: SINGConfig):
        super().__init__()
        c = config.channels
        self.context = nn.Conv1d(config.dimension, c, config.context)
        self.rewrites = nn.ModuleList(nn.Conv1d(c, c, 1) for _ in range(config.rewrites))
        self.head = WindowedTranspose1d(c, 1, config.kernel, config.hop_length, config.kernel + config.hop_length)
        begin_for_relu(self.context, *self.rewrites)  # type: ignore[arg-type]
        begin_as_sines(self.head, 0.1 / math.sqrt(c))

    def forward(self, frames: Tensor) -> Tensor:
        """(B, dimension, F + lead) -> (B, 1, hop F)."""
        x = F.relu(self.context(frames))
        for layer in self.rewrites:
            x = F.relu(layer(x))
        return self.head(x)


class SING(nn.Module):
    """The whole network, as its third stage trains it."""

    def __init__(self, config: SINGConfig):
        super().__init__()
        self.lead = config.lead
        self.generator, self.decoder = SequenceGenerator(config), Decoder(config)

    def forward(self, codes: Tensor) -> Tensor:
        """codes: float32 (B, 3, F), the same in every frame -> waveform: float32 (B, 1, hop F)."""
        frames, _ = self.generator(codes[:, :, 0], 0, codes.shape[2] + self.lead)
        return self.decoder(frames)


class Part(nn.Module):
    """Some children of a module, under the names that they have there."""

    def __init__(self, module: nn.Module, *names: str):
        super().__init__()
        for name in names:
            self.add_module(name, module.get_submodule(name))


class ConditionerForm(nn.Module):
    """What is computed once for a note: the embeddings of every step, and what the first layer is given of them."""

    def __init__(self, network: SING):
        super().__init__()
        self.generator = Part(network.generator, "tables")
        self.generator.layers = nn.ModuleList([Part(network.generator.layers[0], "input")])

    def forward(self, instrument: Tensor, pitch: Tensor, velocity: Tensor, time: Tensor) -> Tensor:
        """One-hot vectors of every step, (B, rows of the table, T) each -> (B, 4 units, T)."""
        generator: Any = self.generator
        embedded = [table(code) for table, code in zip(generator.tables, (instrument, pitch, velocity, time), strict=True)]
        return generator.layers[0].input(torch.cat(embedded, 1))


class StepForm(nn.Module):
    """One step of all layers."""

    def __init__(self, network: SING):
        super().__init__()
        self.generator = nn.Module()
        first, *others = network.generator.layers
        self.generator.layers = nn.ModuleList([Part(first, "cell"), *(Part(layer, "input", "cell") for layer in others)])

    def forward(self, condition: Tensor, hidden: list[Tensor], cell: list[Tensor]) -> list[Tensor]:
        """condition: (B, 4 units, 1), hidden and cell: those of each layer, (B, units, 1) -> hidden and cell of each layer after the step."""
        layers: Any = self.generator.layers
        states = [layers[0].cell(condition, hidden[0], cell[0])]
        for layer, above, kept in zip(layers[1:], hidden[1:], cell[1:], strict=True):
            states.append(layer.cell(layer.input(F.hardtanh(states[-1][0])), above, kept))
        return [state[i] for i in range(2) for state in states]


class DecoderForm(nn.Module):
    """What is computed of all steps together."""

    def __init__(self, network: SING):
        super().__init__()
        self.generator, self.decoder = Part(network.generator, "projection"), network.decoder

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden: what the last layer gave in every step, (B, units, F + lead) -> (B, 1, hop F)."""
        generator: Any = self.generator
        return self.decoder(generator.projection(F.hardtanh(hidden)))


def note_forms(network: nn.Module, config: SINGConfig, steps: int = 24) -> list[Form]:
    """`conditioner`, `lstm` and `decoder`. The time axis of the first and the last is that of the LSTM's steps, `lead` longer than the note."""
    assert isinstance(network, SING)
    n, layers = config.units, range(config.layers)
    codes: dict[str, Nested] = {name: torch.zeros(1, rows, steps) for name, rows in zip(CODES, config.cardinalities, strict=True)}
    inputs: dict[str, Nested] = {"condition": torch.rand(1, 4 * n, 1)}
    inputs |= {name: [torch.rand(1, n, 1) for _ in layers] for name in ("hidden", "cell")}
    outputs = tuple(f"next_{name}_{i}" for name in ("hidden", "cell") for i in layers)
    grids = {f"{_cell(i)}:{nth('mul', 3)}": STATE_SCALE for i in layers}
    states, last = {output.removeprefix("next_"): output for output in outputs}, [*grids][-1]
    heard: dict[str, Nested] = {"hidden": torch.rand(1, n, steps)}
    return [
        Form("conditioner", ConditionerForm(network), codes, {name: {2: 1} for name in CODES}, ("condition",)),
        Form("lstm", StepForm(network), inputs, {}, outputs, {"condition": GIVEN}, states, grids),
        Form("decoder", DecoderForm(network), heard, {"hidden": {2: 1}}, ("waveform",), {"hidden": last}, grids=grids, least=config.lead + 1),
    ]


GIVEN = "generator.layers.0.input:conv1d"


def _cell(layer: int) -> str:
    return f"generator.layers.{layer}.cell"


def _wide(config: SINGConfig) -> dict[str, str]:
    found = {GIVEN: GATES}
    for i in range(config.layers):
        operators = ("add", nth("add", 2), "sigmoid", "tanh", nth("tanh", 2), "mul", nth("mul", 2), nth("mul", 3))
        found |= {f"generator.layers.{i}.input:conv1d": GATES, f"{_cell(i)}.recurrent:conv1d": GATES} | {f"{_cell(i)}:{name}": GATES for name in operators}
    return found | {"decoder.head.convolution:conv1d": HEAD}


def _compose(graphs: Mapping[str, Callable[..., Any]]) -> Network:
    """The steps one after the other: what is quantized is trained as it ships. Sizes are those of the weights."""
    conditioner, decoder = (graphs[name].state_dict() for name in ("conditioner", "decoder"))  # type: ignore[attr-defined]
    rows = [conditioner[f"generator.tables.{i}.weight"].shape[1] for i in range(len(CODES))]
    lead = decoder["decoder.context.weight"].shape[2] + decoder["decoder.head.convolution.weight"].shape[2] + 2

    def network(codes: Tensor) -> Tensor:
        steps = codes.shape[2] + lead
        times = torch.arange(steps, device=codes.device).expand(len(codes), -1)
        places = [*codes[:, :, 0].long().T[:, :, None].expand(-1, -1, steps), times]
        condition = graphs["conditioner"](*(F.one_hot(place, count).transpose(1, 2).float() for place, count in zip(places, rows, strict=True)))
        layers = sum(key.endswith("cell.recurrent.weight") for key in graphs["lstm"].state_dict())  # type: ignore[attr-defined]
        zeros = [condition.new_zeros(len(codes), condition.shape[1] // 4, 1)] * layers
        hidden, cell, heard = zeros, zeros, []
        for t in range(steps):
            states = graphs["lstm"](condition[:, :, t : t + 1], list(hidden), list(cell))
            hidden, cell = states[:layers], states[layers:]
            heard.append(hidden[-1])
        return graphs["decoder"](torch.cat(heard, 2))

    return network


def _once(network: nn.Module) -> Callable[[Tensor], None]:
    """The products of a note, to be counted: embeddings are looked up, and each step's product is its convolution with any state."""
    assert isinstance(network, SING)

    def synthesis(codes: Tensor) -> None:
        steps = codes.shape[2] + network.lead
        x = network.generator.embed(codes[:, :, 0], 0, steps)
        for layer in network.generator.layers:
            layer.input(x)  # type: ignore[operator]
            x = codes.new_zeros(1, layer.units, steps)  # type: ignore[call-overload]
            layer.cell.recurrent(x)  # type: ignore[union-attr, operator]
        network.decoder(network.generator.projection(x))

    return synthesis


def _front_end(config: SINGConfig) -> NoteFrontEnd:
    """Notes by their numbers from 0 on: which they are, a corpus tells."""
    instruments, pitches, velocities = (tuple(range(count)) for count in config.cardinalities[:3])
    return NoteFrontEnd(instruments, pitches, velocities, hop_length=config.hop_length, frames=config.frames)


def _fitted(config: SINGConfig, front_end: AnyFrontEnd) -> SINGConfig:
    assert isinstance(front_end, NoteFrontEnd)
    counts = {name: len(getattr(front_end, name)) for name in ("instruments", "pitches", "velocities")}
    return replace(config, **counts, frames=front_end.frames)  # type: ignore[arg-type]


def _training(network: nn.Module, objective: Objective, plan: TrainingPlan, validation: list[Batch], checkpoint: "Checkpoint") -> "Training":
    from .sing_training import StagedTraining

    return StagedTraining(network, objective, plan, validation, checkpoint)


FAMILY = Family(
    name="sing",
    title="SING",
    config=SINGConfig,
    network=SING,
    sizes=SIZES,
    inputs=lambda config, frames: (torch.zeros(1, 3, frames),),
    objective=lambda front_end: DSTFTObjective(),
    objective_name="D_STFT",
    sampler={"name": "sing"},
    sampler_of=lambda config: {"cardinalities": config.cardinalities, "layers": config.layers, "lead": config.lead},
    plan=TrainingPlan(batch_size=8, frames=250, learning_rate=1e-3, every=50, betas=(0.9, 0.999)),
    forms=note_forms,
    compose=_compose,
    floats={},
    wide=_wide,
    front_end=_front_end,
    fitted=_fitted,
    training=_training,
    paper_synthesis=_once,
    paper_calls=1,
    counted_frames=250,
    narrows=False,
)
