"""Lines of the page: diffusion step by step, training curves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..columns import STEP
from ..rows import Row, recipe_word
from .marks import SERIES, shape_of
from .training import Training

POINTS = 60  # of a curve: a page needs no more than it has pixels for


@dataclass(frozen=True)
class Steps:
    """SNR to fp32 of the state after each step of a diffusion, in the order of synthesis, from the highest step down to 0.

    rows: recipe -> SNR in dB by step, None where it is absent; chart: the same as lines, as JSON.
    """

    name: str
    steps: tuple[int, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    chart: dict[str, Any] = field(default_factory=dict)


def diffusion_steps(rows: Sequence[Row]) -> list[Steps]:
    """One chart for each vocoder whose steps were measured."""
    found = []
    for name in dict.fromkeys(row.name for row in rows):
        mine = [row for row in rows if row.name == name and any(metric.startswith(STEP) and row.value(metric) is not None for metric in row.figures)]
        if not mine:
            continue
        steps = sorted({int(metric.removeprefix(STEP)) for row in mine for metric in row.figures if metric.removeprefix(STEP).isdigit()}, reverse=True)
        values = [(row.recipe, tuple(row.value(f"{STEP}{step}") for step in steps)) for row in mine]
        series = [_series(recipe, i, [(call, value) for call, value in enumerate(snr, 1) if value is not None]) for i, (recipe, snr) in enumerate(values)]
        found.append(Steps(name, tuple(steps), tuple(values), _lines(f"SNR of {name} step by step", "network calls so far", "SNR to fp32 (dB)", series)))
    return found


@dataclass(frozen=True)
class Curves:
    """The validation loss of one vocoder in QAT and, dashed, in its control, as JSON."""

    name: str
    chart: dict[str, Any]


def training_curves(found: Sequence[Training]) -> list[Curves]:
    """One chart for each vocoder whose runs kept a curve."""
    curves = []
    for name in dict.fromkeys(training.name for training in found):
        mine = [training for training in found if training.name == name and len(training.curve) > 1]
        if mine:
            series = [_series(training.recipe, i, _thinned(training.curve)) for i, training in enumerate(mine)]
            curves.append(Curves(name, _lines(f"Validation loss of {name}", "optimiser step", "validation loss, lower is better", series)))
    return curves


def _thinned(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = -(-len(curve) // POINTS)
    return list(curve[::-1][::stride][::-1])


def _lines(title: str, x: str, y: str, series: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": title, "x": x, "y": y, "series": series}


def _series(recipe: str, number: int, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    words = {"label": recipe_word(recipe), "series": number % SERIES, "shape": shape_of(recipe), "dashed": "control_" in recipe}
    return words | {"x": [float(f"{x:.6g}") for x, _ in points], "y": [float(f"{y:.6g}") for _, y in points]}
