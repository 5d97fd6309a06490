"""A scale from values to a picture: its range and its ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Box = tuple[float, float, float, float]  # left, low, right, high in the units of the drawing


@dataclass(frozen=True)
class Axis:
    """`low` and `high` are values."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: Sequence[float], log: bool = False) -> "Axis":
        """An axis with room around its values; logarithmic only where all are positive."""
        low, high = min(values), max(values)
        if log and low > 0:
            room = max(1.15, (high / low) ** 0.08)
            return cls(low / room, high * room, True)
        room = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
        return cls(low - room, high + room)

    def fraction(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values within the axis and how they are written: 1, 2, 5 times powers of ten."""
        low, high = self.low, self.high
        if self.log:
            exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            steps = (1,) if high / low > 200 else (1, 2, 5) if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 6, 8)
            values = [m * 10.0**e for e in exponents for m in steps]
        if not self.log or sum(low <= v <= high for v in values) < 2:
            step = _round_step((high - low) / 7)
            values = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
        return [(v, f"{v:.6g}") for v in values if low <= v <= high]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * 0.999)


def staircase_boxes(spots: Sequence[tuple[float, float]]) -> list[Box]:
    """The segments of a front's line as boxes without area, for labels to keep off: points in the order of their cost."""
    corners = [(b[0], a[1]) for a, b in pairwise(spots)]
    pairs = [*zip(spots, corners, strict=False), *zip(corners, spots[1:], strict=True)]
    return [(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])) for a, b in pairs]


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share some area."""
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
