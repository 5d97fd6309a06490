"""Noise schedules of the diffusion vocoders, and the code that tells a network its step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import VcompressError

TRAINING_BETAS = tuple(float(b) for b in np.linspace(1e-4, 0.05, 50))  # DiffWave, Kong et al. 2021
FAST_BETAS = (1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5)  # the six-step schedule of the public code
WAVEGRAD_BETAS = tuple(float(b) for b in np.linspace(1e-6, 1e-2, 50))  # of training, and of inference in the public code
WAVEGRAD_FAST_BETAS = (2e-6, 2e-5, 2e-4, 2e-3, 2e-2, 0.2)  # on the paper's grid: 10 dB less noise a step, from the noisiest level that is trained


@dataclass(frozen=True)
class Schedule:
    """The betas of an inference schedule and the training steps (fractional) they are aligned to, where a network is told the step."""

    betas: tuple[float, ...]
    steps: tuple[float, ...] = ()

    @property
    def alphas(self) -> np.ndarray:
        """1 - beta: float64 (N,)."""
        return 1 - np.asarray(self.betas)

    @property
    def alpha_bars(self) -> np.ndarray:
        """Cumulative products of alpha: float64 (N,)."""
        return np.cumprod(self.alphas)


def noise_levels(betas: Sequence[float]) -> np.ndarray:
    """sqrt(alpha bar) of each step, the amplitude that is left of the signal: float64 (N,)."""
    return np.sqrt(Schedule(tuple(betas)).alpha_bars)


def align(betas: tuple[float, ...] = FAST_BETAS, training: tuple[float, ...] = TRAINING_BETAS) -> Schedule:
    """The schedule whose steps lie where the training schedule has the same noise level (linear in sqrt(alpha bar); DiffWave, appendix)."""
    if not betas or not all(0 < b < 1 for b in betas):
        raise VcompressError(f"The noise schedule {list(betas)} is not a row of numbers between 0 and 1; correct it.")
    levels = np.sqrt(np.cumprod(1 - np.asarray(training)))
    steps = []
    for level in np.sqrt(np.cumprod(1 - np.asarray(betas))):
        above = int(np.searchsorted(-levels, -level)) - 1  # levels fall with the step
        if above < 0 or above + 1 >= len(levels):
            steps.append(float(np.clip(above, 0, len(levels) - 1)))
            continue
        steps.append(above + float((levels[above] - level) / (levels[above] - levels[above + 1])))
    return Schedule(tuple(betas), tuple(steps))


def step_code(steps: np.ndarray, width: int = 128) -> np.ndarray:
    """sin | cos of step * 10^(4 i / 63): float (N,) -> float32 (N, width); fractional steps are interpolated between rows (public code)."""
    half = width // 2
    low, high = (rounded(np.asarray(steps, np.float64)).astype(int) for rounded in (np.floor, np.ceil))
    phase = np.arange(int(high.max(initial=0)) + 1)[:, None] * 10 ** (4 * np.arange(half) / (half - 1))
    rows = np.concatenate([np.sin(phase), np.cos(phase)], axis=1)
    fraction = (np.asarray(steps) - low)[:, None]
    return (rows[low] + (rows[high] - rows[low]) * fraction).astype(np.float32)
