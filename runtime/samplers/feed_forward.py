"""One call of one network: for GANs."""

from typing import Any

import numpy as np

from .sampler import OnStep, Run


class FeedForwardSampler:
    """One call of `network`."""

    def __init__(self) -> None:
        self.calls = {"network": 1}

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler; nothing is drawn."""
        return np.clip(run("network", {"mel": mel[None]})["waveform"].reshape(-1), -1.0, 1.0)


def make(settings: dict[str, Any], hop_length: int) -> FeedForwardSampler:
    """It has no settings."""
    return FeedForwardSampler()
