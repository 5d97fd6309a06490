"""Calibration: what is observed, which range is chosen, and that the real sampler does the driving."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_vocoders import CONFIGS, calibrated, sampler_of, tiny_folded, tiny_mels

from vcompress.compress.calibration import calibrate
from vcompress.compress.fake_quantize import CLIPPING_CANDIDATES, SAMPLES_PER_CALL, WIDE_HEADROOM, ActivationQuantizer
from vcompress.compress.prepared import PreparedVocoder
from vcompress.errors import VcompressError
from vcompress.runtime.samplers import Tensors
from vcompress.runtime.schedule import noise_levels
from vcompress.vocoders.registry import find_family


def observe(quantizer: ActivationQuantizer, *batches: np.ndarray) -> ActivationQuantizer:
    quantizer.observing = True
    for batch in batches:
        x = torch.from_numpy(batch)
        assert quantizer(x) is x  # watching changes nothing
    quantizer.observing = False
    quantizer.choose_range()
    return quantizer


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    """Of u8 over [low, high], worked out in float64: 0 is exact, so the zero point is an integer."""
    scale = (high - low) / 255
    zero_point = np.clip(np.round(-low / scale), 0, 255)
    integers = np.clip(np.round(values / scale) + zero_point, 0, 255)
    return float(np.mean((scale * (integers - zero_point) - values) ** 2))


@given(st.integers(0, 10**6), st.sampled_from(["normal", "laplace", "rectified", "outlier", "shifted"]))
@settings(deadline=None, max_examples=30)
def test_the_clipping_chosen_has_the_least_squared_error(seed: int, shape: str) -> None:
    draw = np.random.default_rng(seed)
    values = draw.laplace(size=3000) if shape == "laplace" else draw.normal(size=3000)
    values = {"rectified": np.maximum(values, 0), "shifted": values + 2}.get(shape, values)
    if shape == "outlier":
        values[7] = 40
    values = values.astype(np.float32)
    quantizer = observe(ActivationQuantizer(), values[:2000], values[2000:])
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    errors = {(a, b): squared_error(values, a * low, b * high) for a in CLIPPING_CANDIDATES for b in CLIPPING_CANDIDATES}
    scale, zero_point = (tensor.item() for tensor in quantizer.calculate_qparams())
    integers = np.clip(np.round(values.astype(np.float64) / scale) + zero_point, 0, 255)
    error = np.mean((scale * (integers - zero_point) - values) ** 2)
    assert error == pytest.approx(min(errors.values()), rel=1e-3)
    assert quantizer.seen and 0 <= zero_point <= 255


def test_a_range_includes_zero_and_zero_is_exact() -> None:
    quantizer = observe(ActivationQuantizer(), np.linspace(3, 5, 500, dtype=np.float32))
    quantizer.faking = True
    scale, zero_point = quantizer.calculate_qparams()
    assert int(zero_point) == 0 and float(scale) * 255 == pytest.approx(5)
    assert quantizer(torch.zeros(4)).eq(0).all()


def test_nothing_but_zeros_gives_a_scale_all_the_same() -> None:
    scale, zero_point = observe(ActivationQuantizer(), np.zeros(100, np.float32)).calculate_qparams()
    assert float(scale) > 0 and int(zero_point) == 0


def test_wide_tensors_are_not_clipped() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    scale, zero_point = observe(ActivationQuantizer(wide=True), values).calculate_qparams()
    assert float(scale) == pytest.approx(WIDE_HEADROOM * np.abs(values).max() / 32767) and int(zero_point) == 0


def test_extremes_are_those_of_all_values_not_of_the_sample() -> None:
    values = np.zeros(50 * SAMPLES_PER_CALL, np.float32)
    values[12345] = 1000.0  # not in the sample: least squares knows nothing of it, and takes the narrowest range
    scale, _ = observe(ActivationQuantizer(wide=True), values).calculate_qparams()
    assert float(scale) == pytest.approx(WIDE_HEADROOM * 1000 / 32767)


def test_a_range_known_beforehand_is_not_observed() -> None:
    quantizer = observe(ActivationQuantizer(fixed=(2.0**-7, 128)), np.full(10, 50, np.float32))
    assert [float(x) for x in quantizer.calculate_qparams()] == [2.0**-7, 128]


@pytest.mark.parametrize("name", ["melgan", "diffwave"])
def test_the_sampler_goes_through_all_its_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vocoder, prepared, _ = calibrated(name)
    watched: Counter[str] = Counter()
    run = prepared.run

    def counting(graph: str, inputs: Tensors) -> Tensors:
        watched[graph] += any(quantizer.observing for quantizer in prepared.graphs[graph].tensors.values())
        return run(graph, inputs)

    monkeypatch.setattr(prepared, "run", counting)
    monkeypatch.setattr(prepared, "choose_ranges", lambda: None)  # the ranges are those of the fixture
    seen: list[tuple[int, int]] = []
    calibrate(prepared, sampler_of(vocoder), tiny_mels(3), lambda done, total: seen.append((done, total)))
    assert watched == {graph: 3 * calls for graph, calls in sampler_of(vocoder).calls.items()}
    assert watched.get("step", 18) == 18
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for graph in prepared.graphs.values():
        for quantizer in graph.tensors.values():
            quantizer._samples.clear()


@pytest.mark.parametrize("name", [name for name in CONFIGS if find_family(name).training_forms is None])  # the flows: in their own files
@torch.no_grad()
def test_a_calibrated_network_computes_what_it_did_until_it_fakes(name: str) -> None:
    vocoder, prepared, _ = calibrated(name)
    torch.manual_seed(0)
    inputs = [torch.rand_like(x) for x in vocoder.family.inputs(vocoder.trained.config, 6)]
    if name == "wavegrad":  # a level that the sampler went through
        inputs[1].fill_(float(noise_levels(vocoder.sampler["betas"])[-1]))
    if name == "vocos":  # no louder than the calibration: what is clipped loses its phase
        inputs[0] *= 0.3
    expected = vocoder.network(*inputs)
    assert (prepared(*inputs) - expected).abs().max() < 1e-5
    prepared.mode(faking=True)
    rounded = prepared(*inputs)
    prepared.mode()
    noise = (rounded - expected).square().mean() / expected.square().mean()
    assert 0 < noise < 0.1
    assert all(quantizer.seen for graph in prepared.graphs.values() for quantizer in graph.tensors.values())


def test_both_ends_of_a_link_are_one_quantizer() -> None:
    _, prepared, _ = calibrated("diffwave")
    conditioner, step = prepared.graphs["conditioner"], prepared.graphs["step"]
    assert len(step.form.links) == CONFIGS["diffwave"].layers
    for key in step.form.links.values():
        assert step.tensors[key] is conditioner.tensors[key]
        assert all(any(module is step.tensors[key] for module in graph.module.modules()) for graph in (conditioner, step))


def test_calibration_without_clips_is_refused() -> None:
    vocoder = tiny_folded("melgan")
    _, prepared, _ = calibrated("melgan")
    assert isinstance(prepared, PreparedVocoder)
    with pytest.raises(VcompressError, match="at least one clip"):
        calibrate(prepared, sampler_of(vocoder), [])
