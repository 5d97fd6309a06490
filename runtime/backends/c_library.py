"""The C library of an artifact, compiled by this machine's own compiler: what a microcontroller computes, and what runs where there is nothing else."""

import ctypes
import hashlib
import json
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import VcompressError
from ..artifact import Artifact
from ..files import cache_folder, replacing
from ..samplers import Tensors

FORMAT, PLAN = "c", "plan.json"
FLAGS = ("-std=c99", "-O2", "-shared", "-fPIC")
COMPILER = "cc"


class CLibrarySession:
    """One library, mel to waveform with the sampler in it: integers in, 16-bit samples out, frame by frame on one thread."""

    sampler: dict[str, Any] = {"name": "feed_forward"}  # noqa: RUF012  (what is left to run around it)

    def __init__(self, artifact: Artifact):
        try:
            plan = json.loads(artifact.derived_path(FORMAT, PLAN).read_text(encoding="utf-8"))
            mel = plan["mel"]
            self._bits, self._scale, self._zero_point = int(mel["bits"]), float(mel["scale"]), int(mel["zero_point"])
            self._most = int(plan["max_samples"])
            target = str(plan["target"]["name"])
        except (OSError, ValueError, KeyError, TypeError):
            raise VcompressError(f"{artifact.folder} has C files of another version; export its run again with: vcompress export RUN --format c.") from None
        sources = [artifact.folder / file for file in artifact.manifest.derived[FORMAT].values() if file.endswith((".c", ".h"))]
        self._library = ctypes.CDLL(str(_compiled(sources)))
        self.environment = {"compiler": _version(), "threads": "1", "c_target": target}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """mel: float32 (1, n_mels, F) -> waveform: float32 (1, 1, hop F) in [-1, 1)."""
        mel = self.integers(inputs["mel"][0])
        samples = np.empty((len(mel) + 1) * self._most, np.int16)
        self._library.vc_init()
        count = 0
        for frame in mel:
            count += self._library.vc_push(frame.ctypes.data_as(ctypes.c_void_p), samples[count:].ctypes.data_as(ctypes.c_void_p))
        while made := self._library.vc_flush(samples[count:].ctypes.data_as(ctypes.c_void_p)):
            count += made
        return {"waveform": samples[None, None, :count].astype(np.float32) * np.float32(2.0**-15)}

    def integers(self, mel: np.ndarray) -> np.ndarray:
        """mel: float32 (n_mels, F) -> what the program takes: int8 or int16 (F, n_mels)."""
        limit = 1 << (self._bits - 1)
        steps = np.rint(mel.T / np.float32(self._scale)) + self._zero_point
        return np.ascontiguousarray(np.clip(steps, -limit, limit - 1).astype(np.int8 if self._bits == 8 else np.int16))


def load(artifact: Artifact, threads: int) -> CLibrarySession:
    """Compile the artifact's C files, once for each text and compiler. Raises VcompressError where it has none or there is no compiler."""
    return CLibrarySession(artifact)


def _compiled(sources: list[Path]) -> Path:
    """The shared library of C sources."""
    key = hashlib.sha256(" ".join((_version(), platform.machine(), *FLAGS)).encode())
    for source in sources:
        key.update(source.name.encode() + source.read_bytes())
    target = cache_folder() / "c" / f"{key.hexdigest()[:24]}.so"
    if not target.is_file():
        with replacing(target) as part, tempfile.TemporaryDirectory() as folder:
            for source in sources:  # flat: an artifact may lie where nothing can be written, and its paths are not ours to trust
                shutil.copyfile(source, Path(folder) / source.name)
            names = sorted(source.name for source in sources if source.suffix == ".c" and source.parent.name == "src")
            done = subprocess.run([_compiler(), *FLAGS, "-o", str(part), *names], cwd=folder, capture_output=True, text=True, errors="replace")
            if done.returncode:
                said = " ".join(done.stderr.split())[:200]
                raise VcompressError(f"The artifact's C files cannot be compiled here ({said}); export it again with --format c.")
    return target


def _compiler() -> str:
    path = shutil.which(COMPILER)
    if path is None:
        raise VcompressError("The back end c needs a C compiler; install one, on Debian with: apt-get install gcc libc6-dev.")
    return path


def _version() -> str:
    """The compiler's first line about itself."""
    said = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, errors="replace").stdout
    return said.splitlines()[0] if said else COMPILER
