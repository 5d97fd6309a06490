"""Spectral losses between waveforms, in torch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.mel import mel_filters
from .d_stft import EPSILON, HOP_LENGTH, N_FFT

RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))  # (n_fft, hop_length)


class SpectralLoss(nn.Module):
    """Multi-resolution STFT (spectral convergence + log magnitude; Yamamoto et al. 2020) plus log-mel L1 at each resolution."""

    def __init__(self, sample_rate: int = 16000, n_mels: int = 80):
        super().__init__()
        for n_fft, _ in RESOLUTIONS:
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)
            bands = min(n_mels, n_fft // 16)  # narrower filters than a bin would be empty
            self.register_buffer(f"mel_{n_fft}", torch.tensor(mel_filters(sample_rate, n_fft, bands, 0.0, sample_rate / 2)).float(), persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output, target: float (B, 1, T) -> scalar, about 1 for an untrained network."""
        with torch.autocast(output.device.type, enabled=False):  # log magnitudes need more than 16 bits
            return self._loss(output, target)

    def _loss(self, output: Tensor, target: Tensor) -> Tensor:
        total = torch.zeros((), device=output.device)
        for n_fft, hop_length in RESOLUTIONS:
            x, y = (self._magnitude(w, n_fft, hop_length) for w in (output, target))
            mel = self.get_buffer(f"mel_{n_fft}")
            convergence = torch.linalg.vector_norm(y - x) / torch.linalg.vector_norm(y).clamp(min=1e-3)
            log_magnitude = (x.log() - y.log()).abs().mean()
            log_mel = ((mel @ x).clamp(min=1e-4).log() - (mel @ y).clamp(min=1e-4).log()).abs().mean()
            total = total + convergence + log_magnitude + 2 * log_mel
        return total / (4 * len(RESOLUTIONS))

    def _magnitude(self, waveform: Tensor, n_fft: int, hop_length: int) -> Tensor:
        window = self.get_buffer(f"window_{n_fft}")
        spectrum = torch.stft(waveform.squeeze(1).float(), n_fft, hop_length, window=window, return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square()).clamp(min=1e-6).sqrt()  # sqrt has no gradient at 0


class MelLoss(nn.Module):
    """L1 between log mels as HiFi-GAN trains with (Kong et al. 2020, public code); it differs from the front end's mel.

    n_fft and window 1024, hop 256, magnitudes, bands from 0 to half the sample rate, reflect padding by (1024 - 256) / 2.
    """

    def __init__(self, sample_rate: int = 16000, n_mels: int = 80, n_fft: int = 1024, hop_length: int = 256):
        super().__init__()
        self.n_fft, self.hop_length = n_fft, hop_length
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("filters", torch.tensor(mel_filters(sample_rate, n_fft, n_mels, 0.0, sample_rate / 2)).float(), persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output, target: float (B, 1, T) -> scalar."""
        with torch.autocast(output.device.type, enabled=False):
            return (self._log_mel(output) - self._log_mel(target)).abs().mean()

    def _log_mel(self, waveform: Tensor) -> Tensor:
        margin = (self.n_fft - self.hop_length) // 2
        padded = F.pad(waveform.float(), (margin, margin), mode="reflect").squeeze(1)
        spectrum = torch.stft(padded, self.n_fft, self.hop_length, window=self.get_buffer("window"), center=False, return_complex=True)
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
        return (self.get_buffer("filters") @ magnitude).clamp(min=1e-5).log()


class DSTFTLoss(nn.Module):
    """D_STFT of `d_stft.py`, as SING trains with it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output, target: float (B, 1, T) -> scalar."""
        with torch.autocast(output.device.type, enabled=False):
            return (self._log_power(output) - self._log_power(target)).abs().mean()

    def _log_power(self, waveform: Tensor) -> Tensor:
        spectrum = torch.stft(waveform.squeeze(1).float(), N_FFT, HOP_LENGTH, window=self.get_buffer("window"), return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square() + EPSILON).log()
