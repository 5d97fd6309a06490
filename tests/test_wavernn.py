"""WaveRNN: its likelihood, its two steps, the integers of these, and draws that any machine repeats."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_vocoders import sampler_of, tiny_checkpoint, tiny_mels
from tiny_wavernn import CONFIG, FRAMES, exported, quantized
from torch import Tensor

from vcompress.benchmarks.flops import executed_gflops_per_second
from vcompress.compress.calibration import loudest
from vcompress.compress.dynamic import quantize_dynamic
from vcompress.compress.prepared import run_form
from vcompress.export.inspection import kernels
from vcompress.runtime.backends import load
from vcompress.runtime.draws import LOGIT_SCALE, draw, integer_logits, weight_table
from vcompress.runtime.random import RandomStream
from vcompress.runtime.samplers import Tensors, make_sampler
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.objectives import SymbolObjective, symbols
from vcompress.vocoders.segments import Batch
from vcompress.vocoders.wavernn import FAMILY, WaveRNN, seen_symbols, step_forms


def network() -> WaveRNN:
    found = tiny_checkpoint("wavernn", CONFIG).build()
    assert isinstance(found, WaveRNN)
    return found


def waveform_and_mel(batch: int = 2) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return 0.3 * torch.randn(batch, 1, FRAMES * CONFIG.hop_length, generator=draw), torch.rand(batch, 80, FRAMES, generator=draw)


def test_symbols_are_the_halves_of_16_bits() -> None:
    coarse, fine = symbols(torch.tensor([[[-2.0, -1.0, -1 / 32768, 0.0, 1 / 32768, 0.5, 1.0]]]))
    assert (256 * coarse + fine).tolist() == [[0, 0, 32767, 32768, 32769, 49152, 65535]]


def test_a_step_sees_the_sample_before_and_the_coarse_symbol_of_its_own() -> None:
    waveform = torch.tensor([[[0.0, 0.5 + 3 / 32768, -1.0]]])
    assert (seen_symbols(waveform)[0] * 128 + 128).tolist() == [[128, 128, 192], [0, 0, 3], [128, 192, 0]]


@torch.no_grad()
def test_steps_from_a_zero_state_give_what_the_whole_network_does() -> None:
    whole, (waveform, mel) = network(), waveform_and_mel()
    steps = FAMILY.compose(CONFIG, {form.name: form.module for form in step_forms(whole, CONFIG)})
    for expected, found in zip(whole(waveform, mel), steps(waveform, mel), strict=True):
        assert expected.shape == (2, 256, FRAMES * CONFIG.hop_length) and expected.std() > 0.01
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)
    middle, hop = waveform[:, :, 2 * CONFIG.hop_length : -2 * CONFIG.hop_length], CONFIG.hop_length  # with more of the mel at either end
    for expected, found in zip(whole(middle, mel), steps(middle, mel), strict=True):
        assert expected.shape == (2, 256, (FRAMES - 4) * hop)
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)


@torch.no_grad()
def test_the_margin_of_a_segment_is_heard_and_not_judged() -> None:
    whole, (waveform, mel) = network(), waveform_and_mel(1)
    batch, hop = Batch(mel, waveform, 0), CONFIG.hop_length

    def loss(waveform: Tensor, mel: Tensor, margin: int = 2) -> float:
        return SymbolObjective(margin).loss(whole, Batch(mel, waveform, 0)).item()

    judged, elsewhere, further = (tensor.clone() for tensor in (waveform, waveform, mel))
    judged[:, :, 2 * hop] += 0.1
    elsewhere[:, :, : 2 * hop] += 0.1
    further[:, :, 1] += 1
    first = loss(batch.waveform, batch.mel)
    assert loss(elsewhere, mel) == first and loss(judged, mel) != first and loss(waveform, further) != first
    assert loss(waveform, mel, 9) == loss(waveform, mel, (FRAMES - 1) // 2)  # of a segment that has no more


@torch.no_grad()
def test_no_symbol_is_told_itself_and_fine_is_told_coarse() -> None:
    whole, (waveform, mel) = network(), waveform_and_mel(1)
    coarse, fine = whole(waveform, mel)

    def first_changes(by: float) -> list[int]:
        other = waveform.clone()
        other[0, 0, 20] += by
        return [int((a - b).abs().amax((0, 1)).gt(1e-7).nonzero()[0]) for a, b in zip(whole(other, mel), (coarse, fine), strict=True)]

    waveform[0, 0, 20] = 64 / 32768  # in the middle of a coarse symbol
    coarse, fine = whole(waveform, mel)
    assert first_changes(1 / 32768) == [21, 21]
    assert first_changes(256 / 32768) == [21, 20]


def test_the_loss_is_in_nats_a_sample_and_goes_down() -> None:
    objective, (waveform, mel) = SymbolObjective(), waveform_and_mel()
    batch = Batch(mel, waveform, 0)
    flat = torch.zeros(2, 256, waveform.shape[2])
    assert objective.loss(lambda *_: (flat, flat), batch).item() == pytest.approx(2 * math.log(256))
    whole = network().train()
    optimizer = torch.optim.Adam(whole.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = objective.loss(whole, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.3
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in whole.parameters())


# --- draws ------------------------------------------------------------------------------------------------------------------


def test_a_draw_falls_as_often_on_a_symbol_as_its_probability_says() -> None:
    logits = np.array([0.0, 1.0, 2.0, -1.0, *[-40.0] * 252], np.float32)
    stream, count = RandomStream(5), 4000
    found = Counter(draw(integer_logits(logits), stream) for _ in range(count))
    probabilities = np.exp(logits) / np.exp(logits).sum()
    for symbol in range(4):
        expected = count * probabilities[symbol]
        assert abs(found[symbol] - expected) < 4 * math.sqrt(expected)
    assert set(found) == {0, 1, 2, 3}


def test_a_draw_is_the_first_symbol_beyond_a_uniform_integer() -> None:
    """By hand: weights 2^23 and 2^23 / e, rounded; the word's upper half times their sum, shifted by 32."""
    integers = np.full(256, -32767)
    integers[7], integers[200] = 256, 0
    total = 8388608 + 3085996
    for seed in range(20):
        uniform = (int(RandomStream(seed).words(1)[0]) >> 32) * total >> 32
        assert draw(integers, RandomStream(seed)) == (7 if uniform < 8388608 else 200)
    table = weight_table()
    assert table[0] == 8388608 and table[256] == 3085996 and table[-2] == 1 and table[-1] == 0
    assert 256 * int(table[0]) < 2**32  # of 256 symbols that are equally likely


def test_logits_that_are_no_numbers_are_drawn_from_all_the_same() -> None:
    assert integer_logits(np.array([np.nan, np.inf, -np.inf, 1.0], np.float32)).tolist() == [0, 32767, -32767, 256]


# --- the sampler ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("integers", [False, True], ids=["floats", "integers with the channels last"])
def test_the_sampler_hands_on_states_and_symbols(integers: bool) -> None:
    given: list[tuple[str, Tensors]] = []
    n = CONFIG.half

    def ordered(tensor: np.ndarray) -> np.ndarray:
        return tensor.transpose(0, 2, 1).astype(np.int16) if integers else tensor

    def run(graph: str, inputs: Tensors) -> Tensors:
        given.append((graph, inputs))
        if graph == "conditioner":
            frames = np.arange(2.0).reshape(1, 1, 2).repeat(3 * n, 1)
            return {f"condition_{half}": ordered(frames + k) for k, half in enumerate(("coarse", "fine"))}
        logits = np.full((1, 256, 1), -100, np.float32)
        logits[0, 129 if graph == "coarse" else 3] = 0
        return {"logits": logits, "next": ordered(np.full((1, n, 1), float(len(given))))}

    sampler = make_sampler({"name": "wavernn"}, 8)
    waveform = sampler.synthesize(run, np.zeros((80, 2), np.float32))
    assert waveform.tolist() == [(256 + 3) / 32768] * 16
    assert [graph for graph, _ in given] == ["conditioner", *["coarse", "fine"] * 16]
    assert Counter(graph for graph, _ in given) == {graph: count * (2 if graph in sampler.each_frame else 1) for graph, count in sampler.calls.items()}
    (_, first), (_, second), (_, third) = given[1:4]
    assert "state" not in first and "state" not in second
    assert (first["seen"].reshape(-1) * 128 + 128).tolist() == [128, 0]
    assert (second["seen"].reshape(-1) * 128 + 128).tolist() == [128, 0, 129]
    assert (third["seen"].reshape(-1) * 128 + 128).tolist() == [129, 3]
    assert third["state"].reshape(-1).tolist() == [2] * n + [3] * n
    assert third["state"].shape == ((1, 1, 2 * n) if integers else (1, 2 * n, 1))
    assert [float(inputs["condition"].reshape(-1)[0]) for _, inputs in (given[1], given[2], given[17], given[18])] == [0, 1, 1, 2]


# --- integers ---------------------------------------------------------------------------------------------------------------


def test_every_layer_is_quantized_and_the_state_has_16_bits() -> None:
    vocoder, prepared, table = quantized()
    for name in ("coarse", "fine"):
        graph = prepared.graphs[name]
        assert not graph.skipped and {path: (b.input, b.output) for path, b in graph.quantized.items()} == {
            f"{name}.recurrent": (8, 16),
            f"{name}.input": (8, 16),
            f"{name}.hidden": (8, 8),
            f"{name}.logits": (8, 16),
        }
        state, gate, logit = (table.entries[f"{name}{key}"] for key in (":lerp", ".recurrent:conv1d", ".logits:conv1d"))
        assert (state.scale, gate.scale, logit.scale) == (2.0**-15, 2.0**-11, LOGIT_SCALE)
        assert {entry.bits for entry in (state, gate, logit)} == {16}
    wide = {key for key, entry in table.entries.items() if entry.bits == 16 and "slice" not in key}
    assert wide == set(vocoder.family.wide(CONFIG))


@pytest.mark.parametrize("method", ["fp32", "static"])
def test_an_artifact_synthesizes_in_onnxruntime(method: str) -> None:
    artifact, vocoder = exported(method, loop=method == "static"), quantized()[0]
    mel = tiny_mels(1)[0][:, :FRAMES]
    found = synthesize(artifact, load("onnxruntime", artifact), mel, 3)
    assert found.shape == (FRAMES * CONFIG.hop_length,) and found.dtype == np.float32 and np.abs(found).max() <= 1
    assert len(set(found.tolist())) > 10
    if method == "fp32":
        forms = {form.name: form for form in vocoder.family.forms(vocoder.network, CONFIG)}
        expected = sampler_of(vocoder).synthesize(lambda graph, inputs: run_form(forms[graph], forms[graph].module, inputs), mel, 3)
        assert (found == expected).mean() > 0.4  # the same draws until a logit is rounded to another integer
    if method == "static":
        ports = {port.name: port for graph in ("coarse", "fine") for port in artifact.manifest.graphs[graph].inputs}
        assert {name: port.dtype for name, port in ports.items()} == {"state": "int16", "condition": "int16", "seen": "float32"}
        assert (ports["state"].scale, ports["condition"].scale) == (2.0**-15, 2.0**-11)


def test_every_product_of_a_step_can_be_quantized_as_it_comes(tmp_path: Path) -> None:
    artifact = exported("fp32", loop=False)
    for name in ("coarse", "fine"):
        quantize_dynamic(artifact.graph_path(name), tmp_path / "dynamic.onnx")
        assert kernels(tmp_path / "dynamic.onnx")["ConvInteger"] == 4


def test_operations_of_a_second_are_those_of_its_samples() -> None:
    artifact = exported("fp32", loop=False)
    samples, n, h = 16000, CONFIG.half, CONFIG.hidden
    steps = 2 * (3 * n * 2 * n + h * n + 256 * h) + 3 * n * (2 + 3)
    frames = 80 * 8 + 2 * 3 * 8 * 8 + 2 * 8 * 3 * n
    seconds = artifact.manifest.front_end.sample_rate / 16000
    assert executed_gflops_per_second(artifact) == pytest.approx(2e-9 * (steps * samples + frames * samples / CONFIG.hop_length) * seconds, rel=1e-3)


def test_quantization_aware_training_goes_through_the_steps() -> None:
    _, prepared, _ = quantized()
    waveform, mel = waveform_and_mel()
    batch = Batch(mel[:, :, :4], waveform[:, :, : 4 * CONFIG.hop_length], 0)
    rounded = []
    for faking in (False, True):
        prepared.mode(faking=faking)
        loss = SymbolObjective().loss(prepared, batch)
        rounded.append(loss.item())
    prepared.mode()
    loss.backward()
    assert 0 < abs(rounded[1] - rounded[0]) < 0.05
    graph = prepared.graphs["fine"]
    trained = dict(graph.module.named_parameters())
    assert all(trained[f"fine.{layer}.weight"].grad.any() for layer in ("recurrent", "input", "hidden", "logits"))
    assert graph.tensors["fine:relu"].stretch.grad is not None and graph.tensors["fine:lerp"].stretch.grad is None


def test_a_calibration_goes_through_the_loudest_stretch() -> None:
    mel = np.zeros((80, 30), np.float32)
    mel[:, 17:20] = 1
    assert loudest(mel, 5).sum() == 80 * 3 and loudest(mel, 5).shape == (80, 5)
    assert loudest(mel, None) is mel and loudest(mel, 40) is mel
