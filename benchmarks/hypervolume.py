"""Hypervolume: how much of the space of objectives a front dominates, in one number.

Each objective is turned so that less is better and scaled to 0 at the best and 1 at the worst of all points; costs count in ratios
(their logarithms), so that a halving is worth the same anywhere. The reference point lies 10 % beyond the worst, so that the
extremes of a front count too, and the number is the dominated share of the box up to it.
Zitzler and Thiele, Multiobjective optimization using evolutionary algorithms, 1998; computed as in While, Bradstreet and Barone,
A fast way of calculating exact hypervolumes, 2012.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .pareto import Objective, Point, front

BEYOND = 1.1  # the reference point, in units of the range from best to worst
Costs = tuple[float, ...]


def hypervolume(points: Sequence[Costs], reference: Costs) -> float:
    """Volume between the points and the reference, less being better; a point that is not better than the reference everywhere adds nothing."""
    inside = sorted({point for point in points if all(x < r for x, r in zip(point, reference, strict=True))})
    return _volume(_front(inside), reference)


def _volume(points: Sequence[Costs], reference: Costs) -> float:
    """Of a front, sorted."""
    if len(reference) == 1:
        return reference[0] - points[0][0] if points else 0.0
    if len(reference) == 2:
        # Along the front from the left the second cost falls, so each point adds the rectangle below the one before it.
        heights = [reference[1], *(y for _, y in points)]
        return math.fsum((reference[0] - x) * (above - y) for (x, y), above in zip(points, heights, strict=False))
    total = []
    for i, point in enumerate(points):
        box = math.prod(r - x for x, r in zip(point, reference, strict=True))
        shared = {tuple(map(max, point, later)) for later in points[i + 1 :]}
        total.append(box - _volume(_front(sorted(shared)), reference))
    return math.fsum(total)


def _front(points: Sequence[Costs]) -> list[Costs]:
    """The points, sorted and each once, that nobody dominates."""
    kept: list[Costs] = []
    for point in points:
        if not any(all(a <= b for a, b in zip(member, point, strict=True)) for member in kept):
            kept.append(point)
    return kept


@dataclass(frozen=True)
class Scale:
    """One objective's way from a value to 0 (the best of all points) and 1 (the worst)."""

    objective: Objective
    best: float
    worst: float
    log: bool

    def __call__(self, value: float) -> float:
        best, worst, value = (math.log(v) if self.log else v for v in (self.best, self.worst, value))
        return (value - best) / (worst - best)

    @property
    def reference(self) -> float:
        """The value at the reference point."""
        best, worst = (math.log(v) if self.log else v for v in (self.best, self.worst))
        beyond = best + BEYOND * (worst - best)
        return math.exp(beyond) if self.log else beyond


def scale_of(objective: Objective, values: Sequence[float], log: bool) -> Scale | None:
    """The scale over some values, logarithmic if wanted and all are positive; None where they are all the same, so that none is better."""
    low, high = min(values), max(values)
    if low == high:
        return None
    best, worst = (low, high) if objective.sense == "min" else (high, low)
    return Scale(objective, best, worst, log and low > 0)


def share(points: Sequence[Point], scales: Sequence[Scale]) -> float:
    """The share of the box that these points dominate, 0 to 1; those that lack an objective add nothing."""
    inside = front(points, [scale.objective for scale in scales])
    costs = [tuple(scale(point[scale.objective.metric] or 0.0) for scale in scales) for point, kept in zip(points, inside, strict=True) if kept]
    return hypervolume(costs, (BEYOND,) * len(scales)) / BEYOND ** len(scales)
