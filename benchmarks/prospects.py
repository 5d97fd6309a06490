"""What is known of vocoders on targets: does it fit, is it fast enough there, and how is that known. From records alone.

Where a figure is known in several ways, the surest stands: measured before simulated before modelled, and what is modelled from counts of
a program that ran before what is modelled from the graphs alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..targets.board import ELSEWHERE
from .columns import TIMES
from .provenance import weakest
from .records import HOST, KNOWN, MEASURED, MODELLED, NOTHING_RAN, PUBLISHED, Record
from .rows import SPECIAL, Row, place_of, threads_of

MEMORIES = ("flash", "ram")
NAMES = {"flash": "flash", "ram": "RAM"}


@dataclass(frozen=True)
class Span:
    """A figure as a range, both ends alike where it is one number, and how it is known."""

    low: float
    high: float
    known: str
    method: str = ""


@dataclass(frozen=True)
class Fits:
    """Whether it fits: None where that is not known. `words` say it, and how often what is too large would fit."""

    answer: bool | None
    words: str
    known: str = MODELLED


@dataclass(frozen=True)
class Prospect:
    """One vocoder under one recipe on one target; `figures`: metric -> its records of the surest kind."""

    name: str
    recipe: str
    artifact: str
    figures: dict[str, tuple[Record, ...]]

    def span(self, metric: str) -> Span | None:
        """The range of a metric, from its newest record of each end; of several threads, that with the fewest. None where it has no value."""
        records = [record for record in self.figures.get(metric, ()) if record.value is not None]
        records = [record for record in records if threads_of(record) == min(map(threads_of, records))]
        records = list({str(record.settings.get("end")): record for record in records}.values())
        values = [record.value for record in records if record.value is not None]
        return Span(min(values), max(values), records[0].known, records[0].method) if values else None

    def reason(self, metric: str) -> str:
        """Why a metric has no value."""
        return next((record.reason for record in self.figures.get(metric, ()) if record.reason), "has not been taken there")

    @property
    def fits(self) -> Fits:
        """What is needed of each memory against what there is; what was measured there has run there."""
        if any(record.known == MEASURED and record.value is not None for record in self.figures.get("rtf", ())):
            return Fits(True, "ran there", MEASURED)
        held = [(memory, self.span(f"{memory}_bytes"), self.span(f"{memory}_budget_bytes")) for memory in MEMORIES if f"{memory}_bytes" in self.figures]
        over = [(memory, needed, budget) for memory, needed, budget in held if needed and budget and needed.high > budget.low]
        if over:
            words = ", ".join(f"{NAMES[memory]} {needed.high / budget.low:.3g}{TIMES}" for memory, needed, budget in over)
            return Fits(False, f"does not fit: {words}", weakest(needed.known for _, needed, _ in over))
        if unknown := next((memory for memory, needed, budget in held if needed is None or budget is None), None):
            reason = self.reason(f"{unknown}_bytes")
            # An artifact says all that there is to say of it; what it does not say of its RAM on a microcontroller keeps it from running there.
            stuck = bool(self.artifact) and self.span(f"{unknown}_bytes") is None
            return Fits(False if stuck else None, f"does not run there: {reason}" if stuck else f"{NAMES[unknown]} not known: {reason}")
        if not held:
            return Fits(None, "not known")
        known = weakest(needed.known for _, needed, _ in held if needed)
        return Fits(True, "fits as far as is known" if known == MODELLED else "fits", known)

    @property
    def speed(self) -> str:
        """What the RTF says of real time, in words."""
        rtf = self.span("rtf")
        if rtf is None:
            return "speed not known"
        return "real time" if rtf.high <= 1 else "real time in doubt" if rtf.low <= 1 else "slower than real time"


@dataclass(frozen=True)
class Target:
    """Everything known of a target, its prospects in the order of the records; `other`: no target, but a machine that is none, or another back end."""

    name: str
    prospects: tuple[Prospect, ...]
    other: bool = False

    def prospect(self, name: str, recipe: str) -> Prospect | None:
        """That of a vocoder under a recipe; None where there is none."""
        return next((prospect for prospect in self.prospects if (prospect.name, prospect.recipe) == (name, recipe)), None)


def targets_of(records: Sequence[Record], rows: Sequence[Row] = ()) -> list[Target]:
    """Each target, and each other place that something was timed in than the rows, in the order of its first record; what papers print is in none."""
    here = {place_of(record) for row in rows for record in row.figures.get("rtf", ())}
    groups: dict[tuple[str, bool], dict[tuple[str, str], list[Record]]] = {}
    for record in records:
        if record.known == PUBLISHED or not record.target:
            continue
        on_host = record.target == HOST
        if on_host and (not here or not record.backend or place_of(record) in here):
            continue
        name = f"{record.backend} on {record.environment.get('machine') or HOST}" if on_host else record.target
        other = on_host or name.endswith(ELSEWHERE)
        groups.setdefault((name, other), {}).setdefault((record.name, record.recipe), []).append(record)
    found = [Target(name, tuple(_prospect(group) for group in prospects.values()), other) for (name, other), prospects in groups.items()]
    return [target for target in found if not target.other or any(prospect.span("rtf") for prospect in target.prospects)]


def _prospect(group: Sequence[Record]) -> Prospect:
    newest = max(enumerate(group), key=lambda pair: (pair[1].time, pair[0]))[1].artifact
    mine = [record for record in group if record.artifact == newest]
    figures = {}
    for metric in dict.fromkeys(record.metric for record in mine):
        records = [record for record in mine if record.metric == metric]
        valued = [record for record in records if record.value is not None] or records
        surest = min(map(_doubt, valued))
        figures[metric] = tuple(record for record in valued if _doubt(record) == surest)
    first = group[0]
    return Prospect(first.name, first.recipe, newest, figures)


def _doubt(record: Record) -> tuple[int, bool, bool]:
    """What stands behind what: the less sure, what is reckoned from graphs alone, what a preset or a short window gave."""
    return KNOWN.index(record.known), record.backend == NOTHING_RAN, bool(SPECIAL & record.settings.keys())
