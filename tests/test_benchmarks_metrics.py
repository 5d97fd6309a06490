"""The quality metrics: definitions, senses, traps."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bench import babble

from vcompress.benchmarks.metrics import METRICS, SNR
from vcompress.benchmarks.metrics.dnsmos import P808_FEATURES, dnsmos_features, dnsmos_ovrl, dnsmos_p808
from vcompress.benchmarks.metrics.frechet import frechet
from vcompress.benchmarks.metrics.spectral import d_stft

RATE = 16000
CLIP = babble()
GAIN_BLIND = ("pesq_wb", "pesq_nb", "stoi", "dnsmos_p808")


def figure(name: str, output: np.ndarray, reference: np.ndarray = CLIP):
    return METRICS[name].figure([reference], [output], RATE, ["clip"])


def noisy(snr_db: float) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(len(CLIP))
    return CLIP + noise * np.sqrt(np.mean(CLIP**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)


@pytest.mark.parametrize("name", ["log_mel_l1", "mr_stft", "d_stft"])
def test_distance_is_zero_when_output_is_the_reference(name: str) -> None:
    assert figure(name, CLIP).value == 0


def test_d_stft_equals_its_literal_definition() -> None:
    x, y = CLIP[:3000].astype(float), noisy(10)[:3000]
    window = [0.5 - 0.5 * np.cos(2 * np.pi * n / 1024) for n in range(1024)]
    total, count = 0.0, 0
    padded = [np.concatenate([w[512:0:-1], w, w[-2:-514:-1]]) for w in (x, y)]  # centred frames, reflected ends
    for start in range(0, len(padded[0]) - 1023, 256):
        powers = [np.abs(np.fft.fft(w[start : start + 1024] * window)[:513]) ** 2 for w in padded]
        total += np.sum(np.abs(np.log(1 + powers[0]) - np.log(1 + powers[1])))
        count += 513
    assert d_stft(x, y, RATE) == pytest.approx(total / count, rel=1e-9)


def test_log_mel_l1_counts_a_gain_of_6_db_as_ln_2() -> None:
    # Magnitudes, not powers: halving them moves every band by ln 2, but those that the clamp holds.
    loud = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    assert figure("log_mel_l1", loud / 2, loud).value == pytest.approx(np.log(2), abs=1e-3)


@pytest.mark.parametrize("name", GAIN_BLIND)
def test_metric_does_not_see_gain(name: str) -> None:
    assert figure(name, noisy(15) / 2).value == pytest.approx(figure(name, noisy(15)).value, abs=0.02)


@pytest.mark.parametrize("name", ["d_stft", "log_mel_l1", "mr_stft"])
def test_metric_sees_gain(name: str) -> None:
    assert figure(name, CLIP / 2).value > 0.01


@pytest.mark.parametrize("name", [name for name in METRICS if not name.startswith(("dnsmos", "frechet"))])
def test_more_noise_is_worse_by_the_metrics_sense(name: str) -> None:
    little, much = (figure(name, noisy(snr)).value for snr in (30, 0))
    assert little < much if METRICS[name].sense == "lower" else little > much


def test_dnsmos_equals_speechmos_where_it_can_be_imported() -> None:
    pytest.importorskip("librosa")
    speechmos = pytest.importorskip("speechmos.dnsmos")
    clip = np.tile(CLIP, 7)[: int(9.5 * RATE)].astype(np.float64)  # one window, so that OVRL is defined alike
    theirs = speechmos.run(clip, RATE)
    assert dnsmos_ovrl(clip, clip, RATE) == pytest.approx(theirs["ovrl_mos"], abs=1e-3)
    assert dnsmos_p808(clip, clip, RATE) == pytest.approx(theirs["p808_mos"], abs=1e-3)


def test_dnsmos_features_are_what_the_last_layer_weighs() -> None:
    from pathlib import Path

    import onnx
    import speechmos
    from onnx import numpy_helper

    model = onnx.load(Path(speechmos.__file__).parent / "dnsmos_models" / "model_v8.onnx")
    product, addition = model.graph.node[-2:]
    assert product.input[0] == P808_FEATURES
    weights, bias = (numpy_helper.to_array(i) for name in (product.input[1], addition.input[1]) for i in model.graph.initializer if i.name == name)
    features = dnsmos_features(CLIP, RATE)
    assert features.shape[1] == 64
    assert float(np.mean(features @ weights + bias)) == pytest.approx(dnsmos_p808(CLIP, CLIP, RATE), abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(2, 12), st.integers(1, 6))
def test_frechet_is_symmetric_and_zero_of_itself(seed: int, n: int, m: int, width: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = draw.standard_normal((n, width)), 2 + 3 * draw.standard_normal((m, width))
    assert frechet(x, y) == pytest.approx(frechet(y, x), rel=1e-9)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_of_two_lines_is_that_of_two_gaussians() -> None:
    # One dimension: (difference of means)^2 + (difference of standard deviations)^2.
    x, y = np.array([[0.0], [2.0]]), np.array([[10.0], [16.0]])
    assert frechet(x, y) == pytest.approx(12.0**2 + (np.sqrt(2) - np.sqrt(18)) ** 2)


def test_snr_is_20_db_when_noise_is_a_tenth() -> None:
    assert SNR.figure([CLIP], [CLIP * 1.1], RATE, ["clip"]).value == pytest.approx(20, abs=1e-3)


def test_snr_is_absent_when_outputs_are_equal() -> None:
    found = SNR.figure([CLIP], [CLIP], RATE, ["clip"])
    assert found.value is None and "equals the fp32 output" in found.reason


@pytest.mark.parametrize(("name", "package"), [("pesq_wb", "pesq"), ("stoi", "pystoi"), ("dnsmos_ovrl", "speechmos"), ("frechet_dnsmos", "speechmos")])
def test_metric_is_absent_with_its_reason_when_its_package_is_missing(monkeypatch: pytest.MonkeyPatch, name: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    found = figure(name, CLIP)
    assert found.value is None and found.repeats == 0
    assert found.reason == f"{package} is not installed; run: pip install 'vcompress[quality]'"


@pytest.mark.parametrize(
    ("name", "reference", "output", "reason"),
    [
        ("pesq_wb", CLIP, np.zeros_like(CLIP), "the output is silent"),
        ("pesq_nb", np.zeros_like(CLIP), CLIP, "No utterances detected"),
        ("stoi", CLIP[:2000], CLIP[:2000], "less than 30 frames of speech"),
        ("log_mel_l1", CLIP, CLIP * np.nan, "nan"),
    ],
)
def test_metric_is_absent_with_its_reason_when_it_fails(name: str, reference: np.ndarray, output: np.ndarray, reason: str) -> None:
    found = figure(name, output, reference)
    assert found.value is None and reason in found.reason and "clip" in found.reason


def test_one_failing_clip_leaves_no_mean_over_the_others() -> None:
    found = METRICS["pesq_wb"].figure([CLIP, CLIP], [CLIP, np.zeros_like(CLIP)], RATE, ["good", "bad"])
    assert found.value is None and "clip bad" in found.reason
