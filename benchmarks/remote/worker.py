"""What measures and synthesizes on a board: `python -m vcompress.benchmarks.remote.worker` in on_board.HOME, asked by a line of JSON on stdin.

Figures are records in a file of the board's own, so a bench that broke off goes on where it was; waveforms are kept clip by clip. The desk then
writes a line now and again; when none comes any more, the work ends, for a board must not be held by a connection that is gone.
"""

import base64
import fcntl
import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...runtime.backends import load
from ...runtime.files import replacing
from ...runtime.synthesis import synthesize
from ...targets.board import printable
from ..bench import bench
from ..environment import environment
from ..records import Record
from ..subject import BenchSettings
from .answers import TEXT
from .bundle import MEL
from .on_board import answer

BEAT = 10.0  # seconds between two lines of the desk
SILENCE = 60.0  # seconds without one after which the work ends
LOCK, RECORDS, AUDIO = "lock", "records.jsonl", "audio"


def main() -> None:
    """One job, then an answer "done"; a mistake is an answer "error" in one sentence."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), daemon=True).start()
    with redirect_stdout(sys.stderr):  # what libraries print is no answer
        answers = Answers(sys.__stdout__)
        try:
            with alone(answers):
                answers("machine", environment=plain(environment()))
                DUTIES[asked.pop("do")](answers, **asked)
            answers("done")
        except VcompressError as error:
            answers("error", code="sentence", text=str(error))


class Answers:
    """`answer`, whatever stdout is meanwhile."""

    def __init__(self, stream: IO[str] | None):
        self.stream = stream

    def __call__(self, kind: str, **document: Any) -> None:
        """Write one answer."""
        with redirect_stdout(self.stream):
            answer(kind, **document)


def _watch(stdin: int) -> None:
    """End the process when the desk is gone: its lines stop, or the connection says so."""
    while select.select([stdin], [], [], SILENCE)[0] and os.read(stdin, 1 << 12):
        pass
    os._exit(1)


@contextmanager
def alone(answers: "Answers") -> Iterator[None]:
    """Only one bench at a time on a board, or each would slow the other. Raises VcompressError where another stays."""
    with open(LOCK, "w", encoding="ascii") as file:
        until, told = time.monotonic() + SILENCE + BEAT, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if not told:
                    answers("progress", what="waiting for another bench on this board")
                    told = True
                if time.monotonic() > until:
                    raise VcompressError("Another bench is at work on this board; let it end, then give the same command again.") from None
                time.sleep(1)
        yield


def figures(answers: Answers, artifacts: list[str], settings: dict[str, Any], again: bool) -> None:
    """Every figure of the artifacts, as records: those that stand here, and the new ones as soon as they are known."""
    chosen = BenchSettings(**{**settings, "threads": tuple(settings["threads"]), "families": tuple(settings["families"])})

    told: set[str] = set()

    def tell(record: Record, done: int, total: int) -> None:
        told.add(record.key)
        answers("record", done=done, total=total, record=plain(json.loads(record.to_line())))

    def progress(done: int, total: int, what: str, record: Record | None) -> None:
        if record is None:
            answers("progress", done=done, total=total, what=what)
        else:
            tell(record, done, total)

    found = bench([Artifact.open(folder) for folder in artifacts], (), chosen, Path(RECORDS), progress, again)
    for record in found:
        if record.key not in told:  # it stood here from an earlier bench
            tell(record, len(found), len(found))


def plain(value: Any) -> Any:
    """A JSON value whose texts are single lines without control characters: what a library or a kernel says may be otherwise, and the desk refuses it."""
    if isinstance(value, str):
        return printable(value, TEXT)
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list) else value


def audio(answers: Answers, artifact: str, mels: str, count: int, backend: str, threads: int, seed: int) -> None:
    """The waveform of every mel; clip i draws its noise with seed + i, as bench does."""
    opened = Artifact.open(artifact)
    session = load(backend, opened, threads)
    made_with = Path(__file__).parents[3].name  # the hash of this package, as it was sent
    folder = Path(AUDIO) / "-".join((made_with, opened.identity, backend, str(seed), Path(mels).name))
    for index in range(count):
        path = folder / MEL.format(index)
        if not path.is_file():
            waveform = synthesize(opened, session, np.load(Path(mels) / MEL.format(index), allow_pickle=False), seed + index)
            with replacing(path) as part, part.open("wb") as file:
                np.save(file, np.asarray(waveform, "<f4"), allow_pickle=False)
        data = np.load(path, allow_pickle=False).astype("<f4").tobytes()
        answers("audio", done=index + 1, total=count, clip=index, data=base64.b64encode(data).decode("ascii"))


DUTIES: dict[str, Callable[..., None]] = {"figures": figures, "audio": audio}

if __name__ == "__main__":
    main()
