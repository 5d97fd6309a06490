"""Pareto dominance, defined once, for any number of objectives of either sense.

A point dominates another when it is at least as good in every objective and better in one. So equal points do not dominate each
other and both stay in the front. A point that lacks an objective (no value, or NaN) cannot be compared over it: it dominates
nobody, nobody dominates it, and it is in no front over that objective.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import VcompressError

Sense = Literal["min", "max"]
Point = Mapping[str, float | None]


@dataclass(frozen=True)
class Objective:
    """A metric and which way is better: "min" (bytes, RTF, J) or "max" (PESQ)."""

    metric: str
    sense: Sense = "min"

    def __post_init__(self) -> None:
        if self.sense not in ("min", "max"):
            raise VcompressError(f"The objective {self.metric} has the sense {self.sense!r}; use 'min' or 'max'.")

    def cost(self, point: Point) -> float | None:
        """The point's value turned so that less is better; None where it is missing or NaN."""
        value = point.get(self.metric)
        if value is None or math.isnan(value):
            return None
        return -value if self.sense == "max" else value


def _costs(point: Point, objectives: Sequence[Objective]) -> tuple[float, ...] | None:
    if not objectives:
        raise VcompressError("A Pareto front needs at least one objective; name a metric and its sense.")
    costs = tuple(objective.cost(point) for objective in objectives)
    return None if None in costs else costs  # type: ignore[return-value]


def _beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def dominates(a: Point, b: Point, objectives: Sequence[Objective]) -> bool:
    """Whether `a` is at least as good as `b` in all objectives and better in one. Raises VcompressError without objectives."""
    first, second = _costs(a, objectives), _costs(b, objectives)
    return first is not None and second is not None and _beats(first, second)


def front(points: Sequence[Point], objectives: Sequence[Objective], groups: Sequence[Hashable] | None = None) -> list[bool]:
    """For each point, whether nobody dominates it and it lacks nothing.

    groups: one label a point; only points with the same label are compared (for quality, the reference clips).
    """
    costs = [_costs(point, objectives) for point in points]
    labels = [None] * len(points) if groups is None else list(groups)
    kept: dict[Hashable, dict[tuple[float, ...], None]] = {}
    # Whoever dominates a point sorts before it, and if that one is itself dominated, so is the point by a member of the front.
    for label, cost in sorted(((label, cost) for label, cost in zip(labels, costs, strict=True) if cost is not None), key=lambda pair: pair[1]):
        members = kept.setdefault(label, {})
        if not any(_beats(member, cost) for member in members):
            members[cost] = None
    return [cost is not None and cost in kept[label] for label, cost in zip(labels, costs, strict=True)]
