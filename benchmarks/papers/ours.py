"""What this project has of a printed row: the configuration that the row means, and what a workspace has measured of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...runtime.workspace import RECORDS, Workspace
from ...vocoders.catalogue import CatalogueRow, catalogue
from ..records import Record, read_records
from ..rows import rows_of

SPEED = "speed"  # where `make bench` keeps size and speed of configurations without trained weights
# Table 8's sizes of WaveGrad are not those of the public configurations, which are this project's and Table 9's.
NO_SUCH_WAVEGRAD = "WaveGrad LARGE of Table 8, 33.91 M parameters, is in no public configuration; nobody but its author can count it"
OTHER_WAVEGRAD = "WaveGrad MEDIUM of Table 8 is the public code's large configuration, this project's WaveGrad L"
WHICH_WAVEGRAD = "which of the public configurations was rated as WaveGrad MEDIUM and LARGE is not known"


@dataclass(frozen=True)
class Match:
    """The configuration of a printed row; None with a `note` that says why."""

    row: CatalogueRow | None
    note: str = ""


def match(family: str, size: str, table: int) -> Match:
    """The configuration that a table means by a family's title and a size."""
    note = ""
    if family == "WaveGrad" and table == 8:
        if size == "L":
            return Match(None, NO_SUCH_WAVEGRAD)
        size, note = ("L", OTHER_WAVEGRAD) if size == "M" else (size, "")
    if family == "WaveGrad" and table == 7 and size != "S":
        return Match(None, WHICH_WAVEGRAD)
    found = next((row for row in catalogue() if (row.title, row.size) == (family, size)), None)
    return Match(found, note if found else f"this vcompress has no {family} {size}")


class Measurements:
    """The figures of a workspace: those of its artifacts first, else those of `make bench` for untrained configurations."""

    def __init__(self, records: Sequence[Record] = (), speed: Sequence[Record] = ()):
        self._rows = [{(row.name, row.recipe): row for row in rows_of(list(found))} for found in (records, speed)]

    @classmethod
    def read(cls, workspace: Path) -> "Measurements":
        """Of a workspace; of nothing where it has no records. Raises VcompressError for records that cannot be read."""
        place = Workspace(workspace)
        return cls(read_records(place.records), read_records(place.root / SPEED / RECORDS))

    def value(self, row: CatalogueRow | None, metric: str, recipe: str = "fp32") -> float | None:
        """A measured value in the unit of its records; None where there is none."""
        if row is None:
            return None
        found = (rows.get((f"{row.family}-{row.size.lower()}", recipe)) for rows in self._rows)
        return next((value for held in found if held is not None and (value := held.value(metric)) is not None), None)
