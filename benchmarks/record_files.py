"""Files of records as a whole: what is wrong with one, several made into one, and tables for other programs."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from ..runtime.files import replacing, write_text
from .record_values import fits
from .records import SCHEMA, Record, read_records

_REQUIRED = (*(f.name for f in fields(Record) if f.default is MISSING and f.default_factory is MISSING), "schema")
_AS_JSON = ("settings", "environment")  # what has no columns of its own


@dataclass(frozen=True)
class Problem:
    """A line that is no record: its number from 1, and what is wrong with it."""

    line: int
    what: str


def check_file(path: Path) -> tuple[int, list[Problem]]:
    """How many lines a file has and what is wrong with which. Raises VcompressError where it cannot be read."""
    count, problems = 0, []
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            count += 1
            if what := problem_of(line):
                problems.append(Problem(number, what))
    return count, problems


def problem_of(line: str) -> str:
    """What keeps a line from being a record of this schema or an older one; "" where nothing does."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return "is no JSON; perhaps its writer was stopped in the middle"
    if not isinstance(raw, dict):
        return "is JSON, but no record"
    if missing := [name for name in _REQUIRED if name not in raw]:
        return f"has no {', '.join(missing)}"
    if not fits("schema", raw["schema"]) or raw["schema"] < 1:
        return f"has the schema {ascii(raw['schema'])[:40]}, which is no version"
    if raw["schema"] > SCHEMA:
        return f"has schema {raw['schema']}, this vcompress reads up to {SCHEMA}"
    if unknown := sorted(set(raw) - {f.name for f in fields(Record)}):
        return f"has {', '.join(map(ascii, unknown))[:80]}, which schema {SCHEMA} does not know"
    try:
        samples = raw.get("samples", ())
        Record(**{**raw, "samples": tuple(samples) if isinstance(samples, list) else samples})
    except VcompressError as error:
        return str(error).removeprefix("A record ").removesuffix("; correct the record.").rstrip(".")
    return ""


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file that has to be there, one at a time, however long it is."""
    try:
        if not path.is_file():
            raise OSError(None, "it is no file" if path.exists() else "there is no such file")
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            yield from lines
    except OSError as error:
        raise VcompressError(f"{path} cannot be read ({error.strerror}); name a file of records, such as runs/records.jsonl.") from None


def read_file(path: Path) -> list[Record]:
    """The standing records of a file that has to be there. Raises VcompressError where it is not, or cannot be read."""
    next(_lines(path), "")
    return read_records(path)


def merge(groups: Iterable[Sequence[Record]]) -> list[Record]:
    """The records of several files, each figure once: of two with one key the one with the later time, else of the later file.

    The machine is part of the key: figures of two machines both stay.
    """
    standing: dict[str, Record] = {}
    for record in (record for group in groups for record in group):
        old = standing.get(record.key)
        if old is None or record.time >= old.time:  # ISO 8601 sorts as text
            standing[record.key] = record
    return list(standing.values())


def write_records(path: Path, records: Sequence[Record]) -> None:
    """A file of these records, whole or not at all. Raises VcompressError where it cannot be written."""
    write_text(path, "".join(record.to_line() for record in records))


def select(records: Sequence[Record], **wanted: str | None) -> list[Record]:
    """Those whose fields are as wanted; `machine` is that of the environment. None: any."""

    def held(record: Record, name: str) -> str:
        return record.environment.get(name, "") if name == "machine" else str(getattr(record, name))

    return [record for record in records if all(value is None or held(record, name) == value for name, value in wanted.items())]


def _plain(record: Record) -> dict[str, Any]:
    return {name: json.dumps(value, sort_keys=True) if name in _AS_JSON else value for name, value in asdict(record).items()}


def write_csv(path: Path, records: Sequence[Record]) -> None:
    """One line a record, one column a field; what is nested is JSON in its cell, an absent value an empty cell."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [f.name for f in fields(Record)])
    writer.writeheader()
    for record in records:
        line = _plain(record)
        writer.writerow(line | {"samples": json.dumps(line["samples"])})
    write_text(path, buffer.getvalue())


def write_parquet(path: Path, records: Sequence[Record]) -> None:
    """The same table as Apache Parquet, `samples` as a list. Raises VcompressError without pyarrow."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise VcompressError("Parquet needs the package pyarrow; run: pip install 'vcompress[parquet]', or write --csv instead.") from None
    kinds = {"value": pyarrow.float64(), "window": pyarrow.float64(), "spread": pyarrow.float64(), "repeats": pyarrow.int64(), "schema": pyarrow.int64()}
    kinds |= {"samples": pyarrow.list_(pyarrow.float64())}
    schema = pyarrow.schema([(f.name, kinds.get(f.name, pyarrow.string())) for f in fields(Record)])
    lines = [line | {"samples": list(line["samples"])} for line in map(_plain, records)]
    with replacing(path) as part:
        parquet.write_table(pyarrow.Table.from_pylist(lines, schema), str(part))
