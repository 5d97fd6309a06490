"""Peak resident memory of a synthesis, taken in a fresh process: `python -m vcompress.benchmarks.memory ARTIFACT BACKEND THREADS SECONDS`.

The kernel's VmHWM is read, not getrusage: ru_maxrss of a child starts from what its parent held.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ..runtime.artifact import Artifact
from ..runtime.backends import ELSEWHERE
from .figure import Figure, Planned, absent
from .subject import Subject

STATUS = Path("/proc/self/status")
PACKAGES = {"onnxruntime": "onnxruntime", "litert": "ai_edge_litert.interpreter"}  # back end -> what it imports when it opens an artifact


def peak_memory(artifact: Artifact, backend: str = "onnxruntime", threads: int = 1, seconds: float = 2.0) -> Figure:
    """Bytes that loading the artifact and synthesizing `seconds` of audio add to a process that has only imported the back end."""
    command = [sys.executable, "-P", "-m", __spec__.name, str(artifact.folder.resolve()), backend, str(threads), str(seconds)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        return absent(f"the measuring process failed: {(result.stderr.strip().splitlines() or ['it was killed'])[-1]}", 1)
    held = json.loads(result.stdout)
    return Figure(float(held["peak"] - held["baseline"]), environment={"memory_baseline_bytes": str(held["baseline"])})


def plan(subject: Subject) -> Iterator[Planned]:
    """`peak_memory`, with the first number of threads."""
    settings = subject.settings
    threads = settings.threads[0]
    yield Planned(
        "peak_memory",
        "bytes",
        "VmHWM after one synthesis in a fresh process, minus VmRSS with the back end imported and nothing loaded",
        lambda: peak_memory(subject.artifact, settings.backend, threads, settings.seconds),
        {"threads": threads},
        window=settings.seconds,
        missing=ELSEWHERE.get(settings.backend, "") if STATUS.exists() else "this system has no /proc/self/status to read the peak from",
    )


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """What the fresh process does; prints JSON: baseline and peak in bytes."""
    from importlib import import_module

    from ..runtime.backends import BACKENDS, load
    from ..runtime.synthesis import synthesize
    from .workload import frames_of, steady_mel

    folder, backend, threads, seconds = sys.argv[1:]
    import_module(BACKENDS[backend], package=__spec__.name.split(".")[0])
    if backend in PACKAGES:
        import_module(PACKAGES[backend])
    baseline = resident("VmRSS")
    artifact = Artifact.open(folder)
    front_end = artifact.manifest.front_end
    synthesize(artifact, load(backend, artifact, int(threads)), steady_mel(front_end, frames_of(front_end, float(seconds))))
    print(json.dumps({"baseline": baseline, "peak": resident("VmHWM")}))


if __name__ == "__main__":
    main()
