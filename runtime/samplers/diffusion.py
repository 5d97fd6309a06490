"""Denoising from the noisiest level to the cleanest: for DiffWave."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..random import RandomStream
from ..schedule import Schedule, step_code
from .sampler import OnStep, Run


@dataclass
class DiffusionSampler:
    """`conditioner` once, then `step` for each noise level, from the noisiest to the cleanest (DiffWave, algorithm 2).

    `noise` False leaves out the noise between the steps, as the public code does by mistake. `folded`: the step graph takes
    the index of the step, its shifts being constants; else it takes the step's sinusoidal code. `clamp`: the waveform is kept in
    [-1, 1] after every step, as in the code of lmnt-com/diffwave, not only after the last.
    """

    schedule: Schedule
    hop_length: int
    noise: bool = True
    folded: bool = False
    clamp: bool = False

    def __post_init__(self) -> None:
        self.calls = {"conditioner": 1, "step": len(self.schedule.betas)}

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler."""
        alphas, bars = self.schedule.alphas, self.schedule.alpha_bars
        codes = step_code(np.asarray(self.schedule.steps))
        draw = RandomStream(seed)
        shape = (1, 1, mel.shape[1] * self.hop_length)
        conditions = run("conditioner", {"mel": mel[None]})
        audio = draw.normal(shape)
        for n in reversed(range(len(alphas))):
            step = {"step": np.array([n], np.int64)} if self.folded else {"code": codes[n : n + 1]}
            predicted = run("step", {"audio": audio, **step, **conditions})["noise"]
            audio = (audio - np.float32((1 - alphas[n]) / np.sqrt(1 - bars[n])) * predicted) * np.float32(1 / np.sqrt(alphas[n]))
            if n > 0 and self.noise:
                sigma = np.sqrt((1 - bars[n - 1]) / (1 - bars[n]) * (1 - alphas[n]))
                audio = audio + np.float32(sigma) * draw.normal(shape)
            if self.clamp:
                audio = np.clip(audio, -1.0, 1.0)
            if on_step is not None:
                on_step(n, audio.reshape(-1))
        return np.clip(audio.reshape(-1), -1.0, 1.0)


def make(settings: dict[str, Any], hop_length: int) -> DiffusionSampler:
    """Settings: betas, steps, noise, folded, `clamp` where it is wanted, and `public` for the public code, which has no noise."""
    schedule = Schedule(tuple(map(float, settings["betas"])), tuple(map(float, settings["steps"])))
    noise = bool(settings["noise"]) and not settings.get("public", False)
    return DiffusionSampler(schedule, hop_length, noise, bool(settings["folded"]), bool(settings.get("clamp", False)))
