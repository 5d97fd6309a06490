"""Fronts of any two objectives, and what compression bought: the rows as points, and of each pair of axes who is on the front.

Who dominates whom is decided here once, for all pairs, by `pareto.py`; the page only draws it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from ..columns import BY_METRIC, COSTS, QUALITY, Column
from ..hypervolume import scale_of, share
from ..paired import absence
from ..pareto import Objective, Point, front
from ..provenance import weakest
from ..records import MEASURED
from ..rows import FOLDED, Row, clips_of, recipe_word
from ..verdict import TRAINED, compressed
from .marks import series_of, shape_of

LOGARITHMIC = ("size", "speed", "energy", "other")  # kinds of columns that count in ratios
PARALLEL = ("file_bytes", "rtf", "energy", "peak_memory")  # axes of the view of all objectives, beside the qualities


def default_quality(rows: Sequence[Row]) -> Column:
    """PESQ wide band where some vocoder is trained enough for it to mean something, else log-mel L1, else whatever there is."""
    present = [column for column in QUALITY if any(row.value(column.metric) is not None for row in rows)]
    judged = any((row.value("pesq_wb") or 0) >= TRAINED for row in rows if row.recipe in ("fp32", f"{FOLDED}fp32"))
    wanted = "pesq_wb" if judged else "log_mel_l1"
    return next((column for column in present if column.metric == wanted), present[0] if present else BY_METRIC[wanted])


def axes_of(rows: Sequence[Row]) -> list[Column]:
    """Every metric with a better end that some row has a value of."""
    return [column for column in BY_METRIC.values() if column.sense is not None and any(row.value(column.metric) is not None for row in rows)]


def absent_costs(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The costs that no row has a value of, each with its reasons."""
    missing = [cost for cost in COSTS if not any(row.value(cost.metric) is not None for row in rows)]
    return [(cost.label, "; ".join(list(dict.fromkeys(absence(row, cost.metric) for row in rows))[:2])) for cost in missing]


@dataclass(frozen=True)
class Gain:
    """What compression bought over some objectives: shares of the box (see hypervolume.py) that the fronts dominate, or the reason why there are none.

    fp32: of the rows in floating point with nothing pruned, controls included, so that what training bought is not counted as compression's;
    all: with the compressed rows; corner: values at the reference point; known: how the figures that it is made of are known.
    """

    labels: tuple[str, ...]
    fp32: float = 0.0
    all: float = 0.0
    reason: str = ""
    corner: tuple[float, ...] = ()
    known: str = MEASURED


def gain(rows: Sequence[Row], columns: Sequence[Column]) -> Gain:
    """Over the rows of the clips that most were measured on."""
    labels = tuple(column.label for column in columns)
    complete = [row for row in rows if all(row.value(column.metric) is not None for column in columns)]
    if not complete:
        return Gain(labels, reason="no row has all of these figures")
    shown = _largest_group(complete, [column.metric for column in columns])
    scales = []
    for column in columns:
        scale = scale_of(column.objective, [row.value(column.metric) or 0.0 for row in shown], column.kind in LOGARITHMIC)
        if scale is None:
            return Gain(labels, reason=f"all rows have the same {column.label}")
        scales.append(scale)
    int8 = {id(row) for row in compressed(shown)}
    floating = [row for row in shown if id(row) not in int8]
    points = [_point(row, columns) for row in shown]
    shares = share([_point(row, columns) for row in floating], scales), share(points, scales)
    known = weakest(record.known for row in shown for column in columns if (record := row.figure(column.metric)))
    return Gain(labels, *shares, corner=tuple(scale.reference for scale in scales), known=known)


def gains(rows: Sequence[Row]) -> list[Gain]:
    """The default quality against each cost, and against all costs that were measured."""
    quality = default_quality(rows)
    costs = [cost for cost in COSTS if any(row.value(cost.metric) is not None for row in rows)]
    chosen = [(quality, cost) for cost in costs] + ([(quality, *costs)] if len(costs) > 1 else [])
    return [gain(rows, columns) for columns in chosen if all(any(row.value(column.metric) is not None for row in rows) for column in columns)]


def _point(row: Row, columns: Sequence[Column]) -> Point:
    return {column.metric: row.value(column.metric) for column in columns}


def _largest_group(rows: Sequence[Row], metrics: Sequence[str]) -> list[Row]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(clips_of(row, *metrics), []).append(row)
    return max(groups.values(), key=len)


@dataclass(frozen=True)
class Space:
    """What the charts of objectives are drawn of, as JSON: axes, rows, and for each pair of axes its fronts and the gain."""

    axes: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    pairs: dict[str, Any] = field(default_factory=dict)
    x: str = ""
    y: str = ""
    parallel: list[str] = field(default_factory=list)


def space_of(rows: Sequence[Row]) -> Space:
    """All of it; axes are in the order of the tables, and a pair is named by its first axis, a bar and its second."""
    columns, quality = axes_of(rows), default_quality(rows)
    metrics = [column.metric for column in columns]
    series = series_of(rows)
    qualities = [column.metric for column in QUALITY if column.metric in metrics]
    x = next((metric for metric in PARALLEL if metric in metrics), metrics[0] if metrics else "")
    return Space(
        {column.metric: _axis(rows, column) for column in columns},
        [_row(row, series[row.name], metrics) for row in rows],
        {f"{a.metric}|{b.metric}": _pair(rows, a, b) for a, b in combinations(columns, 2)},
        x,
        quality.metric if quality.metric in metrics else next((metric for metric in metrics if metric != x), x),
        [metric for metric in dict.fromkeys((quality.metric, *PARALLEL, *qualities)) if metric in metrics][:6],
    )


def _axis(rows: Sequence[Row], column: Column) -> dict[str, Any]:
    known = next((record.known for row in rows if (record := row.figure(column.metric)) and record.value is not None), MEASURED)
    values = [value for row in rows if (value := row.value(column.metric)) is not None]
    log = column.kind in LOGARITHMIC and min(values) > 0
    words = {"label": column.label, "unit": column.unit, "sense": column.sense, "better": column.better, "known": known}
    return words | {"scale": column.scale, "digits": column.digits, "log": log}


def _row(row: Row, series: int, metrics: Sequence[str]) -> dict[str, Any]:
    values = {metric: float(f"{value:.6g}") for metric in metrics if (value := row.value(metric)) is not None}
    words = {"name": row.name, "recipe": row.recipe, "word": recipe_word(row.recipe), "shape": shape_of(row.recipe)}
    return words | {"series": series, "folded": row.folded, "values": values}


def _pair(rows: Sequence[Row], a: Column, b: Column) -> dict[str, Any]:
    """fronts: indices of rows, one list for each set of clips that rows were compared on; floating: the front of the rows in floating point."""
    shown = [i for i, row in enumerate(rows) if row.value(a.metric) is not None and row.value(b.metric) is not None]
    int8 = {id(row) for row in compressed(rows)}
    objectives = (a.objective, b.objective)
    found = gain(rows, (a, b))
    together = {id(row) for row in _largest_group([rows[i] for i in shown], (a.metric, b.metric))} if shown else set()
    floating = [i for i in shown if id(rows[i]) in together and id(rows[i]) not in int8]
    return {
        "fronts": list(_fronts(rows, shown, objectives).values()),
        "floating": next(iter(_fronts(rows, floating, objectives).values()), []),
        "fp32": round(found.fp32, 6),
        "all": round(found.all, 6),
        "corner": [float(f"{value:.6g}") for value in found.corner],
        "reason": found.reason,
    }


def _fronts(rows: Sequence[Row], chosen: Sequence[int], objectives: Sequence[Objective]) -> dict[tuple[str, ...], list[int]]:
    metrics = [objective.metric for objective in objectives]
    labels = [clips_of(rows[i], *metrics) for i in chosen]
    inside = front([{metric: rows[i].value(metric) for metric in metrics} for i in chosen], objectives, labels)
    found: dict[tuple[str, ...], list[int]] = {}
    for i, label, kept in zip(chosen, labels, inside, strict=True):
        if kept:
            found.setdefault(label, []).append(i)
    return found
