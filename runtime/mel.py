"""The mel front end of the seed vocoders, in numpy.

Definition (Douwes 2023, public code): Hann window, power spectrum, centred frames with reflect padding, Slaney mel bands
with Slaney norm, the last frame dropped, natural log(1 + S), then min-max over the training set.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import VcompressError


@dataclass(frozen=True)
class FrontEnd:
    """How a waveform becomes the mel that a vocoder was trained on; travels with the model.

    `minimum` and `maximum` are the extremes of log(1 + S) over the training part of the corpus. `level_db` is the
    RMS level (dB re full scale) to which waveforms are brought before analysis; None leaves them as they are.
    """

    sample_rate: int = 16000
    n_fft: int = 2048
    hop_length: int = 256
    n_mels: int = 80
    fmin: float = 0.0
    fmax: float = 8000.0
    minimum: float = 0.0
    maximum: float = 1.0
    level_db: float | None = None

    def __post_init__(self) -> None:
        counts = (self.sample_rate, self.n_fft, self.hop_length, self.n_mels)
        if not all(isinstance(count, int) and count > 0 for count in counts):
            raise VcompressError("A front end needs a sample_rate, n_fft, hop_length and n_mels that are whole and positive; check the configuration.")
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise VcompressError(
                f"The mel bands {self.fmin}-{self.fmax} Hz do not fit a sample rate of {self.sample_rate} Hz; choose fmax <= {self.sample_rate / 2:g}."
            )
        if not self.maximum > self.minimum:
            raise VcompressError(f"The mel maximum {self.maximum} is not above the minimum {self.minimum}; compute the statistics of the training data again.")

    def log_mel(self, waveform: np.ndarray) -> np.ndarray:
        """log(1 + S) before normalisation. waveform: float (T,), T >= hop_length -> float32 (n_mels, T // hop_length)."""
        frames = len(waveform) // self.hop_length
        if frames < 1:
            raise VcompressError(f"The clip has {len(waveform)} samples, less than one frame of {self.hop_length}; use a longer clip.")
        power = np.abs(stft(waveform, self.n_fft, self.hop_length)[:, :frames]) ** 2
        return np.log1p(mel_filters(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax) @ power).astype(np.float32)

    def mel(self, waveform: np.ndarray) -> np.ndarray:
        """Normalised mel. waveform: float (T,) -> float32 (n_mels, T // hop_length), in [0, 1] over the training set."""
        return ((self.log_mel(waveform) - self.minimum) / (self.maximum - self.minimum)).astype(np.float32)

    def gain(self, waveform: np.ndarray) -> float:
        """Factor that brings a waveform to `level_db`, held back so that no sample exceeds 0.98; 1.0 where no level is set."""
        rms, peak = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))), float(np.max(np.abs(waveform)))
        if self.level_db is None or rms == 0.0:
            return 1.0
        return min(10 ** (self.level_db / 20) / rms, 0.98 / peak)


def stft(waveform: np.ndarray, n_fft: int, hop_length: int) -> np.ndarray:
    """Centred STFT with a periodic Hann window and reflect padding: float (T,) -> complex (n_fft // 2 + 1, 1 + T // hop_length)."""
    half = n_fft // 2
    if len(waveform) > half:
        padded = np.pad(np.asarray(waveform, np.float64), half, mode="reflect")
    else:  # a reflection needs more samples than it adds: the rest is silence
        padded = np.pad(np.pad(np.asarray(waveform, np.float64), len(waveform) - 1, mode="reflect"), half - len(waveform) + 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    return np.fft.rfft(frames * window, axis=-1).T


@lru_cache
def mel_filters(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Triangular Slaney mel filters with Slaney (area) norm: float64 (n_mels, n_fft // 2 + 1)."""
    edges = _mel_to_hz(np.linspace(_hz_to_mel(fmin), _hz_to_mel(fmax), n_mels + 2))
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]


# Slaney's Auditory Toolbox scale: linear below 1 kHz (15 mels), logarithmic above (27 mels per factor 6.4).
_LINEAR_HZ, _BREAK_HZ, _BREAK_MEL, _LOG_STEP = 200.0 / 3, 1000.0, 15.0, np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < _BREAK_HZ else _BREAK_MEL + float(np.log(hz / _BREAK_HZ)) / _LOG_STEP


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))
