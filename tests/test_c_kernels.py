"""The C kernels and their twins in numpy: equal bit for bit, and within one step of real arithmetic."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import c_kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcompress.errors import VcompressError
from vcompress.export.c.reference import fixed_point, kernels
from vcompress.export.c.reference.kernels import InputFacts, clamp_of

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed")
BITS = (8, 16)
few = settings(max_examples=20 if c_kernels.SANITIZED in os.environ else 60, deadline=None)


def integers(rng: np.random.Generator, bits: int, shape: int | tuple[int, ...]) -> np.ndarray:
    """Any integers of a width, the extremes more often."""
    low, high = kernels.LIMITS[bits]
    return np.where(rng.random(shape) < 0.3, rng.choice([low, high], shape), rng.integers(low, high + 1, shape))


@st.composite
def layers(draw: st.DrawFn) -> tuple[kernels.Layer, np.ndarray, np.ndarray, int, int]:
    """A layer, its real factors, input rows, bits of input and output."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    input_bits, output_bits, variant = draw(st.sampled_from(BITS)), draw(st.sampled_from(BITS)), draw(st.sampled_from(("q31", "q15")))
    groups, taps = draw(st.sampled_from((1, 1, 2, 5))), draw(st.integers(1, 7))
    inputs, outputs = draw(st.sampled_from(((1, 1), (3, 2), (16, 5), (29, 3), (72, 4))))
    weights = np.where(
        rng.random((groups * outputs, taps, inputs)) < draw(st.sampled_from((0.0, 1.0))), 127, rng.integers(-127, 128, (groups * outputs, taps, inputs))
    )
    bias = rng.integers(-40_000, 40_000, groups * outputs)
    of = InputFacts(input_bits, draw(st.integers(-128, 127)) if input_bits == 8 else 0)
    spread = np.sqrt(inputs * taps) * 70 * (74 if input_bits == 8 else 19_000)
    factor = kernels.LIMITS[output_bits][1] / spread * np.exp(rng.uniform(-3, 3, groups * outputs))
    clamp = clamp_of(output_bits, draw(st.integers(-128, 127)) if output_bits == 8 else 0, draw(st.sampled_from((None, 0))))
    layer = kernels.layer("here", weights, bias, factor, of, clamp, variant, groups)
    return layer, factor, integers(rng, input_bits, (taps, groups * inputs)), input_bits, output_bits


@needs_cc
@few
@given(layers())
def test_conv_in_c_equals_the_reference(case: tuple[kernels.Layer, np.ndarray, np.ndarray, int, int]) -> None:
    layer, _, rows, input_bits, output_bits = case
    assert np.array_equal(c_kernels.conv(layer, rows, input_bits, output_bits), kernels.conv(layer, rows))


@few
@given(layers())
def test_conv_is_within_one_of_real_arithmetic(case: tuple[kernels.Layer, np.ndarray, np.ndarray, int, int]) -> None:
    layer, factor, rows, _, _ = case
    group = layer.outputs // layer.groups
    for o in range(layer.outputs):
        start = o // group * layer.weights.shape[2]
        exact = (int((layer.weights[o] * rows[:, start : start + layer.weights.shape[2]]).sum()) + int(layer.bias[o])) * factor[o]
        assert abs(np.clip(exact + layer.clamp.zero_point, layer.clamp.low, layer.clamp.high) - kernels.conv(layer, rows)[o]) <= 1


@needs_cc
@pytest.mark.parametrize("inputs", (7, 512, 513, 1700))
def test_conv_with_the_largest_sums(inputs: int) -> None:
    for sign in (-1, 1):
        weights = np.full((3, 1, inputs), sign * 127)
        layer = kernels.layer("here", weights, np.array([0, 5000, -5000]), np.full(3, 1e-5), InputFacts(8), clamp_of(8))
        rows = np.full((1, inputs), -128)
        assert np.array_equal(c_kernels.conv(layer, rows, 8, 8), kernels.conv(layer, rows))


@few
@given(st.lists(st.floats(1e-12, 0.9 * 2**29), min_size=1, max_size=4), st.integers(-(2**31), 2**31 - 1))
def test_q31_rounds_to_nearest(factors: list[float], x: int) -> None:
    requantize = fixed_point.q31(np.array(factors))
    result = requantize(np.full(len(factors), x, np.int64))
    assert ((requantize.multiplier >= 0) & (requantize.multiplier < 2**31) & (requantize.shift >= 1) & (requantize.shift <= 62)).all()
    for value, factor in zip(result, factors, strict=True):
        assert abs(value - x * factor) <= 0.5 + abs(x) * factor * 2.0**-30 + abs(x) * 2.0**-63


@few
@given(st.floats(1e-9, 0.4), st.integers(1, 2**31 - 1), st.floats(-1, 1))
def test_q15_is_within_one_for_every_sum_of_the_proof(factor: float, reach: int, part: float) -> None:
    low, high = -reach - 1, reach
    requantize = fixed_point.q15(np.array([factor]), low, high)
    if requantize is None:
        assert factor * 2 ** fixed_point.preshift_of(low, high) > fixed_point.COARSE
        return
    x = round(part * reach)
    if abs(x * factor) < 300:
        assert abs(requantize(np.array([x]))[0] - x * factor) <= 1
    y = [(end + ((1 << requantize.preshift) >> 1)) >> requantize.preshift for end in (low, high)]
    assert min(y) >= -(2**15) and max(y) < 2**15


def test_q15_of_the_probe_does_not_wrap() -> None:
    # 48 products of 127 and 127 exceed 2^19, where a fixed shift by 4 wraps
    layer = kernels.layer("here", np.full((1, 3, 16), 127), np.zeros(1), np.array([1e-4]), InputFacts(8), clamp_of(8), "q15")
    assert layer.requantize.name == "q15"
    assert kernels.conv(layer, np.full((3, 16), 127))[0] == round(48 * 127 * 127 * 1e-4)


@needs_cc
@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(((8, 8), (8, 16), (16, 16))), st.sampled_from(BITS))
def test_sums_and_products_in_c_equal_the_reference(seed: int, inputs: tuple[int, int], output_bits: int) -> None:
    rng = np.random.default_rng(seed)
    facts = [InputFacts(bits, int(rng.integers(-128, 128)) if bits == 8 else 0) for bits in inputs]
    a, b = (integers(rng, bits, 41) for bits in inputs)
    clamp = clamp_of(output_bits, int(rng.integers(-128, 128)) if output_bits == 8 else 0)
    bits = (*inputs, output_bits)
    factors = [kernels.LIMITS[output_bits][1] / kernels.LIMITS[width][1] * float(np.exp(rng.uniform(-2, 1))) for width in inputs]
    factors[1] *= rng.choice([-1, 1])
    total = kernels.sum_of(*factors, *facts, clamp)
    assert np.array_equal(c_kernels.add(total, a, b, bits), kernels.add(total, a, b))
    exact = (a - facts[0].zero_point) * factors[0] + (b - facts[1].zero_point) * factors[1]
    assert np.abs(kernels.add(total, a, b) - np.clip(exact + clamp.zero_point, clamp.low, clamp.high)).max() <= 0.51
    product = kernels.product_of(abs(factors[0]) / kernels.LIMITS[inputs[1]][1], *facts, clamp)
    assert np.array_equal(c_kernels.mul(product, a, b, bits), kernels.mul(product, a, b))


@needs_cc
@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(((8, 16), (16, 8), (16, 16))), st.floats(0.001, 3), st.sampled_from((0.01, 0.2, 1.0)))
def test_other_scales_in_c_equal_the_reference(seed: int, bits: tuple[int, int], factor: float, slope: float) -> None:
    rng = np.random.default_rng(seed)
    of = InputFacts(bits[0], int(rng.integers(-128, 128)) if bits[0] == 8 else 0)
    clamp = clamp_of(bits[1], int(rng.integers(-128, 128)) if bits[1] == 8 else 0)
    scale, x = kernels.scale_of(factor, of, clamp, slope), integers(rng, bits[0], 50)
    assert np.array_equal(c_kernels.rescale(scale, x, bits), kernels.rescale(scale, x))
    exact = (x - of.zero_point) * factor * np.where(x < of.zero_point, slope, 1)
    assert np.abs(kernels.rescale(scale, x) - np.clip(exact + clamp.zero_point, clamp.low, clamp.high)).max() <= 0.51


@needs_cc
@pytest.mark.parametrize("bits", ((8, 8), (8, 16), (16, 8), (16, 16)))
def test_tables_in_c_equal_the_reference(bits: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    low, high = kernels.LIMITS[bits[0]]
    x = np.arange(low, high + 1)[:65535]
    for fineness in (1, 6, 8, 9) if bits[0] == 16 else (8,):
        values = kernels.LIMITS[bits[1]][1] * np.tanh(np.linspace(-3, 3, 2**fineness + (bits[0] == 16)))
        values = np.rint(values if fineness > 1 else values / 2)
        expected = kernels.table_s16(values, x) if bits[0] == 16 else kernels.table_s8(values, x)
        assert np.array_equal(c_kernels.table(values, x, bits), expected)
    assert kernels.table_s8(rng.integers(-128, 128, 256), np.array([-128, 127])).shape == (2,)


def test_an_interpolated_table_goes_through_its_values() -> None:
    values = np.rint(32767 * np.tanh(np.linspace(-3, 3, 257)))
    assert np.array_equal(kernels.table_s16(values, np.arange(-32768, 32768, 256)), values[:256])
    assert np.abs(kernels.table_s16(values, np.arange(-32768, 32768)) - 32767 * np.tanh(np.arange(-32768, 32768) * 3 / 32768)).max() < 3


@needs_cc
@pytest.mark.parametrize("bits", BITS)
def test_kernels_of_one_scale(bits: int) -> None:
    rng = np.random.default_rng(4)
    a, b = integers(rng, bits, 30), integers(rng, bits, 30)
    assert np.array_equal(c_kernels.one_scale("vc_clamp", bits, a, -5, 90, n=30), kernels.clamp_row(a, -5, 90))
    assert np.array_equal(c_kernels.one_scale("vc_max", bits, a, b, n=30), kernels.maximum(a, b))
    assert (c_kernels.one_scale("vc_fill", bits, -7, n=9) == -7).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: fixed_point.q31(np.array([2.0**31])), "overflows the 31-bit multiplier"),
        (lambda: fixed_point.q31(np.array([np.nan])), "not a number"),
        (lambda: kernels.layer("stem", np.full((1, 7, 1024), 127), np.zeros(1), np.ones(1), InputFacts(16), clamp_of(16)), "the sums of stem reach"),
        (lambda: kernels.layer("stem", np.ones((1, 1, 1)), np.zeros(1), np.array([np.inf]), InputFacts(8), clamp_of(8)), "stem: a scale"),
        (lambda: kernels.sum_of(2.0**20, 1.0, InputFacts(8), InputFacts(8), clamp_of(8)), "overflows the 15-bit multiplier"),
    ],
)
def test_what_cannot_be_proven_is_refused(make: object, words: str) -> None:
    with pytest.raises(VcompressError, match=words):
        make()  # type: ignore[operator]


@needs_cc
@pytest.mark.skipif(c_kernels.SANITIZED in os.environ, reason="this process is the one under the sanitizers")
def test_kernels_are_clean_under_the_address_and_undefined_behaviour_sanitizers(tmp_path: Path) -> None:
    found = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
    if not Path(found).is_absolute():
        pytest.skip("libasan is not installed")
    environment = os.environ | {
        c_kernels.SANITIZED: str(c_kernels.compiled(tmp_path, *c_kernels.SANITIZERS)),
        "LD_PRELOAD": found,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", *map(str, sorted(Path(__file__).parent.glob("test_c_[ki]*.py")))],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
