"""Two recipes on the same clips: the mean of the differences clip by clip, with its 95 % interval (Student's t)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .records import Record
from .rows import FOLDED, Row, row_named


@dataclass(frozen=True)
class Difference:
    """How a row's quality differs from its reference row's, in the metric's unit; `value` None with its reason where it cannot be said.

    half_width: of the 95 % interval; None where the single clips are not known. relative and relative_half_width: the same over the
    reference's mean.
    """

    reference: str
    value: float | None = None
    half_width: float | None = None
    relative: float | None = None
    relative_half_width: float | None = None
    reason: str = ""
    clips: int = 0


def student_t(degrees: int, confidence: float = 0.95) -> float:
    """Two-sided quantile of Student's t by bisection; the distribution in closed form (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _central_probability(middle, degrees) < confidence else (low, middle)
    return (low + high) / 2


def _central_probability(t: float, degrees: int) -> float:
    angle = math.atan2(t, math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for k in range(1 + odd, degrees, 2):
        total += term
        term *= cosine * cosine * k / (k + 1)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def mean_difference(values: Sequence[float], reference: Sequence[float]) -> tuple[float, float | None]:
    """Mean of values - reference, clip by clip, and half of its 95 % interval (None for fewer than two clips)."""
    differences = [a - b for a, b in zip(values, reference, strict=True)]
    count, mean = len(differences), math.fsum(differences) / len(differences)
    if count < 2:
        return mean, None
    variance = math.fsum((d - mean) ** 2 for d in differences) / (count - 1)
    return mean, student_t(count - 1) * math.sqrt(variance / count)


def compare(rows: Sequence[Row], row: Row, metric: str) -> Difference | None:
    """The row against its reference row (the control for QAT, fp32 for others); None for fp32 itself.

    A folded row falls back on the row that is not folded: folding changes no number that matters to quality.
    """
    recipe = row.reference_recipe
    if recipe is None:
        return None
    reference = row_named(rows, row.name, recipe) or row_named(rows, row.name, recipe.removeprefix(FOLDED))
    if reference is None:
        return Difference(recipe, reason=f"{row.name} {recipe} has not been measured")
    mine, theirs = row.figure(metric), reference.figure(metric)
    for owner, record in ((row, mine), (reference, theirs)):
        if record is None or record.value is None:
            return Difference(reference.recipe, reason=absence(owner, metric))
    assert mine is not None and theirs is not None
    return _difference(reference.recipe, mine, theirs)


def _difference(recipe: str, mine: Record, theirs: Record) -> Difference:
    if mine.clips != theirs.clips:
        return Difference(recipe, reason=f"{mine.name} {mine.recipe} and {recipe} were measured on different clips")
    assert mine.value is not None and theirs.value is not None
    mean, half_width, count = mine.value - theirs.value, None, 0
    if mine.samples and len(mine.samples) == len(theirs.samples):
        count = len(mine.samples)
        mean, half_width = mean_difference(mine.samples, theirs.samples)
    if not theirs.value:
        return Difference(recipe, mean, half_width, clips=count)
    scale = abs(theirs.value)
    return Difference(recipe, mean, half_width, mean / scale, None if half_width is None else half_width / scale, clips=count)


def absence(row: Row, metric: str) -> str:
    """Why a row has no value of a metric, in words."""
    record = row.figure(metric)
    return record.reason if record and record.value is None else f"{row.name} {row.recipe} has not been measured for {metric}"
