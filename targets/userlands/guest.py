"""What runs inside a userland: python -m vcompress.targets.userlands.guest REQUEST, a line of JSON. Base install only.

Its answer on stdout is a line of JSON; arrays go into an .npz file. The function `mark` calls before and after each synthesis is what the
plugin in QEMU looks for.
"""

import ctypes
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.artifact import Artifact
from ...runtime.backends import Session, load
from ...runtime.backends.litert import run_interpreter
from ...runtime.samplers import Tensors
from ...runtime.states import with_states
from ...runtime.synthesis import synthesize


class TFLiteSession:
    """tflite-runtime in this process: a userland's Python is old enough for it, and a count must not hold what a pipe takes."""

    def __init__(self, artifact: Artifact):
        from ...runtime.backends import tflite_worker

        self._artifact, self._worker = artifact, tflite_worker
        self._interpreters = {}
        for name in artifact.manifest.graphs:
            self._interpreters[name] = tflite_worker.Interpreter(model_path=str(artifact.derived_path("tflite", name)), num_threads=1)
            self._interpreters[name].allocate_tensors()
        self.environment = {"tflite_runtime": tflite_worker.version(), "threads": "1"}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """See Session."""
        given = with_states(self._artifact.manifest.graphs[graph], inputs)
        signed = {name: (array ^ np.uint8(128)).view(np.int8) if array.dtype == np.uint8 else array for name, array in given.items()}
        return self._worker.run(self._interpreters[graph], signed)


def synthesis(artifact: str, backend: str, mel: str, seed: int, warm: int, repeats: int, out: str) -> dict[str, Any]:
    """Synthesize so many times after a warm-up, with a mark before and after each; `out` receives the waveform."""
    opened = Artifact.open(artifact)
    session: Session = TFLiteSession(opened) if backend == "tflite_runtime" else load(backend, opened)
    frames = np.load(mel)
    for _ in range(warm):
        synthesize(opened, session, frames, seed)
    mark()
    for _ in range(repeats):
        waveform = synthesize(opened, session, frames, seed)
        mark()
    np.savez(out, waveform=waveform)
    return {"environment": session.environment}


def files(folder: str, backend: str, count: int) -> dict[str, Any]:
    """Run TFLite files `0.tflite`, ... with the arrays of `0.npz`, ... as their inputs in order; `0.npy`, ... are their first outputs."""
    if backend == "tflite_runtime":
        from ...runtime.backends.tflite_worker import Interpreter as interpreter
    else:
        from ai_edge_litert.interpreter import Interpreter as interpreter
    for number in range(count):
        opened = interpreter(model_path=f"{folder}/{number}.tflite", num_threads=1)
        opened.allocate_tensors()
        with np.load(f"{folder}/{number}.npz") as arrays:
            inputs = {place: arrays[name] for place, name in enumerate(arrays.files)}
        np.save(f"{folder}/{number}.npy", run_interpreter(opened, inputs)[0])
    return {}


def tensors(graph: str, inputs: str, out: str) -> dict[str, Any]:
    """Every output of an ONNX graph in ONNX Runtime, fed the arrays of `inputs`, to `out`."""
    from ...runtime.backends.onnxruntime_cpu import open_session

    session = open_session(Path(graph))
    names = [port.name for port in session.get_outputs()]
    with np.load(inputs) as given:
        np.savez(out, **dict(zip(names, session.run(names, dict(given)), strict=True)))
    return {}


def mark() -> None:
    """Nothing, but seen by the plugin."""
    ctypes.pythonapi.Py_GetCopyright()


ANSWERS: dict[str, Callable[..., dict[str, Any]]] = {"synthesis": synthesis, "tensors": tensors, "files": files}

if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    print(json.dumps(ANSWERS[request.pop("wanted")](**request)))
