"""The panels of the page: fronts of a quality against each cost, diffusion step by step, training curves."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..columns import BY_METRIC, COSTS, QUALITY, STEP, Column
from ..paired import absence
from ..pareto import Objective, dominates
from ..rows import FOLDED, Row, clips_of, front_of, recipe_word
from ..verdict import TRAINED
from .chart import Axis, Mark, lines, scatter
from .training import Training

SHAPES = {"fp32": "circle", "static": "square", "qat": "diamond", "control": "triangle", "dynamic": "down", "mixed": "cross"}
SERIES = 6  # colours that the style sheet has; further vocoders share them


@dataclass(frozen=True)
class Panel:
    """One chart with its title, or, without `svg`, the reason why there is none. `dominated`: how many points are greyed."""

    title: str
    svg: str = ""
    reason: str = ""
    dominated: int = 0
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fronts:
    """The panels of one quality metric, one for each cost."""

    quality: Column
    panels: tuple[Panel, ...]


def shape_of(recipe: str) -> str:
    """The point's shape of a recipe."""
    return SHAPES.get(recipe_word(recipe).removeprefix("folded "), "cross")


def series_of(rows: Sequence[Row]) -> dict[str, int]:
    """Vocoder -> the number of its colour."""
    return {name: i % SERIES for i, name in enumerate(dict.fromkeys(row.name for row in rows))}


def default_quality(rows: Sequence[Row]) -> Column:
    """PESQ wide band where some vocoder is trained enough for it to mean something, else log-mel L1, else whatever there is."""
    present = [column for column in QUALITY if any(row.value(column.metric) is not None for row in rows)]
    judged = any((row.value("pesq_wb") or 0) >= TRAINED for row in rows if row.recipe in ("fp32", f"{FOLDED}fp32"))
    wanted = "pesq_wb" if judged else "log_mel_l1"
    return next((column for column in present if column.metric == wanted), present[0] if present else BY_METRIC[wanted])


def fronts(rows: Sequence[Row]) -> list[Fronts]:
    """Panels for each quality metric that was measured, the default first."""
    default = default_quality(rows)
    others = [column for column in QUALITY if column != default and any(row.value(column.metric) is not None for row in rows)]
    return [Fronts(quality, tuple(front_panel(rows, quality, cost) for cost in COSTS)) for quality in (default, *others)]


def front_panel(rows: Sequence[Row], quality: Column, cost: Column) -> Panel:
    """One scatter: cost across, quality up, fronts joined for each set of reference clips."""
    title = f"{quality.label} against {cost.label if cost.label.isupper() else cost.label.lower()}"
    shown = [row for row in rows if row.value(quality.metric) is not None and row.value(cost.metric) is not None]
    missing = [metric for metric in (cost.metric, quality.metric) if not any(row.value(metric) is not None for row in rows)]
    if not shown:
        reasons = dict.fromkeys(absence(row, metric) for metric in missing for row in rows)
        return Panel(title, reason="; ".join(list(reasons)[:2]) or "no row has both figures")
    objectives = (quality.objective, cost.objective)
    inside = front_of(shown, objectives)
    series = series_of(rows)
    marks = [_mark(shown, row, kept, objectives, quality, cost, series[row.name]) for row, kept in zip(shown, inside, strict=True)]
    clips = [clips_of(row, quality.metric, cost.metric) for row in shown]
    joined = [[m for m, label, kept in zip(marks, clips, inside, strict=True) if label == group and kept] for group in dict.fromkeys(clips)]
    x = Axis.around(_axis_label(cost), [m.x for m in marks], log=True, scale=cost.scale)
    y = Axis.around(_axis_label(quality), [m.y for m in marks], scale=quality.scale)
    hidden = tuple(f"{row.name} {recipe_word(row.recipe)}" for row in rows if row not in shown)
    return Panel(title, scatter(title, x, y, marks, [group for group in joined if group]), dominated=inside.count(False), hidden=hidden)


def _axis_label(column: Column) -> str:
    return f"{column.label}{f' ({column.unit})' if column.unit else ''}, {column.better}"


def _mark(rows: Sequence[Row], row: Row, kept: bool, objectives: Sequence[Objective], quality: Column, cost: Column, series: int) -> Mark:
    x, y = row.value(cost.metric), row.value(quality.metric)
    assert x is not None and y is not None
    tip = [f"{row.name} {row.recipe}", f"{cost.label} {cost.text(x)} {cost.unit}".strip(), f"{quality.label} {quality.text(y)} {quality.unit}".strip()]
    tip.append("in the front" if kept else f"dominated by {_dominators(rows, row, objectives)}")
    label = f"{row.name} {recipe_word(row.recipe)}" if kept else ""
    return Mark(x, y, "\n".join(tip), series, shape_of(row.recipe), label, dominated=not kept, hollow=row.folded)


def _dominators(rows: Sequence[Row], row: Row, objectives: Sequence[Objective]) -> str:
    metrics = [objective.metric for objective in objectives]

    def point(of: Row) -> dict[str, float | None]:
        return {metric: of.value(metric) for metric in metrics}

    better = [other for other in rows if clips_of(other, *metrics) == clips_of(row, *metrics) and dominates(point(other), point(row), objectives)]
    names = [f"{other.name} {recipe_word(other.recipe)}" for other in better]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@dataclass(frozen=True)
class Steps:
    """SNR to fp32 of the state after each step of a diffusion, in the order of synthesis, from the highest step down to 0.

    rows: recipe -> SNR in dB by step, None where it is absent.
    """

    name: str
    steps: tuple[int, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    svg: str


def diffusion_steps(rows: Sequence[Row]) -> list[Steps]:
    """One chart for each vocoder whose steps were measured."""
    found = []
    for name in dict.fromkeys(row.name for row in rows):
        mine = [row for row in rows if row.name == name and any(metric.startswith(STEP) and row.value(metric) is not None for metric in row.figures)]
        if not mine:
            continue
        steps = sorted({int(metric.removeprefix(STEP)) for row in mine for metric in row.figures if metric.removeprefix(STEP).isdigit()}, reverse=True)
        values = [(row.recipe, tuple(row.value(f"{STEP}{step}") for step in steps)) for row in mine]
        series = [_step_marks(row, i, steps) for i, row in enumerate(mine)]
        x = Axis.labelled("network calls so far", 0.7, len(steps), [recipe_word(row.recipe) for row in mine])
        y = Axis.around("SNR to fp32 (dB)", [mark.y for marks in series for mark in marks])
        found.append(Steps(name, tuple(steps), tuple(values), lines(f"SNR of {name} step by step", x, y, series)))
    return found


def _step_marks(row: Row, series: int, steps: Sequence[int]) -> list[Mark]:
    points = [(call, step, value) for call, step in enumerate(steps, 1) if (value := row.value(f"{STEP}{step}")) is not None]
    word = recipe_word(row.recipe)
    return [
        Mark(call, value, f"{row.recipe}\nafter step {step}: {value:.1f} dB", series % SERIES, shape_of(row.recipe), word if call == points[-1][0] else "")
        for call, step, value in points
    ]


def training_panels(found: Sequence[Training]) -> list[Panel]:
    """One chart for each vocoder: validation loss of QAT, and dashed of its control."""
    panels = []
    for name in dict.fromkeys(training.name for training in found):
        mine = [training for training in found if training.name == name and len(training.curve) > 1]
        if not mine:
            continue
        series = [_curve_marks(training, i) for i, training in enumerate(mine)]
        x = Axis.labelled("optimiser step", 0, max(mark.x for marks in series for mark in marks), [recipe_word(training.recipe) for training in mine])
        y = Axis.around("validation loss, lower is better", [mark.y for marks in series for mark in marks])
        dashed = ["control_" in training.recipe for training in mine]
        panels.append(Panel(name, lines(f"Validation loss of {name}", x, y, series, dashed)))
    return panels


def _curve_marks(training: Training, series: int) -> list[Mark]:
    stride = -(-len(training.curve) // 60)  # a page needs no more points than it has pixels for
    points = training.curve[::-1][::stride][::-1]
    word = recipe_word(training.recipe)
    return [
        Mark(step, loss, f"{training.recipe}\nstep {step:.0f}: {loss:.4f}", series % SERIES, shape_of(training.recipe), word if step == points[-1][0] else "")
        for step, loss in points
    ]
