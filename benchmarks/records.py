"""Records: one figure on one line of JSON. Reports are made of records alone.

The file is only ever appended to, a line at a time; a line cut short by a kill is passed over when reading. Two records with the
same key are the same figure: the later one stands.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from .record_values import NUMBERS, fits

SCHEMA = 1
HOST = "host"  # the target that is the machine itself
NOTHING_RAN = "model"  # the back end of what is reckoned from the graphs alone
MEASURED = "measured"
SIMULATED = "simulated"
MODELLED = "modelled"
PUBLISHED = "published"
KNOWN = (MEASURED, SIMULATED, MODELLED, PUBLISHED)
ELSEWHERE = (SIMULATED, MODELLED, PUBLISHED)  # of a machine that is not here, or measured by others on other clips: in no row beside what was measured here


@dataclass(frozen=True)
class Record:
    """One figure of one artifact, or its absence (`value` None) with the reason.

    artifact: identity; name: the run's, such as "hifigan-s"; clips: the hash of the reference clips, for quality;
    settings: what else the figure depends on (threads, metric parameters); window in seconds; spread: interquartile range;
    samples: the single values behind it, per clip or per repeat; environment: machine, versions.
    """

    artifact: str
    name: str
    family: str
    size: str
    recipe: str
    backend: str
    target: str
    metric: str
    value: float | None
    unit: str
    known: str = "measured"
    reason: str = ""
    method: str = ""
    repeats: int = 1
    window: float | None = None
    spread: float | None = None
    clips: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    samples: tuple[float, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    time: str = ""
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if wrong := next((f.name for f in fields(self) if not fits(f.name, getattr(self, f.name))), ""):
            raise VcompressError(f"A record has a {wrong} of the wrong kind: {ascii(getattr(self, wrong))[:40]}; correct the record.")
        if self.known not in KNOWN:
            raise VcompressError(f"A record is {', '.join(KNOWN)}, not {self.known!r}; correct the record.")
        if self.value is None and not self.reason:
            raise VcompressError(f"The record of {self.metric} has neither a value nor a reason; give one of them.")
        for name in NUMBERS:
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise VcompressError(f"The {name} of {self.metric} is {number}; record its absence with the reason instead.")

    @property
    def key(self) -> str:
        """What makes two records the same figure."""
        machine = self.environment.get("machine", "")
        parts = (self.artifact, self.name, self.recipe, self.backend, self.target, self.metric, self.clips, self.settings, machine)
        return json.dumps(parts, sort_keys=True)

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), allow_nan=False) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Record | None":
        """The record of a line; None where the line is damaged. Raises VcompressError for a newer schema."""
        try:
            raw = json.loads(line)
            schema = raw["schema"]
            if isinstance(schema, int) and schema > SCHEMA:
                newer = f"A record has schema {schema}, this vcompress reads up to {SCHEMA}; upgrade vcompress."
            else:
                return cls(**{**raw, "samples": tuple(raw.get("samples", ()))})
        except (ValueError, KeyError, TypeError, RecursionError, VcompressError):
            return None
        raise VcompressError(newer)


def append_record(path: Path, record: Record) -> None:
    """Add one line, flushed to the disk; heals a last line that a kill cut short."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            line = record.to_line().encode()
            if file.tell() and not _ends_a_line(file):
                line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise VcompressError(f"{path} cannot be written ({error.strerror}); free some space or choose another --workspace.") from None


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def read_records(path: Path) -> list[Record]:
    """The standing records of a file, in order of first appearance; empty when there is no file."""
    try:
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            return list(standing(record for record in map(Record.from_line, lines) if record is not None))
    except OSError as error:
        raise VcompressError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None


def standing(records: Iterable[Record]) -> Iterator[Record]:
    """Each figure once: the later record replaces the earlier in its place."""
    latest = {record.key: record for record in records}
    return iter(latest.values())
