"""Spectral losses between waveforms, in torch."""

import torch
from torch import Tensor, nn

from ..runtime.mel import mel_filters

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
        total = output.new_zeros(())
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
