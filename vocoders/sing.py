"""SING (Défossez et al. 2018): a note to a waveform.

What ships are a `conditioner` (embeddings and what they give to the first gates, once a note), the `lstm` step with its state, and the `decoder`.
The network is in `sing_network.py`, its training in three stages in `sing_training.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
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
from .sing_network import CODES, SING, SIZES, SINGConfig

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .training import Training

GATES = "the state of a recurrent layer gathers what its gates round away, and 16 bits of a vector cost nothing beside the matrix"
HEAD = "an 8-bit waveform alone is 40 to 50 dB of noise"
STATE_SCALE = 2.0**-15  # what an LSTM gives out is within 1


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


def _compose(config: SINGConfig, graphs: Mapping[str, Callable[..., Any]]) -> Network:
    """The steps one after the other: what is quantized is trained as it ships."""

    def network(codes: Tensor) -> Tensor:
        steps = codes.shape[2] + config.lead
        times = torch.arange(steps, device=codes.device).expand(len(codes), -1)
        places = [*codes[:, :, 0].long().T[:, :, None].expand(-1, -1, steps), times]
        condition = graphs["conditioner"](*(F.one_hot(place, count).transpose(1, 2).float() for place, count in zip(places, config.cardinalities, strict=True)))
        layers = config.layers
        zeros = [condition.new_zeros(len(codes), config.units, 1)] * layers
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
    objective=lambda config, front_end: DSTFTObjective(),
    objective_name="D_STFT",
    sampler=lambda config: {"name": "sing", "cardinalities": config.cardinalities, "layers": config.layers, "lead": config.lead},
    plan=TrainingPlan(batch_size=8, frames=250, learning_rate=1e-3, every=50, betas=(0.9, 0.999)),
    forms=note_forms,
    compose=_compose,
    floats=lambda config: {},
    wide=_wide,
    front_end=_front_end,
    fitted=_fitted,
    training=_training,
    paper_synthesis=_once,
    paper_calls=1,
    counted_frames=250,
    narrows=False,
)
