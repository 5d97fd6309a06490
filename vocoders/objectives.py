"""What a family's network is trained to do. An objective maps a network and a batch to a loss; QAT and its control share it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..runtime.random import RandomStream
from ..runtime.schedule import TRAINING_BETAS, step_code
from .losses import SpectralLoss
from .segments import Batch

Network = Callable[..., Tensor]


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

    def loss(self, network: Network, batch: Batch) -> Tensor:
        draw = RandomStream(batch.seed)
        steps = np.array([draw.below(len(self._alpha_bars)) for _ in range(len(batch.mel))])
        noise = draw_noise(draw, batch.waveform)
        level = torch.tensor(self._alpha_bars[steps], dtype=torch.float32, device=noise.device)[:, None, None]
        noisy = level.sqrt() * batch.waveform + (1 - level).sqrt() * noise
        code = torch.from_numpy(step_code(steps)).to(noise.device)
        return (network(noisy, code, batch.mel) - noise).abs().mean()
