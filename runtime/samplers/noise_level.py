"""Denoising by a network that is told the noise level itself: for WaveGrad."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..random import RandomStream
from ..schedule import Schedule, noise_levels
from .sampler import OnStep, Run


@dataclass
class NoiseLevelSampler:
    """`conditioner` once, then `step` for each noise level, from the noisiest to the cleanest.

    Each step predicts the clean waveform, clamps it to [-1, 1] as the public code does, and draws from the posterior of the
    step before, given that and the noisy one (DDPM, Ho et al. 2020, eq. 6 and 7). Without the clamp this is WaveGrad's algorithm 2.

    `noise` False leaves out the noise between the steps. `public`: the two slips of the public code, which estimates the clean
    waveform as y / sqrt(abar) - sqrt(1 - abar) e, without dividing the noise by sqrt(abar), and weighs y in the posterior with
    sqrt(abar) for sqrt(alpha). `folded`: the step graph takes the index of the step, its codes being constants; else the level.
    """

    schedule: Schedule
    hop_length: int
    noise: bool = True
    public: bool = False
    folded: bool = False

    def __post_init__(self) -> None:
        self.calls = {"conditioner": 1, "step": len(self.schedule.betas)}

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler."""
        levels = noise_levels(self.schedule.betas)
        draw = RandomStream(seed)
        shape = (1, 1, mel.shape[1] * self.hop_length)
        conditions = run("conditioner", {"mel": mel[None]})
        audio = draw.normal(shape)
        for n in reversed(range(len(levels))):
            step = {"step": np.array([n], np.int64)} if self.folded else {"level": levels[n : n + 1, None].astype(np.float32)}
            predicted = run("step", {"audio": audio, **step, **conditions})["noise"]
            audio = self._posterior_mean(n, audio, predicted)
            if n > 0 and self.noise:
                audio = audio + np.float32(self._deviation(n)) * draw.normal(shape)
            if on_step is not None:
                on_step(n, audio.reshape(-1))
        return np.clip(audio.reshape(-1), -1.0, 1.0)

    def _posterior_mean(self, n: int, audio: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        alpha, bar, before = self.schedule.alphas[n], self.schedule.alpha_bars[n], self._bar_before(n)
        noise_weight = np.sqrt(1 - bar) / (1 if self.public else np.sqrt(bar))
        clean = np.clip(np.float32(1 / np.sqrt(bar)) * audio - np.float32(noise_weight) * predicted, -1.0, 1.0)
        of_clean = np.sqrt(before) * (1 - alpha) / (1 - bar)
        of_audio = np.sqrt(bar if self.public else alpha) * (1 - before) / (1 - bar)
        return np.float32(of_clean) * clean + np.float32(of_audio) * audio

    def _deviation(self, n: int) -> float:
        bars = self.schedule.alpha_bars
        return float(np.sqrt((1 - self._bar_before(n)) / (1 - bars[n]) * (1 - self.schedule.alphas[n])))

    def _bar_before(self, n: int) -> float:
        return float(self.schedule.alpha_bars[n - 1]) if n else 1.0


def make(settings: dict[str, Any], hop_length: int) -> NoiseLevelSampler:
    """Settings: betas, noise, folded, and `public` where it is wanted."""
    schedule = Schedule(tuple(map(float, settings["betas"])))
    return NoiseLevelSampler(schedule, hop_length, bool(settings["noise"]), bool(settings.get("public", False)), bool(settings["folded"]))
