"""The tables of the page and of the terminal: cells of plain text, with the reason where a figure is absent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .columns import BY_METRIC, COLUMNS, QUALITY, TIMES, Column, signed
from .paired import Difference, absence, compare
from .provenance import weakest
from .rows import Row, recipe_word, row_named, threads_of
from .verdict import Outcome, judge, measured_as, not_faster, raced, ratio

ABSENT = "-"
CONTROL_MARK = "↳ "  # a control stands right below the QAT row that it belongs to


@dataclass(frozen=True)
class Cell:
    """What a table shows at one place: `sub` is a smaller second line, `tip` shows when it is pointed at,
    `note` is the reason of an absence, `mark` an outcome's name, `known` how the figure is known, empty where there is none.
    """

    text: str
    sub: str = ""
    note: str = ""
    mark: str = ""
    tip: str = ""
    known: str = ""


@dataclass(frozen=True)
class Heading:
    """A column's name; `sub` says its unit and which way is better, `meaning` what it is."""

    label: str
    sub: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Line:
    """One row of a table; `first` where a vocoder begins."""

    name: str
    recipe: str
    cells: tuple[Cell, ...]
    first: bool = False


@dataclass(frozen=True)
class Table:
    """A table of (name, recipe) rows."""

    caption: str
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]

    @property
    def notes(self) -> list[str]:
        """The reasons of all absences, each once; a cell's footnote is the place in this list, from 1."""
        return list(dict.fromkeys(cell.note for line in self.lines for cell in line.cells if cell.note))

    def markdown(self) -> str:
        """The table for a terminal or a README, its notes below, without the second lines of its cells."""
        notes = self.notes
        rows = [["Vocoder", "Recipe", *(f"{h.label} ({h.sub})" if h.sub else h.label for h in self.headings)]]
        for line in self.lines:
            rows.append([line.name, line.recipe, *(_plain(cell, notes) for cell in line.cells)])
        return "\n".join([markdown_table(rows), "", *(f"[{i}] {note}" for i, note in enumerate(notes, 1))]).rstrip() + "\n"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a Markdown table whose columns stand in line; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    text = [f"| {' | '.join(value.ljust(width) for value, width in zip(row, widths, strict=True))} |" for row in rows]
    text.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(text)


def _plain(cell: Cell, notes: list[str]) -> str:
    return f"{cell.text} [{notes.index(cell.note) + 1}]" if cell.note else cell.text


def key_table(rows: Sequence[Row]) -> Table:
    """Size, speed, quality and energy of each recipe beside fp32, and the verdict; fp32 is the first row of each vocoder."""
    pesq, mel, snr, energy = (BY_METRIC[metric] for metric in ("pesq_wb", "log_mel_l1", "snr_fp32", "energy"))
    makers: list[tuple[Heading, Callable[[Row], Cell]]] = [
        (_heading(BY_METRIC["file_bytes"]), lambda row: _value(row, BY_METRIC["file_bytes"])),
        (
            Heading("Size", f"{TIMES} fp32", "file over that of fp32; below it, weights + scales + biases over the fp32 weights"),
            lambda row: _size_ratio(rows, row),
        ),
        (_heading(BY_METRIC["rtf"]), lambda row: _rtf(row)),
        (
            Heading(
                "Speed",
                f"{TIMES} fp32",
                "how many times faster than fp32 with the same threads: from interleaved runs where they were made, else from the two RTFs",
            ),
            lambda row: _speed_ratio(rows, row),
        ),
        (_heading(pesq), lambda row: _value(row, pesq)),
        (
            Heading("Δ PESQ wb", "95 % interval", "paired mean over the clips, against the control for QAT and fp32 for others"),
            lambda row: _delta(rows, row, pesq),
        ),
        (_heading(mel), lambda row: _value(row, mel)),
        (
            Heading("Δ log-mel", "95 % interval", "paired mean over the clips, relative to the reference row's mean"),
            lambda row: _delta(rows, row, mel, relative=True),
        ),
        (_heading(snr), lambda row: _snr(row, snr)),
        (_heading(energy), lambda row: _value(row, energy)),
        (Heading("Verdict"), lambda row: _verdict(rows, row)),
    ]
    place = f", measured as {target}" if (target := measured_as(rows)) else ""
    return _table(f"What each recipe costs and saves{place}", rows, makers)


def quality_table(rows: Sequence[Row]) -> Table:
    """Every quality metric that was measured, the paired difference below each value."""
    makers = [(_heading(column), _with_delta(rows, column)) for column in QUALITY if any(row.figure(column.metric) for row in rows)]
    return _table("Quality in full", rows, makers)


def cost_table(rows: Sequence[Row]) -> Table:
    """Bytes by kind, processor time, memory, what is executed and how well the machine is used, energy with and without idle."""
    size = ("weight_bytes", "scale_bytes", "bias_bytes", "graph_bytes", "peak_memory", "peak_activation_bytes", "peak_device_memory")
    speed = ("cpu_seconds_per_second", "core_hour_ratio", "executed_gflops_per_second", "macs_reached", "peak_share")
    shown = (*size, *speed, "energy_above_idle", "energy_per_utterance", "idle_power")
    columns = [column for column in COLUMNS if column.metric in shown and any(row.figure(column.metric) for row in rows)]
    return _table("Costs in full", rows, [(_heading(column), _maker(column)) for column in columns])


def _table(caption: str, rows: Sequence[Row], makers: Sequence[tuple[Heading, Callable[[Row], Cell]]]) -> Table:
    lines, previous = [], None
    for row in rows:
        recipe = f"{CONTROL_MARK}{row.recipe}" if "control_" in row.recipe else row.recipe
        lines.append(Line(row.name, recipe, tuple(make(row) for _, make in makers), first=row.name != previous))
        previous = row.name
    return Table(caption, tuple(heading for heading, _ in makers), tuple(lines))


def _heading(column: Column) -> Heading:
    arrow = {"min": "↓", "max": "↑", None: ""}[column.sense]
    return Heading(column.label, f"{column.unit} {arrow}".strip(), "; ".join(filter(None, (column.meaning, column.better))))


def _maker(column: Column) -> Callable[[Row], Cell]:
    return lambda row: _value(row, column)


def _with_delta(rows: Sequence[Row], column: Column) -> Callable[[Row], Cell]:
    def make(row: Row) -> Cell:
        cell, difference = _value(row, column), compare(rows, row, column.metric)
        if difference is None or difference.value is None:
            return cell
        return replace(cell, sub=difference_text(difference, column))

    return make


def _value(row: Row, column: Column) -> Cell:
    record = row.figure(column.metric)
    if record is None or record.value is None:
        return Cell(ABSENT, note=absence(row, column.metric))
    return Cell(column.text(record.value), known=record.known)


def _rtf(row: Row) -> Cell:
    column, cell = BY_METRIC["rtf"], _value(row, BY_METRIC["rtf"])
    others = [f"{threads_of(r)} thr. {column.text(r.value)}" for r in row.figures.get("rtf", ())[1:] if r.value is not None]
    return replace(cell, sub=", ".join(others))


def _snr(row: Row, column: Column) -> Cell:
    if row.recipe.endswith("fp32") and row.value(column.metric) is None:
        return Cell("reference")
    return _value(row, column)


def _size_ratio(rows: Sequence[Row], row: Row) -> Cell:
    if row.baseline_recipe is None:
        return Cell("1")
    found = ratio(rows, row, "file_bytes")
    if found is None:
        return Cell(ABSENT, note=_no_baseline(rows, row, "file_bytes"))
    baseline = row_named(rows, row.name, row.baseline_recipe)
    parts = [row.value(metric) for metric in ("weight_bytes", "scale_bytes", "bias_bytes")]
    weights = baseline.value("weight_bytes") if baseline else None
    own = [part for part in parts if part is not None]
    text = f"weights {sum(own) / weights:.3f}" if weights and len(own) == len(parts) else ""
    return Cell(f"{1 / found:.3f}", text, known=_known(row, baseline, "file_bytes"))


def _speed_ratio(rows: Sequence[Row], row: Row) -> Cell:
    if row.baseline_recipe is None:
        return Cell("1")
    own, baseline = row.figure("rtf"), row_named(rows, row.name, row.baseline_recipe)
    base = baseline.figure("rtf") if baseline else None
    if own and base and threads_of(own) != threads_of(base):
        return Cell(ABSENT, note=f"{row.name} {row.recipe} and {row.baseline_recipe} were timed with different threads")
    found = ratio(rows, row, "rtf")
    if found is None:
        return Cell(ABSENT, note=_no_baseline(rows, row, "rtf"))
    return Cell(f"{found:.2f}", "interleaved" if own and raced(row, threads_of(own)) else "", known=_known(row, baseline, "rtf"))


def _no_baseline(rows: Sequence[Row], row: Row, metric: str) -> str:
    if row.value(metric) is None:
        return absence(row, metric)
    baseline = row_named(rows, row.name, row.baseline_recipe)
    return absence(baseline, metric) if baseline else f"{row.name} {row.baseline_recipe} has not been measured"


def _delta(rows: Sequence[Row], row: Row, column: Column, relative: bool = False) -> Cell:
    difference = compare(rows, row, column.metric)
    if difference is None:
        return Cell("reference")
    if difference.value is None or (relative and difference.relative is None):
        return Cell(ABSENT, note=difference.reason or f"{column.label} of {difference.reference} is 0")
    reference = row_named(rows, row.name, difference.reference)
    return Cell(difference_text(difference, column, relative), f"vs {recipe_word(difference.reference)}", known=_known(row, reference, column.metric))


def _known(row: Row, other: Row | None, metric: str) -> str:
    """How a figure made of those of two rows is known."""
    return weakest(record.known for of in (row, other) if of is not None and (record := of.figure(metric)) is not None)


def difference_text(difference: Difference, column: Column, relative: bool = False) -> str:
    """A difference that has a value, with its 95 % interval: in the column's unit, or relative in %."""
    value, half = (difference.relative, difference.relative_half_width) if relative else (difference.value, difference.half_width)
    assert value is not None
    scale, digits, unit = (100.0, 1, " %") if relative else (1 / column.scale, column.digits + 1, "")
    text = signed(f"{value * scale:+.{digits}f}")
    return f"{text} ± {half * scale:.{digits}f}{unit}" if half is not None else f"{text}{unit}"


def _verdict(rows: Sequence[Row], row: Row) -> Cell:
    verdict, slow = judge(rows, row), not_faster(rows, row)
    mark = verdict.outcome.name.lower()
    if verdict.outcome is Outcome.UNKNOWN:
        return Cell("not faster" if slow else ABSENT, slow, verdict.why, mark, slow)
    beyond = "interval reaches beyond" if verdict.outcome is Outcome.UNSURE else ""
    text = f"{verdict.outcome.value}, not faster" if slow else verdict.outcome.value
    return Cell(text, "; ".join(filter(None, (beyond, slow))), mark=mark, tip="; ".join(filter(None, (verdict.why, slow))))
