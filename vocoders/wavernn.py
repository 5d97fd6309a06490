"""WaveRNN (Kalchbrenner et al. 2018): the waveform sample by sample, each of 16 bits as two symbols of 8, coarse and then fine given coarse.

One recurrent layer, whose units are half coarse and half fine: the fine half also sees the coarse symbol of the sample that is being made (the paper's
masked input). What a step adds to the gates for the mel is computed once for an utterance, frame by frame. Training goes through a GRU, torch's on a
GPU, whose arithmetic is that of the paper's equation 2; what ships are two steps with an explicit state, `coarse` and `fine`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.draws import LOGIT_SCALE
from .family import Family
from .forms import AT_THE_FRAME_RATE, Form, Nested, nth
from .gru import gru_update
from .objectives import Network, SymbolObjective, symbols
from .plan import TrainingPlan
from .recurrence import recurrent_states

SYMBOLS = 256
HALVES = ("coarse", "fine")
MARGIN = 7  # frames either side that three layers of width 3 and dilations 1, 2, 4 see
STATE_SCALE, GATE_SCALE = 2.0**-15, 2.0**-11  # of 16 bits: a state within 1, a gate's argument within 16, where sigmoid and tanh are flat
GATES = "the state of a recurrent layer gathers what its gates round away, and 16 bits of a vector cost nothing beside the matrix"
DRAWN = "samples are drawn from it: its integers are the table of the draw"


@dataclass(frozen=True)
class WaveRNNConfig:
    """`units` of the recurrent layer, half of them coarse. `hidden` units between a half and its softmax.

    The conditioning network has `layers` dilated convolutions of `channels` channels at the frame rate, dilations 1, 2, 4, ...
    """

    units: int = 224
    hidden: int = 112
    channels: int = 80
    layers: int = 3
    hop_length: int = 256
    n_mels: int = 80

    @property
    def half(self) -> int:
        """Coarse units, and as many fine ones."""
        return self.units // 2


SIZES = {"S": WaveRNNConfig(), "M": WaveRNNConfig(512, 256, 128), "L": WaveRNNConfig(896, 448, 128)}


class Conditioner(nn.Module):
    """What depends on the mel alone: (B, n_mels, F) -> what each frame adds to the gates, coarse and fine, (B, 3 half, F) each."""

    def __init__(self, config: WaveRNNConfig):
        super().__init__()
        c = config.channels
        self.input = nn.Conv1d(config.n_mels, c, 1)
        self.layers = nn.ModuleList(nn.Conv1d(c, c, 3, dilation=2**i, padding=2**i) for i in range(config.layers))
        self.projections = nn.ModuleList(nn.Conv1d(c, 3 * config.half, 1) for _ in range(2))

    def features(self, mel: Tensor) -> Tensor:
        """(B, n_mels, F) -> (B, channels, F)."""
        x = self.input(mel)
        for layer in self.layers:
            x = x + F.relu(layer(x))
        return x

    def forward(self, mel: Tensor) -> list[Tensor]:
        features = self.features(mel)
        return [projection(features) for projection in self.projections]


class Half(nn.Module):
    """The coarse or the fine half of a step: its rows of the matrix R (u, r, e), its input, its two layers to the softmax.

    `symbols` that it sees: the sample before, coarse and fine, and the fine half also the coarse symbol of this one; (s - 128) / 128 each.
    """

    def __init__(self, config: WaveRNNConfig, symbols: int):
        super().__init__()
        self.units = config.half
        self.recurrent = nn.Conv1d(config.units, 3 * config.half, 1, bias=False)
        self.input = nn.Conv1d(symbols, 3 * config.half, 1, bias=False)
        self.hidden, self.logits = nn.Conv1d(config.half, config.hidden, 1), nn.Conv1d(config.hidden, SYMBOLS, 1)
        nn.init.orthogonal_(self.recurrent.weight.data.squeeze(-1))

    def forward(self, state: Tensor, own: Tensor, seen: Tensor, condition: Tensor) -> list[Tensor]:
        """state: of all units, (B, units, 1), own: this half's, seen: (B, symbols, 1), condition: (B, 3 half, 1) -> logits (B, 256, 1), own state.

        Equation 2 of the paper. A hardtanh marks where what lies within 1 is rounded to 8 bits.
        """
        recurrent = self.recurrent(F.hardtanh(state))
        given = self.input(F.hardtanh(seen)) + condition
        own = gru_update(recurrent, given, own)
        return [self.read(F.hardtanh(own)), own]

    def read(self, own: Tensor) -> Tensor:
        """Own state (B, half, T) -> logits (B, 256, T)."""
        return self.logits(F.relu(self.hidden(own)))

    def read_all(self, own: Tensor) -> Tensor:
        """The same for many steps, in memory with the logits last: what a softmax over them is fastest on."""
        hidden, logits = ((layer.weight.squeeze(2), layer.bias) for layer in (self.hidden, self.logits))
        return F.linear(F.relu(F.linear(own.transpose(1, 2).contiguous(), *hidden)), *logits).transpose(1, 2)


class WaveRNN(nn.Module):
    """The whole network, as trained."""

    def __init__(self, config: WaveRNNConfig):
        super().__init__()
        self.config = config
        self.conditioner, self.coarse, self.fine = Conditioner(config), Half(config, 2), Half(config, 3)

    def forward(self, waveform: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """waveform: float32 (B, 1, hop F), mel: float32 (B, n_mels, F) -> logits of its coarse and of its fine symbols, (B, 256, hop F) each.

        The mel may have more frames, as many before the waveform as behind it.
        """
        features = _beside(waveform, self.conditioner.features(mel), self.config.hop_length)
        states = recurrence(self.coarse, self.fine, seen_symbols(waveform), [(features, self.conditioner.projections)])
        n = self.config.half
        return self.coarse.read_all(states[:, :n]), self.fine.read_all(states[:, n:])


def recurrence(coarse: Half, fine: Half, seen: Tensor, conditions: Sequence[tuple[Tensor, nn.ModuleList]]) -> Tensor:
    """States of all units, float32 (B, units, T), of all steps at once; on a GPU by torch's GRU.

    seen: (B, 3, T). conditions: features (B, C, T), or of as many frames as T is a multiple of, and their projections to the gates of the coarse and of the
    fine half.
    """
    blind = coarse.input.weight.new_zeros(3 * coarse.units, 1, 1)  # coarse units do not see the coarse symbol of their own sample
    inputs = gru_rows([torch.cat([coarse.input.weight, blind], 1), fine.input.weight]).squeeze(2)
    projections = [gru_rows([p[i].weight for i in range(2)]).squeeze(2) for _, p in conditions]  # type: ignore[misc]
    bias = gru_rows([torch.stack([p[i].bias for _, p in conditions if p[i].bias is not None]).sum(0) for i in range(2)])  # type: ignore[misc]
    recurrent = gru_rows([coarse.recurrent.weight, fine.recurrent.weight]).squeeze(2)
    steps, features = seen.shape[2], [f for f, _ in conditions]
    if not seen.is_cuda:
        given = F.linear(seen.permute(2, 0, 1), inputs, bias)
        for frames, projection in zip(features, projections, strict=True):  # projected before they are repeated: hundreds of times fewer products
            added = F.linear(frames.permute(2, 0, 1), projection)
            given = (given.view(len(added), -1, *added.shape[1:]) + added[:, None]).view(given.shape)
        return recurrent_states(given, recurrent).permute(1, 2, 0)
    given = torch.cat([seen, *(f.repeat_interleave(steps // f.shape[2], 2) for f in features)], 1).transpose(1, 2)
    start = given.new_zeros(1, len(given), recurrent.shape[1])
    parameters = [torch.cat([inputs, *projections], 1), recurrent, bias, torch.zeros_like(bias)]
    states, _ = torch.gru(given, start, parameters, True, 1, 0.0, torch.is_grad_enabled(), False, True)
    return states.transpose(1, 2)


def gru_rows(halves: list[Tensor]) -> Tensor:
    """Rows of the two halves (u, r, e each) as torch's GRU has them: reset, update, candidate, of all units each."""
    n = len(halves[0]) // 3
    return torch.cat([half[n * gate : n * (gate + 1)] for gate in (1, 0, 2) for half in halves])


def seen_symbols(waveform: Tensor) -> Tensor:
    """What a step sees: (B, 1, T) -> coarse and fine symbol of the sample before, coarse symbol of this one, (B, 3, T), (s - 128) / 128 each."""
    coarse, fine = symbols(waveform)
    start = coarse.new_tensor([128, 0])  # before the first sample is silence
    before = [torch.cat([first.expand(len(s), 1), s[:, :-1]], 1) for first, s in zip(start, (coarse, fine), strict=True)]
    return (torch.stack([*before, coarse], 1) - 128) / 128


class ConditionerForm(nn.Module):
    """What is computed once for an utterance."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.conditioner = network.get_submodule("conditioner")

    def forward(self, mel: Tensor) -> list[Tensor]:
        return self.conditioner(mel)


class StepForm(nn.Module):
    """One half of a step: what is computed for every sample, first `coarse` and then `fine`."""

    def __init__(self, half: Half, name: str):
        super().__init__()
        self.path, self.start = name, 0 if name == "coarse" else half.units
        self.add_module(name, half)  # the path that it has in the network

    def forward(self, state: Tensor, seen: Tensor, condition: Tensor) -> list[Tensor]:
        half = self.get_submodule(self.path)
        return half(state, state[:, self.start : self.start + half.units], seen, condition)  # type: ignore[operator]


def step_forms(network: nn.Module, config: WaveRNNConfig, frames: int = 8) -> list[Form]:
    """`conditioner`, `coarse` and `fine`. `state` is that of all units, `next` that of the form's own: the sampler puts the two together."""
    assert isinstance(network, WaveRNN)
    halves = {"coarse": network.coarse, "fine": network.fine}
    return [conditioner_form(network, config, frames), *(half_form(half, name, projection(name)) for name, half in halves.items())]


def conditioner_form(network: nn.Module, config: WaveRNNConfig, frames: int) -> Form:
    """What depends on the mel alone; its outputs are `condition_coarse` and `condition_fine`."""
    outputs, grids = tuple(f"condition_{name}" for name in HALVES), {key: scale for name in HALVES for key, scale in grids_of(name).items()}
    return Form("conditioner", ConditionerForm(network), {"mel": torch.rand(1, config.n_mels, frames)}, {"mel": {2: 1}}, outputs, grids=grids)


def half_form(half: Half, name: str, condition: str, columns: int = 1) -> Form:
    """One half of a step, of `columns` sequences side by side. `condition`: key of what it is given for the mel, which another form gives out."""
    inputs: dict[str, Nested] = {"state": torch.rand(1, 2 * half.units, columns), "seen": torch.rand(1, half.input.in_channels, columns)}
    inputs |= {"condition": torch.rand(1, 3 * half.units, columns)}
    links, states = {"condition": condition}, {"state": "next"}
    return Form(name, StepForm(half, name), inputs, {}, ("logits", "next"), links, states, grids_of(name) | {condition: GATE_SCALE})


def projection(name: str) -> str:
    """Key of what the conditioning network gives to a half."""
    return f"conditioner.projections.{HALVES.index(name)}:conv1d"


def grids_of(name: str) -> dict[str, float]:
    """Scales of the 16-bit tensors of a half: with these, sums of gates are sums of integers, and tables and draws are the same for every network."""
    gates = (projection(name), f"{name}.recurrent:conv1d", f"{name}.input:conv1d", *(f"{name}:{nth('add', i)}" for i in (1, 2, 3)), f"{name}:mul")
    state = dict.fromkeys((f"{name}:{operator}" for operator in ("sigmoid", "tanh", "lerp")), STATE_SCALE)
    return dict.fromkeys(gates, GATE_SCALE) | state | {f"{name}.logits:conv1d": LOGIT_SCALE}


def wide_of() -> dict[str, str]:
    """Keys of the tensors of 16 bits in both halves, and why."""
    return {key: DRAWN if key.endswith("logits:conv1d") else GATES for name in HALVES for key in grids_of(name)}


def _wide(config: WaveRNNConfig) -> dict[str, str]:
    return {"input:mel": AT_THE_FRAME_RATE} | wide_of()


def _beside(waveform: Tensor, frames: Tensor, hop_length: int) -> Tensor:
    """Those of the frames (B, C, F) that lie where the waveform is: in the middle."""
    count = waveform.shape[2] // hop_length
    return frames.narrow(2, (frames.shape[2] - count) // 2, count)


def _compose(config: WaveRNNConfig, graphs: Mapping[str, Callable[..., Any]]) -> Network:
    """Teacher forcing through the steps themselves, sample by sample: what is quantized is trained as it ships."""

    def network(waveform: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        conditions = [_beside(waveform, c, config.hop_length) for c in graphs["conditioner"](mel)]
        seen, logits = seen_symbols(waveform), []
        state = seen.new_zeros(len(seen), config.units, 1)
        for t in range(seen.shape[2]):
            at = [c[:, :, t // config.hop_length].unsqueeze(2) for c in conditions]
            coarse, first = graphs["coarse"](state, seen[:, :2, t : t + 1], at[0])
            fine, second = graphs["fine"](state, seen[:, :, t : t + 1], at[1])
            state = torch.cat([first, second], 1)
            logits.append((coarse, fine))
        coarse, fine = (torch.cat(half, 2) for half in zip(*logits, strict=True))
        return coarse, fine

    return network


def _at_once(network: nn.Module) -> Callable[[Tensor, Tensor], None]:
    """The products of a synthesis without the order in which they are made, to be counted: the states are given."""
    assert isinstance(network, WaveRNN)

    def synthesis(waveform: Tensor, mel: Tensor) -> None:
        network.conditioner(mel)
        halves_at_once(network.coarse, network.fine, waveform)

    return synthesis


def halves_at_once(coarse: Half, fine: Half, waveform: Tensor) -> None:
    """The products of both halves for each sample of a waveform (B, 1, T), whose states are given."""
    states, seen = waveform.expand(-1, 2 * coarse.units, -1), waveform.expand(-1, 3, -1)
    for half, inputs in ((coarse, seen[:, :2]), (fine, seen)):
        half.recurrent(states)
        half.input(inputs)
        half.read(states[:, : half.units])


def _inputs(config: WaveRNNConfig, frames: int) -> tuple[Tensor, ...]:
    return torch.zeros(1, 1, frames * config.hop_length), torch.zeros(1, config.n_mels, frames)


FAMILY = Family(
    name="wavernn",
    title="WaveRNN",
    config=WaveRNNConfig,
    network=WaveRNN,
    sizes=SIZES,
    inputs=_inputs,
    objective=lambda config, front_end: SymbolObjective(MARGIN),
    objective_name="symbol likelihood",
    sampler=lambda config: {"name": "wavernn"},
    plan=TrainingPlan(batch_size=32, frames=4 + 2 * MARGIN, learning_rate=1e-3, every=100),  # 1,024 samples between the margins; the paper's segments have 960
    forms=step_forms,
    compose=_compose,
    floats=lambda config: {},
    wide=_wide,
    matrices={f"{half}.{layer}": count for half in HALVES for layer, count in {"recurrent": 3, "hidden": 1}.items()},  # u, r and e; and O_1
    paper_synthesis=_at_once,
    paper_calls=1,
    calibration_frames=6,
)
