"""The page itself: what the template shows, gathered from rows, runs and audio."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ..columns import STEP, Column, column_of
from ..records import PUBLISHED, Record
from ..rows import Row, recipe_word, threads_of
from ..table import cost_table, key_table, quality_table
from ..verdict import OTHER_RECIPE, TRAINED, TRAINED_RECIPE, headline
from .chart import Mark, shape
from .claims import narrow_band_claims
from .panels import diffusion_steps, fronts, series_of, shape_of, training_panels
from .sound import listening
from .training import trainings


@dataclass(frozen=True)
class Method:
    """How a metric is known: its definition, what the records say of their making, and the ways in which its figures are known."""

    column: Column
    how: tuple[str, ...]
    known: str
    repeats: str


def render(records: Sequence[Record], rows: Sequence[Row], workspace: Path, command: str) -> str:
    """The whole HTML. Needs jinja2, matplotlib and Pillow (for the spectrograms)."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["breakable"] = _breakable
    template = environment.from_string(_data("page.html.j2"))
    shown = [record for row in rows for figures in row.figures.values() for record in figures]
    published = [record for record in records if record.known == PUBLISHED]
    trained = trainings(rows, workspace)
    return template.render(
        style=_data("page.css"),
        script=_data("page.js"),
        title=f"{' · '.join(series_of(rows))}: int8 against fp32",
        headline=headline(rows),
        key=key_table(rows),
        tables=[table for table in (quality_table(rows), cost_table(rows)) if table.headings],
        fronts=fronts(rows),
        vocoders=[(name, shape(Mark(0, 0, name, i))) for name, i in series_of(rows).items()],
        recipes=_recipe_shapes(rows),
        listening=listening(rows, workspace),
        steps=diffusion_steps(rows),
        claims=narrow_band_claims(rows),
        trainings=trained,
        curves=training_panels(trained),
        environment=_environment(shown),
        methods=_methods(shown),
        records=shown,
        published=published,
        others=len(records) - len(shown) - len(published),
        time=max((record.time for record in shown), default=""),
        command=command,
        trained=TRAINED,
        bounds=(OTHER_RECIPE, TRAINED_RECIPE),
        column_of=column_of,
        threads_of=threads_of,
    )


def _data(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _breakable(recipe: str) -> str:
    """A recipe's name that a narrow column may break after its underscores."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(part) for part in recipe.split("_"))


def _recipe_shapes(rows: Sequence[Row]) -> list[tuple[str, str]]:
    words = dict.fromkeys((recipe_word(row.recipe).removeprefix("folded "), shape_of(row.recipe)) for row in rows)
    shapes = [(word, shape(Mark(0, 0, word, 9, mark))) for word, mark in words]
    return shapes + ([("schedule folded (hollow)", shape(Mark(0, 0, "folded", 9, hollow=True)))] if any(row.folded for row in rows) else [])


def _environment(shown: Sequence[Record]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for record in shown:
        parts = {"back end": record.backend, "target": record.target, **record.environment}
        for key, value in parts.items():
            if value and str(value) not in found[key]:
                found[key].append(str(value))
    return {key: values for key, values in found.items() if values}


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
