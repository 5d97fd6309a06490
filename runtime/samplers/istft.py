"""One call of a network at the mel's frame rate, then the inverse STFT with overlap-add: for Vocos."""

import math
from typing import Any

import numpy as np

from .sampler import OnStep, Run

SHORTEST = 1e-2  # directions shorter than this lose magnitude instead of having a phase that jumps


class InverseSTFTSampler:
    """`network` gives a spectrum for each frame of the mel; what follows has neither weights nor choices."""

    def __init__(self, hop_length: int) -> None:
        self.hop_length, self.calls = hop_length, {"network": 1}

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler; nothing is drawn."""
        spectrum = run("network", {"mel": mel[None]})
        return np.clip(inverse_stft(spectrum["log_magnitude"][0], spectrum["direction"][0], self.hop_length), -1.0, 1.0)


def sine_window(n_fft: int, hop_length: int) -> np.ndarray:
    """Synthesis window, float32 (n_fft,): a sine, scaled so that where frames overlap, its products with the unscaled sine add up to one."""
    return (2 * hop_length / n_fft * np.sin(np.pi * (np.arange(n_fft) + 0.5) / n_fft)).astype(np.float32)


def inverse_stft(log_magnitude: np.ndarray, direction: np.ndarray, hop_length: int) -> np.ndarray:
    """A spectrum -> waveform float32 (hop_length F,), not clipped.

    log_magnitude: float32 (n_fft / 2 + 1, F), natural logarithm, held below ln(n_fft). direction: float32 (n_fft + 2, F), cosines and then sines
    of the phases, of any length. The phase is the one at the centre of a frame, and frame t is centred at sample hop_length t, as in
    the front end. n_fft is a multiple of 2 hop_length. Where frames are missing, before the first and after the last one, the waveform fades.
    """
    bins, frames = log_magnitude.shape
    n_fft, cosine, sine = 2 * (bins - 1), direction[:bins], direction[bins:]
    unit = (cosine + 1j * sine) / np.sqrt(cosine**2 + sine**2 + np.float32(SHORTEST**2))
    spectrum = np.exp(np.minimum(log_magnitude, np.float32(math.log(n_fft)))) * unit
    windowed = np.roll(np.fft.irfft(spectrum.T, n_fft), n_fft // 2, axis=-1).astype(np.float32) * sine_window(n_fft, hop_length)
    overlap = n_fft // hop_length
    parts = windowed.reshape(frames, overlap, hop_length)
    waveform = np.zeros((frames + overlap - 1, hop_length), np.float32)
    for i in range(overlap):
        waveform[i : i + frames] += parts[:, i]
    return waveform[overlap // 2 : overlap // 2 + frames].reshape(-1)


def make(settings: dict[str, Any], hop_length: int) -> InverseSTFTSampler:
    """It has no settings."""
    return InverseSTFTSampler(hop_length)
