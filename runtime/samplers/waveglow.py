"""Noise through the inverse of a flow: for WaveGlow."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..random import RandomStream
from .sampler import OnStep, Run


@dataclass
class WaveGlowSampler:
    """One call of `network`, which makes a waveform of normal noise in the waveform's shape and the mel.

    `sigma`: standard deviation of the noise. 1 draws from the distribution that a training with sigma 1 has learned, less gives up
    variety for less hiss: the public code synthesizes with 0.6.
    """

    hop_length: int
    sigma: float = 1.0
    calls: dict[str, int] = field(default_factory=lambda: {"network": 1})

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler; there is no intermediate waveform."""
        latent = np.float32(self.sigma) * RandomStream(seed).normal((1, 1, mel.shape[1] * self.hop_length))
        return np.clip(run("network", {"latent": latent, "mel": mel[None]})["waveform"].reshape(-1), -1.0, 1.0)


def make(settings: dict[str, Any], hop_length: int) -> WaveGlowSampler:
    """Settings: sigma, not negative."""
    sigma = float(settings["sigma"])
    if not 0 <= sigma < np.inf:
        raise ValueError(sigma)
    return WaveGlowSampler(hop_length, sigma)
