"""torch's dynamic quantization of WaveRNN: three shapes of one network, each the network itself until it is quantized."""

import numpy as np
import pytest
import torch
from tiny_vocoders import tiny_checkpoint
from tiny_wavernn import CONFIG

from vcompress.benchmarks import wavernn_dynamic
from vcompress.compress.torch_dynamic import Cells, Products, Whole, generate
from vcompress.runtime.random import RandomStream
from vcompress.vocoders.wavernn import WaveRNN

WAVEFORM = RandomStream(1).normal((8 * CONFIG.hop_length,)) * np.float32(0.2)


def network() -> WaveRNN:
    found = tiny_checkpoint("wavernn", CONFIG).build(folded=True)
    assert isinstance(found, WaveRNN)
    return found


@torch.no_grad()
@pytest.mark.parametrize("shape", [Whole, Cells, Products])
def test_every_shape_is_the_network(shape: type[torch.nn.Module]) -> None:
    plain, whole = network(), shape(network())
    waveform, mel = torch.from_numpy(WAVEFORM).reshape(1, 1, -1), torch.rand(1, 80, 8, generator=torch.Generator().manual_seed(0))
    forward = whole if shape is Whole else wavernn_dynamic._taught(whole)
    for found, expected in zip(forward(waveform, mel), plain(waveform, mel), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_shapes_draw_the_same() -> None:
    mel = torch.rand(1, 80, 3, generator=torch.Generator().manual_seed(0))
    cells, products = (shape(network()).eval() for shape in (Cells, Products))
    found = generate(cells, mel, CONFIG.hop_length, 5)
    assert len(found) == 24 and np.mean(np.equal(found, generate(products, mel, CONFIG.hop_length, 5))) > 0.6  # until a sum of floats is rounded otherwise


def test_the_benchmark_holds_int8_against_float() -> None:
    rows = wavernn_dynamic.measure(tiny_checkpoint("wavernn", CONFIG), np.tile(WAVEFORM, 8), 1)
    assert [row.shape for row in rows] == list(wavernn_dynamic.SHAPES)
    assert all(15 < row.snr < 80 and abs(row.nats) < 0.1 and row.micros[1].value > 0 for row in rows)
