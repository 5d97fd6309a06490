"""Peak resident memory of a synthesis, taken in a fresh process: `python -m vcompress.benchmarks.memory ARTIFACT BACKEND THREADS SECONDS`.

The kernel's VmHWM is read, not getrusage: ru_maxrss of a child starts from what its parent held.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..runtime.artifact import Artifact
from ..runtime.backends import elsewhere, on_a_gpu
from .figure import Figure, Planned, absent
from .subject import Subject

STATUS = Path("/proc/self/status")
Held = dict[str, Any] | str
PACKAGES = {
    "onnxruntime": "onnxruntime",
    "litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
}  # back end -> what it imports when it opens an artifact


def peak_memory(artifact: Artifact, backend: str = "onnxruntime", threads: int = 1, seconds: float = 2.0) -> Figure:
    """Bytes that loading the artifact and synthesizing `seconds` of audio add to a process that has only imported the back end."""
    return _of_process(_held(artifact, backend, threads, seconds))


def _of_process(held: Held) -> Figure:
    if isinstance(held, str):
        return absent(f"the measuring process failed: {held}", 1)
    return Figure(float(held["peak"] - held["baseline"]), environment={"memory_baseline_bytes": str(held["baseline"])})


def _of_device(held: Held) -> Figure:
    if isinstance(held, str):
        return absent(f"the measuring process failed: {held}", 1)
    return absent("the back end does not tell what it allocates on the GPU", 1) if held["device"] is None else Figure(float(held["device"]))


def _held(artifact: Artifact, backend: str, threads: int, seconds: float) -> Held:
    """What the fresh process says, or the last line of its failure."""
    command = [sys.executable, "-P", "-m", __spec__.name, str(artifact.folder.resolve()), backend, str(threads), str(seconds)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        return (result.stderr.strip().splitlines() or ["it was killed"])[-1]
    held: dict[str, Any] = json.loads(result.stdout)
    return held


def plan(subject: Subject) -> Iterator[Planned]:
    """`peak_memory`, with the first number of threads; `peak_device_memory` of back ends on a GPU."""
    settings = subject.settings
    threads = settings.threads[0]
    settled = {"threads": threads, **({"protocol": settings.protocol} if settings.protocol else {})}
    held = cache(partial(_held, subject.artifact, settings.backend, threads, settings.seconds))
    missing = elsewhere(settings.backend) if STATUS.exists() else "this system has no /proc/self/status to read the peak from"
    method = "VmHWM after one synthesis in a fresh process, minus VmRSS with the back end imported and nothing loaded"
    yield Planned("peak_memory", "bytes", method, lambda: _of_process(held()), settled, window=settings.seconds, missing=missing)
    if on_a_gpu(settings.backend):
        method = "the most that torch had allocated on the GPU at once, one synthesis in a fresh process"
        yield Planned("peak_device_memory", "bytes", method, lambda: _of_device(held()), settled, window=settings.seconds)


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """What the fresh process does; prints JSON: baseline and peak in bytes, and the peak on the GPU where the back end tells it."""
    from importlib import import_module

    from ..runtime.backends import import_backend, load
    from ..runtime.synthesis import synthesize
    from .workload import frames_of, steady_mel

    folder, backend, threads, seconds = sys.argv[1:]
    import_backend(backend)
    if backend in PACKAGES:
        import_module(PACKAGES[backend])
    baseline = resident("VmRSS")
    artifact = Artifact.open(folder)
    front_end = artifact.manifest.front_end
    session = load(backend, artifact, int(threads))
    synthesize(artifact, session, steady_mel(front_end, frames_of(front_end, float(seconds))))
    print(json.dumps({"baseline": baseline, "peak": resident("VmHWM"), "device": getattr(session, "device_peak_bytes", None)}))


if __name__ == "__main__":
    main()
