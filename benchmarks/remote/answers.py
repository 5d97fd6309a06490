"""What comes from a board, before anything is done with it: bounded, read as JSON, checked against what was asked. Nothing else of it is kept or shown."""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from ...errors import VcompressError
from ...runtime.artifact import Manifest
from ...targets.board import printable
from ..record_files import problem_of
from ..records import PUBLISHED, Record
from .on_board import MARK

LINE = 1 << 18  # bytes of an answer that carries no audio
CHATTER = 1 << 20  # bytes of all else that a login may print
MOST_ANSWERS = 100_000
MOST_SAMPLES = 10_000  # single values behind a figure
TEXT, WORDS = 1000, 100  # characters of a text, entries of a dictionary
SIGNED = "energy"  # metrics that can be below 0: what is left when the idle draw is taken away
_NAME = re.compile(r"[A-Za-z0-9_ .-]{1,64}")
Document = dict[str, Any]


def read_answers(stream: IO[bytes], board: str, longest: int = LINE) -> Iterator[Document]:
    """The answers in a stream until it ends or breaks off. Raises VcompressError for what is too long, too much, or no answer."""
    mark, chatter, count = MARK.encode(), 0, 0
    while line := stream.readline(longest + 1):
        if not line.endswith(b"\n"):
            if len(line) > longest:
                raise _refused(board, f"a line of more than {longest:,} bytes")
            return  # cut off in the middle
        if not line.startswith(mark):
            chatter += len(line)
            if chatter > CHATTER:
                raise _refused(board, f"more than {CHATTER:,} bytes that are no answer")
            continue
        count += 1
        if count > MOST_ANSWERS:
            raise _refused(board, f"more than {MOST_ANSWERS:,} lines")
        try:
            document = json.loads(line[len(mark) :], parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise _refused(board, "a line that is no JSON") from None
        if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
            raise _refused(board, "a line that is no answer")
        yield document


def _no_number(name: str) -> float:
    raise ValueError(name)


def _refused(board: str, what: str) -> VcompressError:
    return VcompressError(f"{board} sent {what}; nothing of it was kept, see what runs there (its shell may print at login).")


@dataclass(frozen=True)
class Asked:
    """What a bench on a board was asked for: artifacts by identity, back end, target as figures name it."""

    board: str
    manifests: Mapping[str, Manifest]
    backend: str
    target: str

    def record(self, document: Document, machine: Mapping[str, str], time: str) -> Record:
        """The record of an answer. `machine`: the board's environment; `time`: of arrival, for a board's clock need not be right.

        Raises VcompressError where it is no record of this schema, too large, or of something that was not asked for.
        """
        raw = document.get("record")
        if not isinstance(raw, dict) or not sound(raw):
            raise _refused(self.board, "a record that is none, or too large")
        if problem_of(json.dumps(raw)):
            raise _refused(self.board, "a record of another schema")
        record = Record(**{**raw, "samples": tuple(raw.get("samples", ())), "time": time})
        if not self._wanted(record):
            raise _refused(self.board, "a record that nobody asked for")
        if record.environment.get("machine") != machine.get("machine"):
            raise _refused(self.board, "a record of another machine")
        return record

    def _wanted(self, record: Record) -> bool:
        manifest = self.manifests.get(record.artifact)
        if manifest is None or (record.backend, record.target) != (self.backend, self.target):
            return False
        named = (record.name, record.family, record.size, record.recipe) == (manifest.name, manifest.family, manifest.size, manifest.recipe)
        numbers = [number for number in (record.value, record.window, record.spread, *record.samples) if number is not None]
        signed = record.metric.startswith(SIGNED)
        possible = all(math.isfinite(number) and (signed or number >= 0) for number in numbers) and len(record.samples) <= MOST_SAMPLES
        return named and possible and not record.clips and record.known != PUBLISHED and bool(_NAME.fullmatch(record.metric))


def sound(value: Any, depth: int = 4) -> bool:
    """Whether a JSON value is of a sensible size, its texts are printable and its numbers finite."""
    if isinstance(value, str):
        return len(value) <= TEXT and value.isprintable()
    if isinstance(value, int | float):
        return isinstance(value, bool) or abs(value) < 1e18
    if isinstance(value, list):
        return depth > 0 and len(value) <= MOST_SAMPLES and all(sound(entry, depth - 1) for entry in value)
    if isinstance(value, dict):
        return depth > 0 and len(value) <= WORDS and all(_NAME.fullmatch(key) and sound(entry, depth - 1) for key, entry in value.items())
    return value is None


def environment_of(document: Document, board: str) -> dict[str, str]:
    """The board's environment, names to texts. Raises VcompressError where it is none."""
    found = document.get("environment")
    if not isinstance(found, dict) or not sound(found) or not all(isinstance(text, str) for text in found.values()) or not found.get("machine"):
        raise _refused(board, "no description of itself")
    return found


def waveform_of(document: Document, samples: int, board: str) -> np.ndarray:
    """The waveform of an answer: float32 (samples,). Raises VcompressError where it is another length or no float32."""
    data = document.get("data")
    try:
        raw = base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 4 * samples:
        raise _refused(board, f"a waveform that is not {samples:,} samples of float32")
    return np.frombuffer(raw, "<f4").astype(np.float32)


def longest_line(samples: int) -> int:
    """Bytes of the answer that carries a waveform."""
    return LINE + 4 * -(-4 * samples // 3)


def text_of(document: Document, key: str, length: int = 200) -> str:
    """A text of an answer, made fit for a terminal; "" where there is none."""
    found = document.get(key)
    return printable(found, length) if isinstance(found, str) else ""


def count_of(document: Document, key: str, most: int = 1_000_000) -> int:
    """A number of an answer, from 0 to `most`; 0 where there is none."""
    found = document.get(key)
    return min(max(found, 0), most) if isinstance(found, int) and not isinstance(found, bool) else 0
