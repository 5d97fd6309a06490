"""A figure before it becomes a record, and the plan of one: what would be measured, under which name, and how."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Figure:
    """A value with the samples behind it, or None with the reason. `repeats` 0: nothing was tried; spread: interquartile range."""

    value: float | None
    reason: str = ""
    samples: tuple[float, ...] = ()
    repeats: int = 1
    spread: float | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def mean_of(cls, samples: Sequence[float]) -> "Figure":
        """The mean, for quality: differences of means are means of differences."""
        return cls(float(np.mean(samples)), "", tuple(samples), len(samples), interquartile(samples))

    @classmethod
    def median_of(cls, samples: Sequence[float]) -> "Figure":
        """The median, for times: one late interrupt does not move it."""
        return cls(float(np.median(samples)), "", tuple(samples), len(samples), interquartile(samples))


def absent(reason: str, tried: int = 0) -> Figure:
    """A figure that could not be had; `tried` counts the clips or repeats that were attempted."""
    return Figure(None, reason, repeats=tried)


def interquartile(samples: Sequence[float]) -> float | None:
    """Upper minus lower quartile; None for a single sample."""
    return float(np.subtract(*np.percentile(samples, [75, 25]))) if len(samples) > 1 else None


@dataclass(frozen=True)
class Planned:
    """One figure that a bench can take.

    measure: takes it; settings: what else than the artifact it depends on; clips: hash of the reference clips;
    window: seconds of audio; missing: why it cannot be had, known without trying; known: how, one of records.KNOWN.
    """

    metric: str
    unit: str
    method: str
    measure: Callable[[], Figure]
    settings: dict[str, Any] = field(default_factory=dict)
    clips: str = ""
    window: float | None = None
    missing: str = ""
    known: str = "measured"
