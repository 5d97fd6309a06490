"""A board at the other end of a shell: what it is, what it gets, what it is asked, and every way in which that can go wrong as a sentence."""

import hashlib
import json
import re
import shlex
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import VcompressError
from ...targets.board import printable
from ...targets.ssh import Call, Shell
from . import on_board
from .answers import LINE, Document, count_of, read_answers, text_of
from .bundle import Item, write_tar
from .worker import BEAT

Say = Callable[[str], None]
# What a back end needs on a board beside the package itself; onnx is what reads the graphs whose operations are counted
REQUIREMENTS = {
    "onnxruntime": ("numpy", "onnxruntime", "onnx"),
    "litert": ("numpy", "ai-edge-litert", "onnx"),
    "tflite_runtime": ("numpy<2", "tflite-runtime"),
    "c": ("numpy",),
    "loop": ("numpy", "onnxruntime", "onnx"),
    "onnx-loop": ("numpy", "onnxruntime", "onnx"),
}
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3")
BLOCK = 1 << 18
WHAT_TO_DO = {
    "python": "has no Python from 3.11 on; install one (Raspberry Pi OS has it from Bookworm on), or name one with --board-python",
    "venv": "cannot make a virtual environment ({text}); run there: sudo apt install python3-venv",
    "network": "reaches no package index ({text}); connect it to the internet for its first bench, "
    "or make an environment there with {packages} and name its Python with --board-python",
    "pip": "cannot install {packages} ({text}); try it there with pip install, or choose another --backend",
    "disk": "has no room left ({text}); free some of its disk, such as ~/" + on_board.HOME,
    "home": "cannot use ~/" + on_board.HOME + " ({text}); see who owns it",
    "receive": "could not keep what it was sent ({text}); give the same command again",
    "sentence": "says: {text}",
}


@dataclass(frozen=True)
class Here:
    """What a board is. machine: as `platform.machine()`; bits: of its Python; model: by its device tree; free: bytes of its disk."""

    machine: str
    bits: int
    model: str
    cores: int
    free: int
    python: str
    held: frozenset[str]
    made: frozenset[str]


def environment_name(backend: str) -> str:
    """Where on a board the environment of a back end lies, without its Python's version. Raises VcompressError for one that is not for boards."""
    if backend not in REQUIREMENTS:
        raise VcompressError(f"The back end {backend} does not run on a board; choose one of {', '.join(REQUIREMENTS)}.")
    return f"environments/{hashlib.sha256(' '.join(REQUIREMENTS[backend]).encode()).hexdigest()[:16]}"


@dataclass
class Board:
    """A board behind a shell. python: one of its own that has what is needed, in place of an environment that is made."""

    shell: Shell
    python: str = ""

    @property
    def name(self) -> str:
        """For sentences."""
        return self.shell.name

    def look(self, items: Sequence[Item]) -> Here:
        """What it is, which items it holds and which environments were made there."""
        names = [item.name for item in items]
        environments = [environment_name(backend) for backend in REQUIREMENTS]
        found = self._last(self._setup({"do": "look", "items": names, "environments": environments}), "here")
        python = text_of(found, "python", 10)
        return Here(
            machine=text_of(found, "machine", 20),
            bits=count_of(found, "bits", 64),
            model=text_of(found, "model", 100),
            cores=max(1, count_of(found, "cores", 1024)),
            free=count_of(found, "free", 1 << 60),
            python=python if re.fullmatch(r"3\.\d{1,3}", python) else "",
            held=frozenset(names) & _texts(found, "held"),
            made=frozenset(environments) & _texts(found, "made"),
        )

    def send(self, items: Sequence[Item], progress: Callable[[int, int], None]) -> None:
        """One bundle of all items; `progress(done, total)` in bytes."""
        with tempfile.TemporaryFile() as bundle:
            write_tar(items, bundle)
            total = bundle.tell()
            bundle.seek(0)
            with self._calling(self._setup({"do": "receive"})) as call:
                with suppress(OSError):  # why it broke off is in the answer
                    while block := bundle.read(BLOCK):
                        call.stdin.write(block)
                        progress(bundle.tell(), total)
                    call.stdin.close()
                self._last(call, "received")

    def make_environment(self, backend: str, progress: Say) -> None:
        """A private virtual environment for a back end."""
        asked = {"do": "make", "environment": environment_name(backend), "requirements": REQUIREMENTS[backend]}
        self._last(self._setup(asked), "made", progress, " and ".join(REQUIREMENTS[backend]))

    def work(self, here: Here, code: Item, backend: str, job: dict[str, Any], longest: int = LINE) -> Iterator[Document]:
        """The answers of a job (worker.py) until it is done. Raises VcompressError where it breaks off."""
        python = shlex.quote(self.python) if self.python else f"{environment_name(backend)}-{here.python}/bin/python"
        command = f'cd {on_board.HOME} && PYTHONPATH="$PWD/{code.name}" XDG_CACHE_HOME="$PWD/cache" exec {python} -P -m {__package__}.worker'
        with self._calling(command) as call, _beating(call, job):
            begun = False
            for document in read_answers(call.stdout, self.name, longest):
                if document["kind"] == "done":
                    return
                self._complain(document)
                begun = True
                yield document
            raise self._broken(call, begun)

    def _setup(self, asked: dict[str, Any]) -> str:
        script = Path(on_board.__file__).read_text(encoding="utf-8")
        words = " ".join(map(shlex.quote, ("-c", script, json.dumps(asked))))
        if self.python:
            return f"exec {shlex.quote(self.python)} {words}"
        new = shlex.quote("import sys; sys.exit(sys.version_info < (3, 11))")
        none = shlex.quote(on_board.MARK + json.dumps({"kind": "error", "code": "python"}))
        loop = f'for p in {" ".join(PYTHONS)}; do if $p -c {new} </dev/null >/dev/null 2>&1; then exec $p "$@"; fi; done; echo {none}'
        return f"exec sh -c {shlex.quote(loop)} sh {words}"

    @contextmanager
    def _calling(self, command: str) -> Iterator[Call]:
        call = self.shell.start(command)
        try:
            yield call
        finally:
            call.close()

    def _last(self, command: "str | Call", kind: str, progress: Say = lambda what: None, packages: str = "") -> Document:
        """The answer of a kind that ends a call."""
        if isinstance(command, str):
            with self._calling(command) as call:
                return self._last(call, kind, progress, packages)
        for document in read_answers(command.stdout, self.name):
            self._complain(document, packages)
            if document["kind"] == kind:
                return document
            progress(text_of(document, "what", 60))
        raise self._broken(command)

    def _complain(self, document: Document, packages: str = "") -> None:
        if document["kind"] == "error":
            what = WHAT_TO_DO.get(text_of(document, "code"), WHAT_TO_DO["sentence"])
            sentence = what.format(text=text_of(document, "text", 500).rstrip(".") or "no reason was given", packages=packages)
            raise VcompressError(f"{self.name} {sentence}.")

    def _broken(self, call: Call, begun: bool = False) -> VcompressError:
        code, why = call.wait(), self.shell.why(call)
        said = printable((call.stderr().strip().splitlines() or ["it answered no more"])[-1])
        if begun and why:
            return VcompressError(f"The connection to {self.name} broke off ({said}); what came is kept, give the same command to go on.")
        return VcompressError(why or f"{self.name} ended before it had answered (exit code {code}, {said}); what came is kept, give the same command to go on.")


def _texts(document: Document, key: str) -> frozenset[str]:
    found = document.get(key)
    return frozenset(entry for entry in found if isinstance(entry, str)) if isinstance(found, list) else frozenset()


@contextmanager
def _beating(call: Call, job: dict[str, Any]) -> Iterator[None]:
    """The job goes in, and then a line now and again, for a board that hears nothing stops working."""
    over = threading.Event()

    def beat() -> None:
        with suppress(OSError, ValueError):  # the other end is gone: reading its answers tells
            call.stdin.write(json.dumps(job).encode() + b"\n")
            call.stdin.flush()
            while not over.wait(BEAT):
                call.stdin.write(b"\n")
                call.stdin.flush()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(1.0)
