"""The inverse STFT of `runtime.samplers.istft` in torch, through which a network's spectrum is trained."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..runtime.samplers.istft import SHORTEST, sine_window


def inverse_stft(log_magnitude: Tensor, direction: Tensor, hop_length: int) -> Tensor:
    """log_magnitude: float (B, n_fft / 2 + 1, F), direction: float (B, n_fft + 2, F) -> waveform float32 (B, 1, hop_length F)."""
    log_magnitude, direction = log_magnitude.float(), direction.float()  # there is no Fourier transform of 16-bit floats
    batch, bins, frames = log_magnitude.shape
    n_fft = 2 * (bins - 1)
    cosine, sine = direction.split(bins, dim=1)
    unit = torch.complex(cosine, sine) / (cosine.square() + sine.square() + SHORTEST**2).sqrt()
    spectrum = log_magnitude.clamp(max=math.log(n_fft)).exp() * unit
    window = torch.from_numpy(sine_window(n_fft, hop_length)).to(spectrum.device)
    windowed = torch.fft.irfft(spectrum.transpose(1, 2), n_fft).roll(n_fft // 2, -1) * window
    overlap = n_fft // hop_length
    parts = windowed.reshape(batch, frames, overlap, hop_length)
    waveform = torch.stack([F.pad(parts[:, :, i], (0, 0, i, overlap - 1 - i)) for i in range(overlap)]).sum(0)
    return waveform[:, overlap // 2 : overlap // 2 + frames].reshape(batch, 1, -1)
