"""SING as its public code base has it, rebuilt from the names, shapes and behaviour of its checkpoints, to be saved as a whole module."""

import sys
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WindowedConvTranpose1d(nn.Module):
    """The misspelt name is the public one."""

    def __init__(self, conv_tr: nn.ConvTranspose1d):
        super().__init__()
        self.register_buffer("window", torch.hann_window(conv_tr.kernel_size[0]).square())
        self.conv_tr = conv_tr

    def forward(self, x: Tensor) -> Tensor:
        layer = self.conv_tr
        return F.conv_transpose1d(x, self.window * layer.weight, layer.bias, layer.stride, layer.padding)  # type: ignore[arg-type]


class ConvolutionalDecoder(nn.Module):
    def __init__(self, dimension: int, channels: int, kernel: int, hop: int, context: int):
        super().__init__()
        last = WindowedConvTranpose1d(nn.ConvTranspose1d(channels, 1, kernel, hop, kernel - hop))
        rewrites = [layer for _ in range(2) for layer in (nn.Conv1d(channels, channels, 1), nn.ReLU())]
        self.layers = nn.Sequential(nn.Conv1d(dimension, channels, context), nn.ReLU(), *rewrites, last)


class SequenceGenerator(nn.Module):
    def __init__(self, rows: tuple[int, int, int], steps: int, widths: tuple[int, int, int, int], units: int, layers: int, dimension: int):
        super().__init__()
        self.inputs = ["instrument", "pitch", "velocity"]
        self.tables = nn.ModuleList(nn.Embedding(count, width) for count, width in zip(rows, widths, strict=False))
        self.time_table = nn.Embedding(steps, widths[3])
        self.lstm, self.decoder = nn.LSTM(sum(widths), units, layers), nn.Linear(units, dimension)
        self.length = steps


class SING(nn.Module):
    """3 instruments, 5 pitches; notes of `frames` frames of 256 samples."""

    def __init__(self, frames: int = 6, units: int = 8, layers: int = 2):
        super().__init__()
        self.sequence_generator = SequenceGenerator((3, 5, 6), frames + 15, (4, 3, 2, 2), units, layers, 7)
        self.decoder = ConvolutionalDecoder(7, 10, 1024, 256, 9)

    def forward(self, instrument: int, pitch: int, velocity: int) -> Tensor:
        """Rows of the three tables -> waveform (256 frames,), as its generate program cuts it: 512 samples less at either end."""
        generator: SequenceGenerator = self.sequence_generator
        steps = generator.length
        note = [table(torch.tensor(row)).expand(steps, -1) for table, row in zip(generator.tables, (instrument, pitch, velocity), strict=True)]
        x, _ = generator.lstm(torch.cat([*note, generator.time_table.weight], 1)[:, None])
        return self.decoder.layers(generator.decoder(x[:, 0]).T[None])[0, 0, 512:-512]


PLACES = {
    SING: "sing.sequence.models",
    SequenceGenerator: "sing.sequence.models",
    ConvolutionalDecoder: "sing.ae.models",
    WindowedConvTranpose1d: "sing.ae.utils",
}


def published(monkeypatch: pytest.MonkeyPatch) -> SING:
    """A seeded network whose classes go by their public names, as in a program where the package is installed; hide `sing` before reading."""
    for kind, place in PLACES.items():
        monkeypatch.setattr(kind, "__module__", place)
        for name in (place.rpartition(".")[0], place):
            if name not in sys.modules:
                monkeypatch.setitem(sys.modules, name, ModuleType(name))
        setattr(sys.modules[place], kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "sing", ModuleType("sing"))
    torch.manual_seed(0)
    return SING().eval()
