"""Joules over time, from what a meter told now and then: a counter's state, or a power."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_WATTS = 10_000.0  # of one counter: more is no draw, but a counter that was set back
LEAST_READINGS = 3  # of a power in a window: fewer say nothing of what was drawn between them


Times = Sequence[float]
States = Sequence[Sequence[float]]


class NoReading(Exception):
    """Why there are no joules, in words for a record."""


@dataclass(frozen=True)
class Curve:
    """Joules since the first reading. times: seconds (N,), rising; joules: (N,); `sampled`: the joules are powers times time."""

    times: np.ndarray
    joules: np.ndarray
    sampled: bool = False

    def between(self, begin: float, end: float) -> float:
        """Joules of a span. Raises NoReading where the readings do not cover it, and where they did not move."""
        slack = 0.01 * (end - begin) if not self.sampled else 0.25 * (end - begin)
        if len(self.times) < 2 or self.times[0] > begin + slack or self.times[-1] < end - slack:
            raise NoReading("the meter told nothing for a part of the window")
        inside = int(np.count_nonzero((self.times >= begin) & (self.times <= end)))
        if self.sampled and inside < LEAST_READINGS:
            raise NoReading(f"the meter told its power only {inside} times in a window")
        first, last = np.interp((begin, end), self.times, self.joules)
        if last <= first:
            raise NoReading("the counter stood still in a window" if not self.sampled else "the meter told 0 W throughout a window")
        return float(last - first)


def counted(times: Times, states: States, joules: float, ranges: Sequence[float | None]) -> Curve:
    """The curve of counters that add up: `states` (N, counters) in units of `joules` J; a counter starts again from 0 past its range.

    Raises NoReading where one went back by other means.
    """
    total = np.zeros(len(times))
    for states_of_one, span in zip(np.asarray(states, np.float64).reshape(len(times), -1).T, ranges, strict=True):
        steps = np.diff(states_of_one)
        back = steps < 0
        if back.any():
            if not span:
                raise NoReading("the counter went back, and where it starts again is not told")
            steps = np.where(back, steps + span, steps)
        if (steps < 0).any() or (steps * joules > MOST_WATTS * np.maximum(np.diff(times), 1.0)).any():
            raise NoReading("the counter was set back, or jumped by more than a machine can draw")
        total[1:] += np.cumsum(steps) * joules
    return Curve(np.asarray(times, np.float64), total)


def sampled(times: Times, watts: States) -> Curve:
    """The curve of powers (N, meters) that add up, straight between two readings. Raises NoReading where one is negative or no number."""
    moments, powers = np.asarray(times, np.float64), np.asarray(watts, np.float64).reshape(len(times), -1).sum(axis=1)
    if not np.isfinite(powers).all() or (powers < 0).any():
        raise NoReading("the meter told a power that is negative or no number")
    steps = np.diff(moments) * (powers[1:] + powers[:-1]) / 2
    return Curve(moments, np.concatenate(([0.0], np.cumsum(steps)))[: len(moments)], sampled=True)
