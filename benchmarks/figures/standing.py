"""What is already known below a workspace, and how a new figure joins it: as a record, as soon as it is there."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ...errors import VcompressError
from ...vocoders.catalogue import CatalogueRow
from ..environment import environment
from ..figure import Figure, Planned, absent
from ..records import Record, append_record, read_records
from .artifacts import name_of


@dataclass
class Standing:
    """The records of one file. `again`: what is there is measured once more."""

    path: Path
    again: bool = False
    keys: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.keys = set() if self.again else {record.key for record in read_records(self.path) if record.value is not None}

    def has(self, record: Record) -> bool:
        """Whether this figure has a value already."""
        return record.key in self.keys

    def add(self, record: Record) -> None:
        """Write it down; a reason in the place of a value gives way to the next try."""
        append_record(self.path, record)
        if record.value is not None:
            self.keys.add(record.key)


def record_of(configuration: CatalogueRow, recipe: str, planned: Planned, figure: Figure | None = None, artifact: str = "") -> Record:
    """A record of this machine and this moment; without a figure one that only has its key."""
    found = figure or absent("not taken yet", 0)
    blank = Record(
        artifact, name_of(configuration), configuration.family, configuration.size, recipe, "onnxruntime" if artifact else "torch", "host",
        planned.metric, None, planned.unit, reason="not taken yet", method=planned.method, window=planned.window, settings=planned.settings,
    )  # fmt: skip
    return replace(
        blank,
        value=found.value,
        reason=found.reason,
        repeats=found.repeats,
        spread=found.spread,
        samples=found.samples,
        environment={**environment(), **found.environment},
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def attempt(measure: Callable[[], Figure]) -> Figure:
    """The figure, or the reason why it could not be had: one configuration's failure leaves the others alone."""
    try:
        return measure()
    except VcompressError as error:
        return absent(str(error), 1)
    except MemoryError:
        return absent("the memory of this machine is too small for it", 1)
