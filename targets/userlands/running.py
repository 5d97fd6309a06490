"""What is run in a userland: an artifact, with the instructions of a synthesis counted by QEMU; a graph; TFLite files."""

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.artifact import Artifact
from ..simulators import instructions
from ..simulators.tools import tool
from .machines import Core
from .userland import Userland

WARM = 1  # syntheses before the first that counts: a first one allocates, and looks for its kernels


@dataclass(frozen=True)
class Run:
    """What became of a synthesis. waveform: float32 (T,); counts: instructions of each synthesis, empty where none were counted.

    environment: back end, its version, QEMU and the processor that it stood in for.
    """

    waveform: np.ndarray
    counts: tuple[int, ...]
    environment: dict[str, str]


def run(system: Userland, core: Core, artifact: Artifact, backend: str, mel: np.ndarray, seed: int = 0, repeats: int = 0) -> Run:
    """Synthesize `mel` once, or count `repeats` syntheses after one to warm up. Raises VcompressError where the userland cannot."""
    with tempfile.TemporaryDirectory() as folder:
        mel_file, out, counted = (Path(folder) / name for name in ("mel.npy", "out.npz", "counts.txt"))
        np.save(mel_file, mel)
        options, asked = [], {"warm": 0, "repeats": 1}
        if repeats:
            options = instructions.option(instructions.build(), counted, mark=system.mark)
            asked = {"warm": WARM, "repeats": repeats}
        request = {"wanted": "synthesis", "artifact": artifact.folder.resolve(), "backend": backend, "mel": mel_file, "seed": seed, "out": out, **asked}
        answer = _ask(system, core, request, options)
        marks = instructions.read(counted).marks[-repeats - 1 :] if repeats else ()
        with np.load(out) as arrays:
            waveform = arrays["waveform"]
    return Run(waveform, tuple(after - before for before, after in pairwise(marks)), {**answer["environment"], **emulator(core)})


def graph_outputs(system: Userland, core: Core, graph: Path, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What ONNX Runtime in the userland has at every output of an ONNX file. Raises VcompressError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, **dict[str, Any](inputs))
        _ask(system, core, {"wanted": "tensors", "graph": graph, "inputs": given, "out": out})
        with np.load(out) as arrays:
            return dict(arrays)


def file_outputs(system: Userland, core: Core, files: Sequence[tuple[bytes, Sequence[np.ndarray]]]) -> list[np.ndarray]:
    """First output of each TFLite file, given with its inputs, in the userland's interpreter. Raises VcompressError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (content, inputs) in enumerate(files):
            (Path(folder) / f"{number}.tflite").write_bytes(content)
            np.savez(Path(folder) / f"{number}.npz", *inputs)
        _ask(system, core, {"wanted": "files", "folder": folder, "backend": core.architecture.backends[-1], "count": len(files)})
        return [np.load(Path(folder) / f"{number}.npy") for number in range(len(files))]


def emulator(core: Core) -> dict[str, str]:
    """QEMU's version and the processor, as a record's environment tells them."""
    said = subprocess.run([tool(core.architecture.qemu), "--version"], capture_output=True, text=True).stdout
    version = re.search(r"version (\S+)", said)
    return {"simulator": f"{core.architecture.qemu} {version[1] if version else '(no version)'}, -cpu {core.name}", "machine": f"{core.name} in QEMU"}


def _ask(system: Userland, core: Core, request: Mapping[str, Any], options: list[str] | None = None) -> dict[str, Any]:
    words = ["-m", "vcompress.targets.userlands.guest", json.dumps(request, default=str)]
    answer: dict[str, Any] = json.loads(system.python(core, words, options or ()).splitlines()[-1])
    return answer
