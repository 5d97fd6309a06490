"""tflite-runtime, the predecessor of LiteRT: it wants Python 3.11 at most and numpy below 2.

So it runs in a process of the Python that is named for it; or in this one where it is installed here, as on a board with a 32-bit system.
"""

import json
import math
import os
import subprocess
import tempfile
import weakref
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import VcompressError
from ..artifact import Artifact
from ..samplers import Tensors
from ..states import with_states
from .litert import LiteRTSession

VARIABLE = "VCOMPRESS_TFLITE_PYTHON"
PATIENCE = 5.0  # seconds that an ending process is given
WORKER = Path(__file__).with_name("tflite_worker.py")
HOW = f"make an environment of Python 3.11 or older with pip install tflite-runtime 'numpy<2', and set {VARIABLE} to its python"


class TFLiteProcessSession:
    """A process that holds one interpreter a graph. Its times hold what passing tensors through a pipe takes."""

    def __init__(self, artifact: Artifact, threads: int):
        graphs = [part for name in artifact.manifest.graphs for part in (name, str(artifact.derived_path("tflite", name)))]
        python = os.environ.get(VARIABLE)
        if not python:
            raise VcompressError(f"The back end tflite_runtime runs in a Python of its own; {HOW}.")
        self._artifact, self._said = artifact, tempfile.TemporaryFile()  # noqa: SIM115  (as long as the session)
        command = [python, str(WORKER), str(threads), *graphs]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said)
        except OSError:
            raise VcompressError(f"{VARIABLE} names {python}, which cannot be run; {HOW}.") from None
        self._close = weakref.finalize(self, _end, self._process)
        started = self._answer()
        if started is None:
            raise VcompressError(f"{python} cannot run tflite-runtime ({self._last_words()}); {HOW}.")
        self.environment = {"tflite_runtime": started["version"], "threads": str(threads), "process": "of its own"}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """Outputs of a named graph by name. Raises VcompressError when the inputs do not fit it or the process has ended."""
        tensors = {name: _signed(array) for name, array in with_states(self._artifact.manifest.graphs[graph], inputs).items()}
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps({"graph": graph, "tensors": [[name, a.dtype.str, a.shape] for name, a in tensors.items()]}).encode() + b"\n")
            for array in tensors.values():
                pipe.write(array.tobytes())
            pipe.flush()
            answer = self._answer()
        except OSError:
            answer = None
        if answer is None or "error" in answer:
            said = self._last_words() if answer is None else answer["error"]
            raise VcompressError(f"tflite-runtime cannot run graph {graph!r} of {self._artifact.folder} ({said}); export the artifact again.")
        return {name: self._read(dtype, shape) for name, dtype, shape in answer["tensors"]}

    def _answer(self) -> dict[str, Any] | None:
        """The next line of the process; None where it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def _read(self, dtype: str, shape: list[int]) -> np.ndarray:
        assert self._process.stdout is not None
        data = self._process.stdout.read(math.prod(shape) * np.dtype(dtype).itemsize)
        return np.frombuffer(data, dtype).reshape(shape)

    def _last_words(self) -> str:
        """The last line of what an ended process said."""
        self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with {self._process.returncode}"


def load(artifact: Artifact, threads: int) -> TFLiteProcessSession | LiteRTSession:
    """Open the artifact here, or start the process. Raises VcompressError where the artifact has no TFLite files or the environment no tflite-runtime."""
    if is_elsewhere():
        return TFLiteProcessSession(artifact, threads)
    from tflite_runtime import interpreter

    return LiteRTSession(artifact, threads, interpreter, "tflite-runtime", "tflite_runtime")


def is_elsewhere() -> bool:
    """Whether another process computes."""
    return VARIABLE in os.environ or not find_spec("tflite_runtime")


def _signed(array: np.ndarray) -> np.ndarray:
    return (array ^ np.uint8(128)).view(np.int8) if array.dtype == np.uint8 else np.ascontiguousarray(array)


def _end(process: subprocess.Popen) -> None:
    """Its input ends, and so does it."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # the other end may be gone
                pipe.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
