"""torch's own dynamic quantization, `torch.ao.quantization.quantize_dynamic`, of WaveRNN, in the three shapes that it can be given.

No artifact is made of it: these modules have no ONNX form. `python -m vcompress.benchmarks.wavernn_dynamic` measures what it gives ([docs/wavernn.md]).
"""

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.draws import draw, integer_logits
from ..runtime.random import RandomStream
from ..vocoders.gru import gru_update
from ..vocoders.wavernn import Half, WaveRNN, gru_rows, seen_symbols

DYNAMIC = (nn.GRU, nn.GRUCell, nn.Linear)


def quantized(module: nn.Module) -> nn.Module:
    """A copy whose recurrent and linear layers have int8 weights, one scale a matrix, and quantize their inputs as they come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it is deprecated
        return torch.ao.quantization.quantize_dynamic(module, set(DYNAMIC), dtype=torch.qint8)  # type: ignore[no-any-return, attr-defined, no-untyped-call]


class Steps(nn.Module):
    """One half of a sample at a time. `units`: of a half."""

    units: int

    def frames(self, mel: Tensor) -> Sequence[Sequence[Tensor]]:
        """mel: (1, n_mels, F) -> for every frame what the coarse and the fine half are given, (1, width) each."""
        raise NotImplementedError

    def step(self, half: int, state: Tensor, seen: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """state: (1, units), seen: symbols, (1, 2 or 3) -> logits (1, 256), own next state."""
        raise NotImplementedError


class Cells(Steps):
    """The recurrent layer as torch's GRUCell: all units in either half of a sample, with columns of zeros where the coarse units see nothing."""

    def __init__(self, network: WaveRNN):
        super().__init__()
        self.features, self.units = network.conditioner.features, network.config.half
        self.cell, self.readers = nn.GRUCell(3 + network.config.channels, network.config.units), _readers(network)
        _copy(self.cell, network, "")

    def frames(self, mel: Tensor) -> Sequence[Sequence[Tensor]]:
        """See Steps."""
        return [[column.squeeze(2)] * 2 for column in self.features(mel).split(1, 2)]

    def step(self, half: int, state: Tensor, seen: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """See Steps."""
        found = self.cell(torch.cat([F.pad(seen, (0, 1 - half)), given], 1), state)
        own = found[:, : self.units] if half == 0 else found[:, self.units :]
        return self.readers[half](own), own


class Products(Steps):
    """The steps that ship, their products as linear layers; the few columns of the symbols stay as they are."""

    def __init__(self, network: WaveRNN):
        super().__init__()
        halves = (network.coarse, network.fine)
        self.conditions, self.units = network.conditioner.forward, network.config.half  # as a method: what is computed once for an utterance is no part of this
        self.inputs = [half.input.weight.detach().squeeze(2) for half in halves]
        self.recurrent, self.readers = nn.ModuleList(_linear(half.recurrent) for half in halves), _readers(network)

    def frames(self, mel: Tensor) -> Sequence[Sequence[Tensor]]:
        """See Steps."""
        return list(zip(*([column.squeeze(2) for column in c.split(1, 2)] for c in self.conditions(mel)), strict=True))

    def step(self, half: int, state: Tensor, seen: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """See Steps."""
        own = state[:, : self.units] if half == 0 else state[:, self.units :]
        own = gru_update(self.recurrent[half](state), F.linear(seen, self.inputs[half], given.squeeze(0)), own)
        return self.readers[half](own), own


class Whole(nn.Module):
    """The recurrent layer as torch's GRU, over a waveform that is there: waveform (1, 1, hop F), mel (1, n_mels, F) -> logits, as the network's forward."""

    def __init__(self, network: WaveRNN):
        super().__init__()
        self.features, self.config = network.conditioner.features, network.config
        self.layer, self.readers = nn.GRU(3 + network.config.channels, network.config.units, batch_first=True), _readers(network)
        _copy(self.layer, network, "_l0")

    def forward(self, waveform: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        given = torch.cat([seen_symbols(waveform), self.features(mel).repeat_interleave(self.config.hop_length, 2)], 1)
        states, n = self.layer(given.transpose(1, 2))[0], self.config.half
        coarse, fine = (reader(own).transpose(1, 2) for reader, own in zip(self.readers, (states[..., :n], states[..., n:]), strict=True))
        return coarse, fine


@torch.no_grad()
def generate(steps: Steps, mel: Tensor, hop_length: int, seed: int) -> list[int]:
    """Samples of 16 bits, drawn as everywhere here. mel: (1, n_mels, F)."""
    stream, seen = RandomStream(seed), torch.zeros(1, 3)
    states = [torch.zeros(1, steps.units)] * 2
    samples, frames = [], steps.frames(mel)
    for t in range(len(frames) * hop_length):
        given, state, drawn = frames[t // hop_length], torch.cat(states, 1), []
        for half in range(2):
            logits, states[half] = steps.step(half, state, seen[:, : 2 + half], given[half])
            drawn.append(draw(integer_logits(logits.numpy()), stream))
            seen[0, 2] = (drawn[0] - 128) / 128
        seen[0, 0], seen[0, 1] = (drawn[0] - 128) / 128, (drawn[1] - 128) / 128
        samples.append(256 * drawn[0] + drawn[1] - 32768)
    return samples


def _readers(network: WaveRNN) -> nn.ModuleList:
    return nn.ModuleList(nn.Sequential(_linear(half.hidden), nn.ReLU(), _linear(half.logits)) for half in (network.coarse, network.fine))


def _linear(layer: nn.Conv1d) -> nn.Linear:
    made = nn.Linear(layer.in_channels, layer.out_channels, bias=layer.bias is not None)
    made.load_state_dict({name: value.reshape(getattr(made, name).shape) for name, value in layer.state_dict().items()})
    return made


def _copy(layer: nn.GRU | nn.GRUCell, network: WaveRNN, suffix: str) -> None:
    """The weights of both halves and of what the mel adds, in the order of torch's GRU."""
    halves: tuple[Half, ...] = (network.coarse, network.fine)
    projections = list(network.conditioner.projections)
    blind = network.coarse.input.weight.new_zeros(3 * network.config.half, 1, 1)
    inputs = gru_rows([torch.cat([network.coarse.input.weight, blind], 1), network.fine.input.weight])
    bias = gru_rows([projection.bias for projection in projections])  # type: ignore[misc]
    weights = {
        "weight_ih": torch.cat([inputs, gru_rows([projection.weight for projection in projections])], 1).squeeze(2),  # type: ignore[misc]
        "weight_hh": gru_rows([half.recurrent.weight for half in halves]).squeeze(2),
        "bias_ih": bias,
        "bias_hh": torch.zeros_like(bias),
    }
    layer.load_state_dict({name + suffix: value.detach() for name, value in weights.items()})
