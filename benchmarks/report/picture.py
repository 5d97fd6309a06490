"""`pareto.png`: the fronts of the default quality against size, RTF and energy, for a paper or a README."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from ...runtime.files import replacing
from ..columns import COSTS, Column
from ..paired import absence
from ..rows import Row, clips_of, front_of, recipe_word
from .axis import Axis, Box, overlap, staircase_boxes
from .fronts import default_quality
from .marks import recipe_shapes, series_of, shape_of

COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#9333ea", "#b45309", "#be185d", "#0e7490", "#64748b")
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "down": "v", "cross": "X", "hexagon": "h"}
GREY = "#b8bcc4"


def write_picture(rows: Sequence[Row], path: Path) -> None:
    """Three panels side by side, 1650 x 572 pixels. Needs matplotlib; draws without a display."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"text.parse_math": False}), warnings.catch_warnings():  # a name is a name, whatever is in it
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(figsize=(15, 5.2), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        quality = default_quality(rows)
        panels = [(axes, _panel(axes, rows, quality, cost)) for axes, cost in zip(figure.subplots(1, len(COSTS)), COSTS, strict=True)]
        _add_legend(figure, rows)
        figure.canvas.draw()  # names find their places once everything else has its own
        for axes, names in panels:
            _name_points(axes, names)
        with replacing(path) as part:
            figure.savefig(part, format="png")


def _panel(axes: Any, rows: Sequence[Row], quality: Column, cost: Column) -> "Names":
    """Draw all but the names of the front points; gives what these need."""
    axes.set_title(f"{quality.label} against {cost.label}", fontsize=11)
    axes.set_xlabel(f"{cost.label}{f' ({cost.unit})' if cost.unit else ''}, {cost.better}")
    axes.set_ylabel(f"{quality.label}, {quality.better}")
    axes.spines[["top", "right"]].set_visible(False)
    shown = [row for row in rows if row.value(quality.metric) is not None and row.value(cost.metric) is not None]
    if not shown:
        missing = next((m for m in (cost.metric, quality.metric) if not any(row.value(m) is not None for row in rows)), cost.metric)
        reason = fill(f"no figure: {absence(rows[0], missing)}", 44)
        axes.text(0.5, 0.5, reason, ha="center", va="center", color="#555", transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
        return Names([], [], [])
    inside, series = front_of(shown, (quality.objective, cost.objective)), series_of(rows)
    xs, ys = [(row.value(cost.metric) or 0) / cost.scale for row in shown], [(row.value(quality.metric) or 0) / quality.scale for row in shown]
    clips = [clips_of(row, quality.metric, cost.metric) for row in shown]
    stairs: list[Box] = []
    for group in dict.fromkeys(clips):
        steps = sorted((x, y) for x, y, label, kept in zip(xs, ys, clips, inside, strict=True) if label == group and kept)
        axes.step([x for x, _ in steps], [y for _, y in steps], where="post", color="#334155", linewidth=1.4, zorder=1)
        stairs += staircase_boxes(steps)
    for row, x, y, kept in zip(shown, xs, ys, inside, strict=True):
        colour = COLOURS[series[row.name]] if kept else GREY
        axes.plot(x, y, MARKERS[shape_of(row.recipe)], color=colour, markerfacecolor="white" if row.folded else colour, markersize=8, zorder=3 if kept else 2)
    _cost_axis(axes, xs)
    axes.margins(y=0.14)
    names = [(f"{row.name} {recipe_word(row.recipe)}", x, y) for row, x, y, kept in zip(shown, xs, ys, inside, strict=True) if kept]
    return Names(names, list(zip(xs, ys, strict=True)), stairs)


def _cost_axis(axes: Any, values: Sequence[float]) -> None:
    """The same axis as on the page: logarithmic where all values are positive."""
    from matplotlib.ticker import NullLocator

    axis = Axis.around(values, log=True)
    if axis.log:
        axes.set_xscale("log")
    axes.set_xlim(axis.low, axis.high)
    axes.set_xticks([value for value, _ in axis.ticks()], [text for _, text in axis.ticks()])
    axes.xaxis.set_minor_locator(NullLocator())


@dataclass(frozen=True)
class Names:
    """What is to be named in a panel, and what the names keep off: all points and the front's line, in the units of the axes."""

    points: Sequence[tuple[str, float, float]]
    spots: Sequence[tuple[float, float]]
    stairs: Sequence[Box]


def _name_points(axes: Any, names: Names) -> None:
    """Each name at the first place where it covers neither a point, nor the front's line, nor another name."""
    renderer = axes.figure.canvas.get_renderer()
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in (axes.transData.transform(spot) for spot in names.spots)]
    for box in names.stairs:
        (x0, y0), (x1, y1) = axes.transData.transform(box[:2]), axes.transData.transform(box[2:])
        taken.append((min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1))
    frame = axes.get_window_extent(renderer)
    places = [(9, -3, "left"), (-9, -3, "right"), (0, 9, "center"), (0, -16, "center"), (8, 8, "left"), (8, -15, "left"), (-8, 8, "right"), (-8, -15, "right")]
    places += [(-5, 9, "left"), (-5, -16, "left"), (5, 9, "right"), (5, -16, "right"), (-5, -28, "left"), (5, -28, "right")]
    places += [(0, 24, "center"), (0, -30, "center"), (0, 38, "center"), (0, -44, "center")]
    for name, x, y in names.points:
        for dx, dy, align in places:
            note = axes.annotate(name, (x, y), (dx, dy), textcoords="offset points", ha=align, fontsize=8.5, color="#1f2937", zorder=4)
            note.set_in_layout(False)
            extent = note.get_window_extent(renderer)
            box = (extent.x0, extent.y0, extent.x1, extent.y1)
            inside = box[0] >= frame.x0 and box[2] <= frame.x1 and box[1] >= frame.y0 and box[3] <= frame.y1
            if inside and not any(overlap(box, other) for other in taken):
                break
            if (dx, dy, align) != places[-1]:
                note.remove()
        taken.append(box)


def _add_legend(figure: Any, rows: Sequence[Row]) -> None:
    """Below the panels, in as many columns as fit."""
    entries = _legend(rows)
    for columns in range(min(len(entries), 12), 0, -1):
        legend = figure.legend(handles=entries, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
        if columns == 1 or legend.get_window_extent(figure.canvas.get_renderer()).width <= figure.bbox.width:
            return
        legend.remove()


def _legend(rows: Sequence[Row]) -> list[Any]:
    from matplotlib.lines import Line2D

    def dot(marker: str, colour: str, label: str, face: str | None = None) -> Any:
        return Line2D([], [], linestyle="", marker=marker, color=colour, markerfacecolor=face or colour, markersize=8, label=label)

    vocoders = [dot("o", COLOURS[i], name) for name, i in series_of(rows).items()]
    recipes = [dot(MARKERS[shape], "#475569", word) for word, shape in recipe_shapes(rows).items()]
    folded = [dot("o", "#475569", "schedule folded", "white")] if any(row.folded for row in rows) else []
    return [*vocoders, *recipes, *folded, dot("o", GREY, "dominated")]
