"""Distances between spectrograms: log-mel L1, multi-resolution STFT, D_STFT. numpy alone."""

import numpy as np

from ...runtime.mel import mel_filters, stft
from ...vocoders.d_stft import d_stft as distance
from .metric import Metric

MEL = {"n_fft": 1024, "hop_length": 256, "n_mels": 80}
FLOOR = 1e-5
RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))  # (n_fft, hop_length)
POWER_FLOOR = 1e-7  # as in ParallelWaveGAN's stft()


def log_mel_l1(reference: np.ndarray, output: np.ndarray, rate: int) -> float:
    """Mean |ln mel(x) - ln mel(y)|, the mel of magnitudes clamped at 1e-5 on both sides. A gain of 6 dB counts 0.69."""
    filters = mel_filters(rate, MEL["n_fft"], MEL["n_mels"], 0.0, min(8000.0, rate / 2))
    x, y = (np.log(np.maximum(filters @ np.abs(stft(w, MEL["n_fft"], MEL["hop_length"])), FLOOR)) for w in (reference, output))
    return float(np.mean(np.abs(x - y)))


def mr_stft(reference: np.ndarray, output: np.ndarray, rate: int) -> float:
    """Spectral convergence + L1 of log magnitudes, mean over three resolutions (Yamamoto et al. 2020, eq. 4-7; windows as long as the FFT)."""
    total = 0.0
    for n_fft, hop_length in RESOLUTIONS:
        x, y = (np.sqrt(np.maximum(np.abs(stft(w, n_fft, hop_length)) ** 2, POWER_FLOOR)) for w in (reference, output))
        total += float(np.linalg.norm(x - y) / np.linalg.norm(x) + np.mean(np.abs(np.log(x) - np.log(y))))
    return total / len(RESOLUTIONS)


def d_stft(reference: np.ndarray, output: np.ndarray, rate: int) -> float:
    """See `vocoders/d_stft.py`: SING is trained with it."""
    return distance(reference, output)


LOG_MEL_L1 = Metric("log_mel_l1", "ln", "lower", "mean |ln mel - ln mel|, 80 Slaney bands of magnitudes, frame 1024, hop 256, clamp 1e-5", function=log_mel_l1)
MR_STFT = Metric("mr_stft", "1", "lower", "spectral convergence + log-magnitude L1, mean over FFT 512, 1024, 2048", function=mr_stft)
D_STFT = Metric("d_stft", "ln", "lower", "mean |ln(1+|STFT|^2) - ln(1+|STFT|^2)|, frame 1024, hop 256, periodic Hann, unnormalised", function=d_stft)
