"""What is already known below a workspace, and how a new figure joins it: as a record, as soon as it is there."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ...errors import VcompressError
from ...vocoders.catalogue import CatalogueRow
from ..environment import environment
from ..figure import Figure, Planned, absent
from ..records import Record, append_record, read_records
from .artifacts import name_of


class Standing:
    """The figures of one file that have a value. `again`: they are measured once more."""

    def __init__(self, path: Path, again: bool = False):
        self._path = path
        self._methods = {} if again else {record.key: record.method for record in read_records(path) if record.value is not None}

    def has(self, record: Record) -> bool:
        """Whether this figure has a value already, by the same method."""
        return self._methods.get(record.key) == record.method

    def add(self, record: Record) -> None:
        """Write it down; what has a reason in the place of a value is tried again by the next call."""
        append_record(self._path, record)


def record_of(configuration: CatalogueRow, recipe: str, planned: Planned, figure: Figure | None = None, artifact: str = "") -> Record:
    """A record of this machine and this moment; without a figure one that only has its key."""
    found = figure or absent("not taken yet")
    return Record(
        artifact=artifact,
        name=name_of(configuration),
        family=configuration.family,
        size=configuration.size,
        recipe=recipe,
        backend="onnxruntime" if artifact else "torch",
        target="host",
        metric=planned.metric,
        value=found.value,
        unit=planned.unit,
        reason=found.reason,
        method=planned.method,
        window=planned.window,
        settings=planned.settings,
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
