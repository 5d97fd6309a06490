"""The network of SING (Défossez et al. 2018): an LSTM makes a sequence of frames, a convolutional decoder makes the waveform of it.

The LSTM is driven by embeddings of instrument, pitch, velocity and of the time since the beginning, and by nothing that it made itself. Every product is a
convolution here: an embedding that of a one-hot vector, the LSTM's two a step by themselves. Training goes through torch's LSTM, whose arithmetic is the same.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .windowed import WindowedTranspose1d, begin_as_sines, begin_for_relu

CODES = ("instrument", "pitch", "velocity", "time")


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
