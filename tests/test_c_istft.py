"""The inverse STFT in integers: C equal to numpy bit for bit, and both close to the sampler in float."""

import shutil

import c_kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcompress.errors import VcompressError
from vcompress.export.c.reference import istft
from vcompress.runtime.samplers.istft import inverse_stft

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed")


def spectrum(rng: np.random.Generator, n_fft: int, frames: int, low: int = -32768, high: int = 32767) -> tuple[np.ndarray, np.ndarray]:
    """Log magnitudes within [low, high] and any directions, s16."""
    return rng.integers(low, high + 1, (n_fft // 2 + 1, frames)), rng.integers(-32768, 32768, (n_fft + 2, frames))


@needs_cc
@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(((8, 4), (16, 4), (64, 8), (512, 256), (512, 128), (1024, 256))),
    st.integers(1, 5),
    st.floats(1e-5, 1e-3),
    st.floats(1e-6, 1e-1),
    st.sampled_from((1, 30, 1000, 32767)),
)
def test_c_equals_the_reference(seed: int, sizes: tuple[int, int], frames: int, log_scale: float, direction_scale: float, reach: int) -> None:
    of = istft.istft_of(*sizes, log_scale, direction_scale)
    log_magnitude, direction = spectrum(np.random.default_rng(seed), sizes[0], frames)
    direction = direction * reach // 32768
    assert np.array_equal(c_kernels.inverse_stft(of, log_magnitude, direction), istft.inverse_stft(of, log_magnitude, direction))


@needs_cc
@pytest.mark.parametrize("n_fft", (8, 512, 2048, 16384))
@pytest.mark.parametrize("cosine", (-32768, 0, 32767))
@pytest.mark.parametrize("sine", (-32768, 0, 32767))
def test_the_loudest_spectrum_overflows_nothing(n_fft: int, cosine: int, sine: int) -> None:
    of = istft.istft_of(n_fft, n_fft // 2, 1e-3, 1e-4)
    log_magnitude, directions = np.full((n_fft // 2 + 1, 2), 32767), np.full((n_fft + 2, 2), cosine)
    directions[n_fft // 2 + 1 :] = sine
    reference = istft.frames(of, istft.bins(of, log_magnitude.T, directions.T))
    assert np.abs(reference).max() < 1.001 * 2**30
    assert np.array_equal(c_kernels.inverse_stft(of, log_magnitude, directions), istft.inverse_stft(of, log_magnitude, directions))


@pytest.mark.parametrize(("n_fft", "hop_length"), ((512, 256), (1024, 256), (2048, 256), (64, 16)))
@pytest.mark.parametrize("frames", (1, 2, 3, 20))
def test_reference_is_close_to_the_sampler_in_float(n_fft: int, hop_length: int, frames: int) -> None:
    rng = np.random.default_rng(frames)
    log_scale, direction_scale = 4e-4, 3e-4
    level = round(np.log(0.05 * np.sqrt(n_fft)) / log_scale)  # a waveform of -26 dB
    log_magnitude, direction = spectrum(rng, n_fft, frames, level - 2500, level + 2500)
    pcm = istft.inverse_stft(istft.istft_of(n_fft, hop_length, log_scale, direction_scale), log_magnitude, direction)
    expected = inverse_stft((log_magnitude * log_scale).astype(np.float32), (direction * direction_scale).astype(np.float32), hop_length)
    assert pcm.dtype == np.int16 and pcm.shape == expected.shape
    assert 10 * np.log10((expected**2).mean() / ((pcm / 32768 - expected) ** 2).mean()) > 60


def test_too_loud_is_clipped_and_silence_is_silent() -> None:
    of = istft.istft_of(512, 256, 1e-3, 3e-4)
    directions = np.zeros((514, 4), np.int64)
    directions[40] = 3000
    loud = np.full((257, 4), -32768)
    assert not istft.inverse_stft(of, loud, directions).any()
    loud[40] = 32767
    pcm = istft.inverse_stft(of, loud, directions)
    assert pcm.max() == 32767 and pcm.min() == -32768


def test_short_directions_lose_magnitude() -> None:
    of = istft.istft_of(512, 256, 4e-4, 3e-4)
    log_magnitude, direction = np.full((257, 3), 5000), np.zeros((514, 3), np.int64)
    direction[20] = 1
    assert np.abs(istft.inverse_stft(of, log_magnitude, direction)).max() < 0.05 * np.abs(istft.inverse_stft(of, log_magnitude, 1000 * direction)).max()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((500, 250, 1e-4, 1e-4), "powers of two"),
        ((512, 512, 1e-4, 1e-4), "a hop below"),
        ((512, 256, 1e-4, 1e-8), "too fine"),
        ((512, 256, 1.0, 1e-4), "overflows"),
    ],
)
def test_what_integers_cannot_do_is_refused(arguments: tuple[int, int, float, float], words: str) -> None:
    with pytest.raises(VcompressError, match=words):
        istft.istft_of(*arguments)
