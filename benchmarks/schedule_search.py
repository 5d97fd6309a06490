"""Search for a noise schedule of six steps, on the grid of the WaveGrad paper: digits 1 to 9, one for each decade from 1e-6 to 1e-1.

Digit by digit from the noisiest step on, each set to the best of its nine while the others stay, until nothing gets better; then again from
random digits while the budget lasts. The grid has 9^6 points, the paper's search went through them all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..runtime.artifact import Artifact
from ..runtime.backends import Session
from ..runtime.random import RandomStream
from ..runtime.samplers import Tensors, make_sampler
from .metrics.spectral import log_mel_l1

Betas = tuple[float, ...]
Digits = tuple[int, ...]
Progress = Callable[[int, int, str], None]

DECADES = (6, 5, 4, 3, 2, 1)
START: Digits = (2, 2, 2, 2, 2, 2)


def betas_of(digits: Digits) -> Betas:
    """The schedule of six digits, from the cleanest step to the noisiest: each beta is ten times its digit's share of the one before."""
    return tuple(digit / 10**decade for digit, decade in zip(digits, DECADES, strict=True))


@dataclass(frozen=True)
class Hearing:
    """Clips as a vocoder is given them (float32 (n_mels, F)) and as they should sound (float32 (hop F,))."""

    mels: Sequence[np.ndarray]
    references: Sequence[np.ndarray]


@dataclass
class Judge:
    """The mean log-mel L1 of an artifact's synthesis with other betas, by a sampler with `settings(betas)`; every schedule hears the same noise."""

    artifact: Artifact
    session: Session
    hearing: Hearing
    settings: Callable[[Betas], dict[str, Any]]
    _conditions: dict[int, Tensors] = field(default_factory=dict, repr=False)

    def __call__(self, betas: Betas) -> float:
        front_end = self.artifact.manifest.front_end
        sampler = make_sampler({**self.artifact.manifest.sampler, **self.settings(betas)}, front_end.hop_length)
        losses = []
        for index, (mel, reference) in enumerate(zip(self.hearing.mels, self.hearing.references, strict=True)):

            def run(graph: str, inputs: Tensors, index: int = index) -> Tensors:
                if graph != "conditioner":
                    return self.session.run(graph, inputs)
                if index not in self._conditions:  # they depend on the mel alone
                    self._conditions[index] = self.session.run(graph, inputs)
                return self._conditions[index]

            losses.append(log_mel_l1(reference, sampler.synthesize(run, mel, index), front_end.sample_rate))
        return float(np.mean(losses))


@dataclass(frozen=True)
class Found:
    """The best schedule of a search, its loss, that of the schedule it started from, and how many were tried."""

    betas: Betas
    loss: float
    loss_of_start: float
    tried: int


def search_schedule(judge: Callable[[Betas], float], budget: int, seed: int = 0, progress: Progress = lambda done, total, what: None) -> Found:
    """The schedule that `judge` likes best (lowest) among at most `budget` that it is asked about; NaN is worse than anything."""
    known: dict[Digits, float] = {}

    def loss(digits: Digits) -> float:
        if digits not in known and len(known) < budget:
            value = judge(betas_of(digits))
            known[digits] = value if np.isfinite(value) else np.inf
            progress(len(known), budget, f"best {min(known.values()):.4f}")
        return known.get(digits, np.inf)

    draw, digits = RandomStream(seed), START
    while True:
        loss(digits)
        _descend(digits, loss)
        if len(known) >= min(budget, 9 ** len(DECADES)):
            break
        digits = tuple(1 + draw.below(9) for _ in DECADES)
    best = min(known, key=known.__getitem__)
    return Found(betas_of(best), known[best], known[START], len(known))


def _descend(digits: Digits, loss: Callable[[Digits], float]) -> None:
    """Coordinate descent, until a whole round changes nothing."""
    while True:
        before = digits
        for place in reversed(range(len(digits))):
            choices = [(*digits[:place], digit, *digits[place + 1 :]) for digit in range(1, 10)]
            digits = min((digits, *choices), key=loss)
        if digits == before:
            return
