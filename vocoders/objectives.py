"""What a family's network is trained to do. An objective maps a network and a batch to a loss; QAT and its control share it."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.random import RandomStream
from ..runtime.schedule import TRAINING_BETAS, WAVEGRAD_BETAS, noise_levels, step_code
from .losses import DSTFTLoss, SpectralLoss
from .segments import Batch

Network = Callable[..., Any]  # a tensor, or for flows two


class Objective(Protocol):
    """`loss(network, batch)`: a scalar; what is random in it follows from `batch.seed`."""

    def loss(self, network: Network, batch: Batch) -> Tensor: ...


class SpectralObjective(nn.Module):
    """For networks that map a mel to a waveform: spectral losses only."""

    def __init__(self, sample_rate: int = 16000):
        super().__init__()
        self.spectral = SpectralLoss(sample_rate)

    def loss(self, network: Network, batch: Batch) -> Tensor:
        return self.spectral(network(batch.mel), batch.waveform)


class DSTFTObjective(nn.Module):
    """For SING: the distance of log power spectra that its paper minimises, whatever the phases."""

    def __init__(self) -> None:
        super().__init__()
        self.distance = DSTFTLoss()

    def loss(self, network: Network, batch: Batch) -> Tensor:
        return self.distance(network(batch.mel), batch.waveform)


def draw_noise(draw: RandomStream, like: Tensor) -> Tensor:
    """Normal noise in the shape and on the device of `like`; the stream's own on a CPU, seeded by it on a GPU, which it would keep waiting."""
    if like.device.type == "cpu":
        return torch.from_numpy(draw.normal(tuple(like.shape)))
    generator = torch.Generator(like.device).manual_seed(draw.below(1 << 62))
    return torch.randn(like.shape, generator=generator, device=like.device)


class DenoisingObjective(nn.Module):
    """For diffusion: L1 between the noise that was added at a random step and the network's prediction (DiffWave, eq. 7 with L1)."""

    def __init__(self, betas: tuple[float, ...] = TRAINING_BETAS):
        super().__init__()
        self._alpha_bars = np.cumprod(1 - np.asarray(betas))

    def draw_levels(self, draw: RandomStream, count: int) -> tuple[np.ndarray, np.ndarray]:
        """alpha bar of each segment, float64 (count,), and what the network is told of it, float32 (count, width)."""
        steps = np.array([draw.below(len(self._alpha_bars)) for _ in range(count)])
        return self._alpha_bars[steps], step_code(steps)

    def loss(self, network: Network, batch: Batch) -> Tensor:
        draw = RandomStream(batch.seed)
        alpha_bars, told = self.draw_levels(draw, len(batch.mel))
        noise = draw_noise(draw, batch.waveform)
        level = torch.tensor(alpha_bars, dtype=torch.float32, device=noise.device)[:, None, None]
        noisy = level.sqrt() * batch.waveform + (1 - level).sqrt() * noise
        return (network(noisy, torch.from_numpy(told).to(noise.device), batch.mel) - noise).abs().mean()


class NoiseLevelObjective(DenoisingObjective):
    """For diffusion that is told the noise level itself: a level anywhere between those of a random step and the one before (WaveGrad, algorithm 1)."""

    def __init__(self, betas: tuple[float, ...] = WAVEGRAD_BETAS):
        super().__init__(betas)
        self._levels = np.append(1.0, noise_levels(betas))

    def draw_levels(self, draw: RandomStream, count: int) -> tuple[np.ndarray, np.ndarray]:
        """alpha bar of each segment, float64 (count,), and its square root as the network is told it, float32 (count, 1)."""
        steps = np.array([draw.below(len(self._levels) - 1) for _ in range(count)])
        fractions = np.array([draw.below(1 << 32) for _ in range(count)]) / 2**32
        levels = self._levels[steps] + (self._levels[steps + 1] - self._levels[steps]) * fractions
        return levels**2, levels.astype(np.float32)[:, None]


class LikelihoodObjective(nn.Module):
    """For flows: the negative log-likelihood of the waveform, in nats a sample, less its constant (WaveGlow eq. 7, WaveFlow eq. 6).

    The network takes waveform (B, 1, T) and mel and gives the latent, as many values as the waveform, and the logarithm of the
    determinant, of any shape: its sum is that of the batch. `sigma`: standard deviation of the latent.
    """

    def __init__(self, sigma: float = 1.0):
        super().__init__()
        self._sigma = sigma

    def loss(self, network: Network, batch: Batch) -> Tensor:
        latent, log_determinant = network(batch.waveform, batch.mel)
        return latent.square().mean() / (2 * self._sigma**2) - log_determinant.sum() / latent.numel()


def symbols(waveform: Tensor) -> tuple[Tensor, Tensor]:
    """Samples as 16-bit integers in two halves: float32 (B, 1, T) in [-1, 1] -> coarse and fine, int64 (B, T) each, 0 to 255; silence is 128 and 0."""
    integers = (waveform[:, 0] * 32768).round().clamp(-32768, 32767).long() + 32768
    return integers >> 8, integers & 255


class SymbolObjective(nn.Module):
    """For WaveRNN: the negative log-likelihood of both symbols of a sample, in nats a sample (teacher forcing).

    The network takes waveform (B, 1, T) and mel and gives the logits of coarse and of fine symbols, (B, 256, T) each. `margin`: frames at either end
    of a segment, as far as it has them, that the network hears as surroundings of what it is judged on: it gets the whole mel, but the waveform
    between them. A short segment alone would never show it what the mel holds a few frames away.
    """

    def __init__(self, margin: int = 0):
        super().__init__()
        self._margin = margin

    def loss(self, network: Network, batch: Batch) -> Tensor:
        frames, samples = batch.mel.shape[2], batch.waveform.shape[2]
        margin = min(self._margin, (frames - 1) // 2) * (samples // frames)
        waveform = batch.waveform[:, :, margin : samples - margin]
        coarse, fine = network(waveform, batch.mel)
        high, low = symbols(waveform)
        return _nats(coarse, high) + _nats(fine, low)


def _nats(logits: Tensor, drawn: Tensor) -> Tensor:
    """Mean over all samples; no copy where the logits lie last in memory, as a network can give them."""
    return F.cross_entropy(logits.transpose(1, 2).reshape(-1, logits.shape[1]), drawn.reshape(-1))
