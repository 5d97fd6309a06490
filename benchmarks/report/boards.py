"""The targets' tabs: for each target a table of what fits and how fast it is, and the points of its chart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...targets.profile import built_in, find_profile
from ..columns import BY_METRIC, column_of
from ..prospects import MEMORIES, Prospect, Span, Target
from ..rows import recipe_rank, recipe_word
from ..table import ABSENT, Cell, Heading, Line, Table
from ..verdict import Outcome

OWN = ("rtf", "energy", *(f"{memory}{end}" for memory in MEMORIES for end in ("_bytes", "_budget_bytes")))  # have columns of their own
BESIDE = ("cpu_seconds_per_second", "peak_memory")


@dataclass(frozen=True)
class Board:
    """One tab. `summary`: how many fit and how many run in real time; `speeds`: the points of the chart, as JSON."""

    name: str
    title: str
    summary: str
    table: Table
    speeds: list[dict[str, Any]]


def boards(targets: Sequence[Target]) -> list[Board]:
    """In the order of the profiles that come with the package, one's own last."""
    order = {name: i for i, name in enumerate(built_in())}
    found = sorted(targets, key=lambda target: order.get(target.name, len(order)))
    return [
        Board(target.name, "measured, and beside the rows" if target.other else _title(target.name, order), _summary(target), _table(target), _speeds(target))
        for target in found
    ]


def _title(name: str, known: dict[str, int]) -> str:
    """Of a profile that comes with the package; a record may name anything, and no file is opened for it."""
    profile = find_profile(name) if name in known else None
    return f"{profile.title}, {profile.core}" if profile else ""


def _summary(target: Target) -> str:
    fitting = [prospect for prospect in target.prospects if prospect.fits.answer is not False]
    fast = sum(prospect.speed == "real time" for prospect in fitting)
    doubt = sum(prospect.speed == "real time in doubt" for prospect in fitting)
    beside = f", {doubt} perhaps" if doubt else ""
    if target.other:
        return f"{fast} of {len(target.prospects)} artifacts run in real time{beside}."
    return f"Of {len(target.prospects)} artifacts {len(fitting)} fit as far as is known; {fast} of these in real time{beside}."


def _table(target: Target) -> Table:
    held = [memory for memory in MEMORIES if any(f"{memory}_bytes" in prospect.figures for prospect in target.prospects)]
    metrics = dict.fromkeys(metric for prospect in target.prospects for metric in prospect.figures if _is_shown(metric) and prospect.span(metric))
    energy = ["energy"] if any("energy" in prospect.figures for prospect in target.prospects) else []
    others = [*energy, *metrics]
    units = {metric: next(prospect.figures[metric][0].unit for prospect in target.prospects if metric in prospect.figures) for metric in others}
    headings = [
        *(Heading(column.label, "of what there is", column.meaning) for column in (BY_METRIC[f"{memory}_bytes"] for memory in held)),
        Heading("RTF", "↓", BY_METRIC["rtf"].meaning),
        *(Heading(column.label, column.unit, column.meaning) for column in (column_of(metric, units[metric]) for metric in others)),
        Heading("Verdict"),
    ]
    lines, previous = [], None
    names = list(dict.fromkeys(prospect.name for prospect in target.prospects))
    for prospect in sorted(target.prospects, key=lambda prospect: (names.index(prospect.name), *recipe_rank(prospect.recipe))):
        cells = [*(_memory(prospect, memory) for memory in held), _rtf(prospect), *(_other(prospect, metric, units[metric]) for metric in others)]
        lines.append(Line(prospect.name, prospect.recipe, (*cells, _verdict(prospect)), first=prospect.name != previous))
        previous = prospect.name
    return Table(f"On {target.name}", tuple(headings), tuple(lines))


def _is_shown(metric: str) -> bool:
    """Whether a metric has a column where it has a value: what belongs to the target, and not size or quality, which are the same anywhere."""
    if metric in OWN:
        return False
    if metric in BY_METRIC:
        return metric in BESIDE or BY_METRIC[metric].kind == "energy" or BY_METRIC[metric].sense is None
    return column_of(metric).metric == metric and column_of(metric).sense is None  # none that the tables know, nor a graph's share of one


def _memory(prospect: Prospect, memory: str) -> Cell:
    needed, budget = prospect.span(f"{memory}_bytes"), prospect.span(f"{memory}_budget_bytes")
    if needed is None:
        return Cell(ABSENT, note=prospect.reason(f"{memory}_bytes"))
    return Cell(_bytes(needed.high), f"of {_bytes(budget.low)}" if budget else "budget not recorded", known=needed.known, tip=needed.method)


def _bytes(value: float) -> str:
    """To three digits, in kB or MB."""
    return f"{_digits(value / 1e3)} kB" if value < 1e6 else f"{_digits(value / 1e6)} MB"


def _rtf(prospect: Prospect) -> Cell:
    rtf = prospect.span("rtf")
    return Cell(ABSENT, note=prospect.reason("rtf")) if rtf is None else Cell(span_text(rtf), known=rtf.known, tip=rtf.method)


def span_text(span: Span) -> str:
    """A range to three digits, one number where both ends read alike."""
    return " to ".join(dict.fromkeys((_digits(span.low), _digits(span.high))))


def _digits(value: float) -> str:
    return f"{float(f'{value:.4g}'):,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _other(prospect: Prospect, metric: str, unit: str) -> Cell:
    span, scale = prospect.span(metric), column_of(metric, unit).scale
    if span is None:
        return Cell(ABSENT, note=prospect.reason(metric))
    return Cell(span_text(Span(span.low / scale, span.high / scale, span.known)), known=span.known, tip=span.method)


def _verdict(prospect: Prospect) -> Cell:
    fits, speed = prospect.fits, prospect.speed
    if fits.answer is False:
        return Cell(fits.words, known=fits.known, mark=Outcome.LOST.name.lower())
    mark = {"real time": Outcome.KEPT, "slower than real time": Outcome.LOST}.get(speed, Outcome.UNSURE)
    rtf = prospect.span("rtf")
    return Cell(speed, fits.words, known=rtf.known if rtf else fits.known, mark=mark.name.lower())


def _speeds(target: Target) -> list[dict[str, Any]]:
    found = [(prospect, rtf) for prospect in target.prospects if (rtf := prospect.span("rtf")) and rtf.low > 0]
    return [
        {
            "label": f"{prospect.name} {recipe_word(prospect.recipe)}",
            "low": float(f"{rtf.low:.4g}"),
            "high": float(f"{rtf.high:.4g}"),
            "known": rtf.known,
            "fits": prospect.fits.answer is not False,
        }
        for prospect, rtf in sorted(found, key=lambda pair: pair[1].high)
    ]
