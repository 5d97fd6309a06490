"""The mel front end in numpy: that of the seed vocoders, and by its parameters those of public code bases.

As it stands (Douwes 2023, public code): Hann window, power spectrum, centred frames with reflect padding, Slaney mel bands
with Slaney norm, the last frame dropped, natural log(1 + S), then min-max over the training set.
"""

from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ..errors import VcompressError
from .notes import Note

Padding = Literal["center", "hop"]
Scale = Literal["slaney", "htk"]
Norm = Literal["slaney", "none"]
Logarithm = Literal["log1p", "ln", "log10"]

CHOICES: dict[str, tuple[object, ...]] = {
    "padding": ("center", "hop"),
    "mel_scale": ("slaney", "htk"),
    "mel_norm": ("slaney", "none"),
    "logarithm": ("log1p", "ln", "log10"),
    "power": (1, 2),
}


@dataclass(frozen=True)
class FrontEnd:
    """How a waveform becomes the mel that a vocoder was trained on; travels with the model.

    waveform -> level -> frames -> |STFT| ** `power` -> mel bands -> logarithm -> (x - minimum) / (maximum - minimum) -> clip -> per band.

    `minimum` and `maximum` are for own vocoders the extremes of log(1 + S) over the training part of the corpus. `level_db` is the
    RMS level (dB re full scale), or `peak` the largest sample, to which waveforms are brought before analysis; None leaves them as they are.

    `win_length`: Hann window, in the middle of n_fft; None is n_fft. `padding`: by reflection, of n_fft / 2 samples ("center": frame i is around
    sample i hop_length; a last frame around the end is left out) or (n_fft - hop_length) / 2 ("hop": around the middle of its hop). `normalized`: the
    STFT is divided by the window's norm. `magnitude_floor`: added to re^2 + im^2 before a root. `logarithm`: "log1p" is log(1 + S), "ln" and "log10"
    are of max(S, `log_floor`); where that is 0, the logarithm of nothing is 0. `clip`: to [0, 1]. `band_means`, `band_deviations`: of
    each band, subtracted and divided by; empty for none.
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
    win_length: int | None = None
    padding: Padding = "center"
    power: int = 2
    normalized: bool = False
    magnitude_floor: float = 0.0
    mel_scale: Scale = "slaney"
    mel_norm: Norm = "slaney"
    logarithm: Logarithm = "log1p"
    log_floor: float = 0.0
    clip: bool = False
    band_means: tuple[float, ...] = ()
    band_deviations: tuple[float, ...] = ()
    peak: float | None = None

    def __post_init__(self) -> None:
        for name in ("band_means", "band_deviations"):  # JSON has no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))
        counts = (self.sample_rate, self.n_fft, self.hop_length, self.n_mels)
        if not all(isinstance(count, int) and count > 0 for count in counts):
            raise VcompressError("A front end needs a sample_rate, n_fft, hop_length and n_mels that are whole and positive; check the configuration.")
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise VcompressError(
                f"The mel bands {self.fmin}-{self.fmax} Hz do not fit a sample rate of {self.sample_rate} Hz; choose fmax <= {self.sample_rate / 2:g}."
            )
        if not self.maximum > self.minimum:
            raise VcompressError(f"The mel maximum {self.maximum} is not above the minimum {self.minimum}; compute the statistics of the training data again.")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise VcompressError(f"A front end has no {name} {getattr(self, name)!r}; choose one of {', '.join(map(str, known))}.")
        if not isinstance(self.window, int) or not 0 < self.window <= self.n_fft:
            raise VcompressError(f"A window of {self.win_length} samples does not fit an n_fft of {self.n_fft}; choose win_length <= n_fft.")
        if self.padding == "hop" and (self.n_fft < self.hop_length or (self.n_fft - self.hop_length) % 2):
            raise VcompressError(f"An n_fft of {self.n_fft} cannot lie around hops of {self.hop_length} samples; choose two that differ by an even number.")
        if any(bands and len(bands) != self.n_mels for bands in (self.band_means, self.band_deviations)):
            raise VcompressError(f"The statistics are not of {self.n_mels} mel bands; give those of this vocoder's training data.")
        if not all(deviation > 0 for deviation in self.band_deviations):
            raise VcompressError("A mel band has a deviation that is not positive; compute the statistics of the training data again.")

    @property
    def window(self) -> int:
        """Samples of the window."""
        return self.n_fft if self.win_length is None else self.win_length

    def at_rate(self, sample_rate: int) -> "FrontEnd":
        """For recordings of another rate, in Hz: as many samples a hop and a window, and bands up to half the rate where they went up to half."""
        full = self.fmax == self.sample_rate / 2
        return replace(self, sample_rate=sample_rate, fmax=sample_rate / 2 if full else self.fmax)

    def log_mel(self, waveform: np.ndarray) -> np.ndarray:
        """The logarithm before normalisation. waveform: float (T,), T >= hop_length -> float32 (n_mels, T // hop_length)."""
        frames = len(waveform) // self.hop_length
        if frames < 1:
            raise VcompressError(f"The clip has {len(waveform)} samples, less than one frame of {self.hop_length}; use a longer clip.")
        margin = self.n_fft // 2 if self.padding == "center" else (self.n_fft - self.hop_length) // 2
        spectrum = stft(waveform, self.n_fft, self.hop_length, self.window, margin)[:, :frames]
        if self.normalized:
            spectrum = spectrum / np.linalg.norm(hann(self.window))
        square = np.abs(spectrum) ** 2
        magnitudes = square if self.power == 2 else np.sqrt(square + self.magnitude_floor)
        mel = mel_filters(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax, self.mel_scale, self.mel_norm) @ magnitudes
        if self.logarithm == "log1p":
            return np.log1p(mel).astype(np.float32)
        mel = np.maximum(mel, self.log_floor)
        logarithm = np.log if self.logarithm == "ln" else np.log10
        return logarithm(mel, out=np.zeros_like(mel), where=mel > 0).astype(np.float32)

    def mel(self, waveform: np.ndarray) -> np.ndarray:
        """Normalised mel, as the network takes it. waveform: float (T,) -> float32 (n_mels, T // hop_length); own vocoders: [0, 1] over the training set."""
        mel = (self.log_mel(waveform) - self.minimum) / (self.maximum - self.minimum)
        if self.clip:
            mel = np.clip(mel, 0.0, 1.0)
        if self.band_means:
            mel = mel - np.asarray(self.band_means)[:, None]
        if self.band_deviations:
            mel = mel / np.asarray(self.band_deviations)[:, None]
        return mel.astype(np.float32)

    @property
    def example(self) -> None:
        """No note: a recording alone tells what its mel is."""
        return None

    @property
    def channels(self) -> int:
        """Rows of what the vocoder is given."""
        return self.n_mels

    def condition(self, waveform: np.ndarray, note: Note | None = None) -> np.ndarray:
        """What the vocoder is given of a recording: its mel, whatever note it may be."""
        return self.mel(waveform)

    def fit(self, waveform: np.ndarray) -> np.ndarray:
        """The whole frames of a recording."""
        return waveform[: len(waveform) // self.hop_length * self.hop_length]

    def excerpt(self, waveform: np.ndarray, seconds: float) -> np.ndarray:
        """Its beginning."""
        return waveform[: int(seconds * self.sample_rate)]

    def check(self, mel: np.ndarray) -> np.ndarray:
        """The mel as float32 (n_mels, F). Raises VcompressError for another band count, dtype, or values that are no numbers."""
        if mel.ndim == 3 and mel.shape[0] == 1:
            mel = mel[0]
        if mel.ndim != 2 or mel.shape[0] != self.n_mels or mel.shape[1] == 0:
            raise VcompressError(f"The mel has shape {mel.shape}, this vocoder needs ({self.n_mels}, frames); compute it with the vocoder's own front end.")
        if not np.issubdtype(mel.dtype, np.floating):
            raise VcompressError(f"The mel has dtype {mel.dtype}, this vocoder needs float32; save it as float32.")
        with np.errstate(over="ignore"):
            mel = np.ascontiguousarray(mel, np.float32)
        if not np.isfinite(mel).all():
            raise VcompressError("The mel holds NaN or infinite values; compute it again.")
        return mel

    def gain(self, waveform: np.ndarray) -> float:
        """Factor that brings a waveform to `level_db`, held back so that no sample exceeds 0.98, or to `peak`; 1.0 where neither is set."""
        rms, peak = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))), float(np.max(np.abs(waveform)))
        if self.peak is not None and peak > 0.0:
            return self.peak / peak
        if self.level_db is None or rms == 0.0:
            return 1.0
        return min(10 ** (self.level_db / 20) / rms, 0.98 / peak)

    def facts(self) -> dict[str, Any]:
        """What tells it from others: the first nine fields, and of the others those that are not at their default."""
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for index, (name, value) in enumerate(asdict(self).items()) if index < 9 or value != defaults[name]}


def hann(length: int) -> np.ndarray:
    """Periodic Hann window: float64 (length,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def stft(waveform: np.ndarray, n_fft: int, hop_length: int, win_length: int | None = None, margin: int | None = None) -> np.ndarray:
    """STFT with a periodic Hann window: float (T,) -> complex (n_fft // 2 + 1, 1 + (T + 2 margin - n_fft) // hop_length).

    `margin`: samples of reflection at either end; None is n_fft // 2, which centres the frames.
    """
    margin, win_length = n_fft // 2 if margin is None else margin, win_length or n_fft
    waveform = np.asarray(waveform, np.float64)
    reflected = min(margin, len(waveform) - 1)  # a reflection needs more samples than it adds: the rest is silence
    padded = np.pad(np.pad(waveform, reflected, mode="reflect"), margin - reflected)
    if len(padded) < n_fft:
        padded = np.pad(padded, (0, n_fft - len(padded)))
    left = (n_fft - win_length) // 2
    window = np.pad(hann(win_length), (left, n_fft - win_length - left))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    return np.fft.rfft(frames * window, axis=-1).T


@lru_cache
def mel_filters(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float, mel_scale: Scale = "slaney", mel_norm: Norm = "slaney") -> np.ndarray:
    """Triangular mel filters, Slaney's with Slaney (area) norm unless asked otherwise: float64 (n_mels, n_fft // 2 + 1)."""
    to_mel, to_hz = (_hz_to_mel, _mel_to_hz) if mel_scale == "slaney" else (_hz_to_htk, _htk_to_hz)
    edges = to_hz(np.linspace(to_mel(fmin), to_mel(fmax), n_mels + 2))
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None] if mel_norm == "slaney" else triangles


# Slaney's Auditory Toolbox scale: linear below 1 kHz (15 mels), logarithmic above (27 mels per factor 6.4).
_LINEAR_HZ, _BREAK_HZ, _BREAK_MEL, _LOG_STEP = 200.0 / 3, 1000.0, 15.0, np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < _BREAK_HZ else _BREAK_MEL + float(np.log(hz / _BREAK_HZ)) / _LOG_STEP


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))


def _hz_to_htk(hz: float) -> float:
    return 2595.0 * float(np.log10(1.0 + hz / 700.0))


def _htk_to_hz(mel: np.ndarray) -> np.ndarray:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
