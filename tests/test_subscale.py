"""Subscale WaveRNN: who may know of whom, its steps, parts made side by side or one after the other, and its integers."""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import torch
from tiny_vocoders import sampler_of, tiny_checkpoint, tiny_mels
from torch import Tensor

from vcompress.benchmarks import wavernn_subscale
from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder, run_form
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.errors import VcompressError
from vcompress.export import loop
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.draws import draw, draw_each
from vcompress.runtime.random import RandomStream
from vcompress.runtime.samplers import Run, make_sampler
from vcompress.runtime.samplers.wavernn_subscale import SubscaleSampler
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.objectives import SymbolObjective
from vcompress.vocoders.registry import find_family, find_size
from vcompress.vocoders.segments import Batch
from vcompress.vocoders.wavernn_subscale import FAMILY, SIZES, SubscaleConfig, step_forms

CONFIG = SubscaleConfig(
    units=16, hidden=8, channels=8, layers=2, hop_length=8, parts=4, lookahead=1, context_channels=6, context_layers=2
)  # each part sees 4 columns of those before it, 1 of them ahead
FRAMES = 6
SAMPLES = FRAMES * CONFIG.hop_length


@cache
def folded() -> FoldedVocoder:
    return FoldedVocoder.of(tiny_checkpoint("subscale", CONFIG))


@cache
def quantized() -> tuple[PreparedVocoder, ScaleTable]:
    """Calibrated; not to be changed but for `mode`."""
    prepared = PreparedVocoder(FAMILY, folded().network, CONFIG)
    calibrate(prepared, sampler_of(folded()), [mel[:, :FRAMES] for mel in tiny_mels()])
    return prepared, ScaleTable.of(prepared.graphs.values())


@cache
def exported(method: str) -> Artifact:
    return write_artifact(folded(), Recipe(method), "tiny", Path(mkdtemp(prefix="subscale-")) / "artifact", quantized()[1] if method == "static" else None)


def waveform_and_mel(batch: int = 2) -> tuple[Tensor, Tensor]:
    draw_numbers = torch.Generator().manual_seed(1)
    return 0.3 * torch.randn(batch, 1, SAMPLES, generator=draw_numbers), torch.rand(batch, 80, FRAMES, generator=draw_numbers)


def in_torch() -> Run:
    forms = {form.name: form for form in step_forms(folded().network, CONFIG)}
    return lambda graph, inputs: run_form(forms[graph], forms[graph].module, inputs)


def sampler(lag: int | None = None) -> SubscaleSampler:
    found = sampler_of(folded())
    assert isinstance(found, SubscaleSampler)
    return replace(found, lag=lag)


# --- the network --------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_steps_of_all_parts_give_what_the_whole_network_does() -> None:
    waveform, mel = waveform_and_mel()
    steps = FAMILY.compose(CONFIG, {form.name: form.module for form in step_forms(folded().network, CONFIG)})
    for expected, found in zip(folded().network(waveform, mel), steps(waveform, mel), strict=True):
        assert expected.shape == (2, 256, SAMPLES) and expected.std() > 0.01
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)


@torch.no_grad()
def test_a_part_knows_its_own_past_and_of_the_parts_before_it_some_future_too() -> None:
    """One sample is changed; whose logits change is what the paper's order allows, and all of that at its edges."""
    waveform, mel = waveform_and_mel(1)
    before = folded().network(waveform, mel)
    parts, ahead = CONFIG.parts, CONFIG.lookahead
    for position in (17, 18, 30, 33, 47):
        other = waveform.clone()
        other[0, 0, position] += 0.25  # both symbols
        z, k = position % parts, position // parts
        for name, logits, expected in zip(("coarse", "fine"), folded().network(other, mel), before, strict=True):
            changed = {int(t) for t in (logits - expected).abs().amax((0, 1)).gt(1e-7).nonzero()[:, 0]}
            first = {z: k + (name == "coarse")} | {s: k - ahead for s in range(z + 1, parts)}  # the fine half is told of its own coarse symbol
            allowed = {t for t in range(SAMPLES) if t % parts in first and t // parts >= first[t % parts]}
            assert changed <= allowed
            assert {parts * i + s for s, i in first.items() if parts * i + s < SAMPLES} <= changed


def test_both_numbers_of_parts_are_sizes_and_divide_the_hop() -> None:
    assert {size: config.parts for size, config in SIZES.items()} == {"S": 16, "S8": 8, "M": 16, "M8": 8, "L": 16, "L8": 8}
    family = find_family("subscale")
    assert find_size(family, "s8") == "S8" and family.sizes["L"].units == family.sizes["L8"].units == 896
    assert all(config.hop_length % config.parts == 0 and config.parts * config.seen == 256 for config in SIZES.values())
    with pytest.raises(ValueError, match="are not 7 parts"):
        replace(CONFIG, parts=7)


# --- the sampler --------------------------------------------------------------------------------------------------------------


def test_draws_side_by_side_are_those_one_after_the_other() -> None:
    logits = np.random.default_rng(0).integers(-2000, 2000, (5, 256))
    stream = RandomStream(4)
    assert draw_each(logits, RandomStream(4).words(5)).tolist() == [draw(row, stream) for row in logits]


@pytest.mark.parametrize("runs", ["torch", "fp32", "static"])
def test_parts_side_by_side_are_the_parts_one_after_the_other(runs: str) -> None:
    """Sample for sample: with a lag as long as a part, the next one begins when all of the one before it is there."""
    run = in_torch() if runs == "torch" else load("onnxruntime", exported(runs)).run
    mel, length = tiny_mels(1)[0][:, :FRAMES], SAMPLES // CONFIG.parts
    together, one_by_one = sampler(), sampler(length)
    found = together.synthesize(run, mel, 3)
    assert np.array_equal(found, one_by_one.synthesize(run, mel, 3))
    assert len(set(found.tolist())) > SAMPLES / 2 and np.abs(found).max() <= 1
    assert (together.turns(FRAMES), one_by_one.turns(FRAMES)) == (length + 3 * 2, 4 * length)
    assert not np.array_equal(found, together.synthesize(run, mel, 4))


def test_what_is_generated_is_what_the_network_draws_when_it_is_told_all_of_it() -> None:
    mel = tiny_mels(1)[0][:, :FRAMES]
    waveform = sampler().synthesize(in_torch(), mel, 5)
    with torch.no_grad():
        logits = folded().network(torch.from_numpy(waveform)[None, None], torch.from_numpy(mel)[None])
    words = RandomStream(5).words(2 * SAMPLES).reshape(-1, 2)  # sample by sample, coarse first: those of WaveRNN
    coarse, fine = (draw_each(np.rint(half[0].T.numpy() * 256).astype(np.int64), words[:, i]) for i, half in enumerate(logits))
    assert (256 * coarse + fine - 32768 == waveform * 32768).mean() > 0.95  # a logit may be rounded to another integer


def test_each_call_is_made_for_all_parts_and_as_often_as_is_said() -> None:
    calls: Counter[str] = Counter()

    def run(graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        calls[graph] += 1
        assert graph == "conditioner" or {array.shape[2] for array in inputs.values()} == {CONFIG.parts}
        return in_torch_once(graph, inputs)

    in_torch_once = in_torch()
    found = sampler()
    found.synthesize(run, tiny_mels(1)[0][:, :FRAMES])
    turns = FRAMES * found.calls["coarse"] + 3 * 2
    assert calls == {"conditioner": 1, "context": turns + CONFIG.context_layers, "coarse": turns, "fine": turns}


@pytest.mark.parametrize("damage", [{"parts": 1}, {"parts": 3}, {"lookahead": -1}, {"layers": 0}, {"layers": 99}, {"parts": "x"}])
def test_damaged_settings_are_refused(damage: dict[str, object]) -> None:
    with pytest.raises(VcompressError, match="damaged"):
        make_sampler({"name": "wavernn_subscale", "parts": 4, "lookahead": 1, "layers": 2, **damage}, 8)


# --- integers -----------------------------------------------------------------------------------------------------------------


def test_every_layer_is_quantized_and_gates_and_state_have_16_bits() -> None:
    prepared, table = quantized()
    assert not any(graph.skipped for graph in prepared.graphs.values())
    bits = {path: (b.input, b.output) for path, b in prepared.graphs["context"].quantized.items()}
    inner, outer = {f"context.{path}": (8, 8) for path in ("input", "layers.0", "layers.1")}, {f"context.projections.{i}": (8, 16) for i in (0, 1)}
    assert bits == inner | outer
    wide = {key for key, entry in table.entries.items() if entry.bits == 16 and "slice" not in key}
    assert wide == set(FAMILY.wide(CONFIG))
    ports = {port.name: port for port in exported("static").manifest.graphs["context"].inputs}
    assert {name: port.dtype for name, port in ports.items()} == {"columns": "float32", "condition_coarse": "int16", "condition_fine": "int16"} | dict.fromkeys(
        ("past_0", "past_1"), "uint8"
    )
    assert ports["past_1"].scale == table.entries["context:add"].scale  # what the second layer sees is the first's sum


def test_what_is_quantized_is_trained_as_it_ships() -> None:
    prepared, _ = quantized()
    waveform, mel = waveform_and_mel()
    rounded = []
    for faking in (False, True):
        prepared.mode(faking=faking)
        loss = SymbolObjective().loss(prepared, Batch(mel, waveform, 0))
        rounded.append(loss.item())
    prepared.mode()
    loss.backward()
    assert 0 < abs(rounded[1] - rounded[0]) < 0.05
    trained = dict(prepared.graphs["context"].module.named_parameters())
    assert all(trained[f"context.{layer}.weight"].grad.any() for layer in ("input", "layers.0", "layers.1", "projections.1"))


def test_an_artifact_has_no_loop_for_one_sample_at_a_time(tmp_path: Path) -> None:
    artifact = exported("static")
    assert synthesize(artifact, load("onnxruntime", artifact), tiny_mels(1)[0][:, :4], 1).shape == (32,)
    with pytest.raises(VcompressError, match="is no WaveRNN"):
        loop.derive(tmp_path, artifact.manifest, None)


def test_what_several_samples_a_step_bring_is_timed_in_turn() -> None:
    artifacts = {("S", 1, "int8"): exported("fp32"), ("S", 4, "int8"): exported("static")}
    race = wavernn_subscale.measure(artifacts, 0.004, 3)
    rows = wavernn_subscale.table(artifacts, race, 0.004).split("\n")[2:]
    assert len(rows) == 2 and rows[0].endswith("| 1.00 x |") and rows[1].startswith("| S | int8 | 4 |")
    turns = 64 // 4 + 3 * 2  # of the 64 samples that are the least number of frames
    assert wavernn_subscale.calls_a_second(exported("static"), 0.004) == pytest.approx((1 + 2 + 3 * turns) * 16000 / 64)
