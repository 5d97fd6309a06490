"""The page itself: what the template shows, gathered from rows, runs and audio."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from ..columns import STEP, Column, column_of
from ..lead import lead
from ..prospects import targets_of
from ..provenance import PROVENANCES, weakest
from ..records import PUBLISHED, Record
from ..rows import Row, threads_of
from ..table import cost_table, key_table, quality_table
from ..verdict import OTHER_RECIPE, TRAINED, TRAINED_RECIPE, headline, quantized
from .analyses import analyses
from .boards import boards
from .bundle import plotly_bundle
from .claims import narrow_band_claims
from .fronts import absent_costs, gains, space_of
from .marks import PATHS, recipe_shapes, series_of
from .panels import diffusion_steps, training_curves
from .sound import listening
from .training import trainings

SAID = 3  # values of one fact of the environment that are written out
# In the order in which they need each other; the page has them in one function
SCRIPTS = ("theme", "charts", "fronts", "parallel", "targets", "sensitivity", "lines", "players", "start")


@dataclass(frozen=True)
class Method:
    """How a metric is known: its definition, what the records say of their making, and the ways in which its figures are known."""

    column: Column
    how: tuple[str, ...]
    known: str
    repeats: str


@dataclass(frozen=True)
class Entry:
    """One entry of a legend: its mark's path, and the number of its colour, None for a shape alone."""

    name: str
    path: str
    series: int | None = None


def render(records: Sequence[Record], rows: Sequence[Row], workspace: Path, command: str) -> str:
    """The whole HTML; the same records and runs give the same bytes. Needs jinja2, plotly, matplotlib and Pillow (for the spectrograms)."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["breakable"] = _breakable
    template = environment.from_string(_data("page.html.j2"))
    shown = [record for row in rows for figures in row.figures.values() for record in figures]
    published = [record for record in records if record.known == PUBLISHED]
    targets = targets_of(records, rows)
    on_targets = [record for target in targets for prospect in target.prospects for figures in prospect.figures.values() for record in figures]
    trained, steps, space, tabs, found = trainings(rows, workspace), diffusion_steps(rows), space_of(rows), boards(targets), analyses(workspace)
    curves = training_curves(trained)
    lines = {f"chart-steps-{i}": one.chart for i, one in enumerate(steps, 1)} | {f"chart-curves-{i}": one.chart for i, one in enumerate(curves, 1)}
    drawn = {
        "space": asdict(space),
        "boards": [board.speeds for board in tabs],
        "analyses": [asdict(analysis) for analysis in found if analysis.charts],
        "lines": lines,
        "marks": {provenance.known: provenance.mark for provenance in PROVENANCES},
    }
    return template.render(
        style=_data("page.css"),
        script=_script(),
        data=_json(drawn),
        plotly=plotly_bundle(),
        title=f"{' · '.join(series_of(rows))}: int8 against fp32",
        lead=lead(rows, targets),
        headline=headline(rows),
        headline_known=weakest(record.known for row in quantized(rows) for figures in row.figures.values() for record in figures) if quantized(rows) else "",
        provenances=PROVENANCES,
        key=key_table(rows),
        tables=[table for table in (quality_table(rows), cost_table(rows)) if table.headings],
        space=space,
        absent=absent_costs(rows),
        gains=gains(rows),
        vocoders=[Entry(name, PATHS["circle"], number) for name, number in series_of(rows).items()],
        recipes=[Entry(word, PATHS[shape]) for word, shape in recipe_shapes(rows).items()],
        boards=tabs,
        analyses=found,
        listening=listening(rows, workspace),
        steps=steps,
        claims=narrow_band_claims(rows),
        trainings=trained,
        curves=curves,
        environment=_environment(shown),
        methods=_methods(shown),
        records=shown,
        published=published,
        others=len(records) - len({id(record) for record in (*shown, *published, *on_targets)}),
        time=max((record.time for record in shown), default=""),
        command=command,
        trained=TRAINED,
        bounds=(OTHER_RECIPE, TRAINED_RECIPE),
        threads_of=threads_of,
    )


def _script() -> str:
    parts = "\n".join(_data(f"scripts/{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _json(value: object) -> str:
    """JSON that stands in a script element: nothing in it can close the element."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _data(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _breakable(recipe: str) -> str:
    """A recipe's name that a narrow column may break after its underscores."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(part) for part in recipe.split("_"))


def _environment(shown: Sequence[Record]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for record in shown:
        parts = {"back end": record.backend, "target": record.target, **record.environment}
        for key, value in parts.items():
            if value and str(value) not in found[key]:
                found[key].append(str(value))
    return {key: values if len(values) <= SAID else [*values[:SAID], f"and {len(values) - SAID} more"] for key, values in found.items()}


def _method(record: Record) -> str:
    """The method without what differs from row to row: the identity of its fp32, the number of its step."""
    return re.sub(r"after step \d+", "after each step", record.method.split("; fp32 is ")[0])


def _methods(shown: Sequence[Record]) -> list[Method]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in shown:
        groups[STEP if record.metric.startswith(STEP) else record.metric].append(record)
    return [
        Method(
            column_of(metric, group[0].unit),
            tuple(dict.fromkeys(_method(r) for r in group if r.method)),
            ", ".join(dict.fromkeys(r.known if r.value is not None else "absent" for r in group)),
            ", ".join(str(n) for n in sorted({r.repeats for r in group if r.value is not None})),
        )
        for metric, group in groups.items()
    ]
