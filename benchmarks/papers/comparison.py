"""A printed table beside what this project counts or measures: rows of plain values that a program reads and a terminal shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "-"


@dataclass(frozen=True)
class Comparison:
    """One table. `columns`: key of a row -> its heading. A row's `note`, where it has one, says why something is missing or differs.

    `words`: how many columns from the left are words, not figures.

    A value is text (as printed), a number (counted, measured or computed here), a bool (whether the two agree) or None.
    """

    number: int
    title: str
    source: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    remarks: Sequence[str] = ()
    words: int = 1

    @property
    def notes(self) -> list[str]:
        """The notes of all rows, each once; a row refers to its place in this list, from 1."""
        return list(dict.fromkeys(row["note"] for row in self.rows if row.get("note")))

    def cells(self) -> list[list[str]]:
        """The rows as text, in the order of the columns, each with the mark of its note at the end of its first cell."""
        notes = self.notes
        lines = [[_text(row.get(key)) for key in self.columns] for row in self.rows]
        for line, row in zip(lines, self.rows, strict=True):
            if row.get("note"):
                line[0] += f" [{notes.index(row['note']) + 1}]"
        return lines


def _text(value: Any) -> str:
    if value is None or value == "":
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10 else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
