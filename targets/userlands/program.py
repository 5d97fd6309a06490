"""An artifact's C program on a processor that has no more: compiled for it, linked statically, run under QEMU, its instructions counted."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...runtime.backends.c_library import FORMAT, CLibrarySession
from ..simulators import instructions
from ..simulators.tools import said, tool
from .machines import Core
from .running import Run, emulator
from .userland import LONGEST

FLAGS = ("-std=c99", "-O2", "-static")
EXAMPLE = "example.c"  # mels on stdin, samples on stdout


def run_program(core: Core, artifact: Artifact, mel: np.ndarray, repeats: int = 0) -> Run:
    """Synthesize `mel`; with `repeats` also count that, less what the program takes to start and to end. A count is exact: there is but one.

    Raises VcompressError where the artifact has no C files, they cannot be compiled, or the program fails.
    """
    given = CLibrarySession(artifact).integers(mel).tobytes()
    with tempfile.TemporaryDirectory() as folder:
        program = _compiled(core, artifact, Path(folder))
        output, total = _run(core, program, given, Path(folder) / "counts.txt")
        _, idle = _run(core, program, b"", Path(folder) / "counts.txt")
        compiler = subprocess.run([tool(core.architecture.compiler), "--version"], capture_output=True, text=True).stdout
    samples = np.frombuffer(output, "<i2").astype(np.float32) * np.float32(2.0**-15)
    counts = (total - idle,) if repeats else ()
    return Run(samples, counts, {"compiler": (compiler.splitlines() or [core.architecture.compiler])[0], "threads": "1", **emulator(core)})


def _compiled(core: Core, artifact: Artifact, folder: Path) -> Path:
    """The program, of sources that lie flat in `folder`: the artifact's paths are not ours to trust."""
    compiler = tool(core.architecture.compiler)
    sources = [artifact.folder / name for name in artifact.manifest.derived[FORMAT].values() if name.endswith((".c", ".h"))]
    for source in sources:
        shutil.copyfile(source, folder / source.name)
    names = sorted(source.name for source in sources if source.suffix == ".c")
    program = folder / "program"
    done = subprocess.run([compiler, *FLAGS, *core.flags, "-o", str(program), *names], cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise VcompressError(f"The artifact's C files cannot be compiled for {core.name} ({said(done.stderr)}); export it again with --format c.")
    return program


def _run(core: Core, program: Path, given: bytes, out: Path) -> tuple[bytes, int]:
    """What it wrote, and how many instructions it took in all."""
    command = [tool(core.architecture.qemu), *instructions.option(instructions.build(), out), "-cpu", core.name, str(program)]
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise VcompressError(f"The program did not end under {core.architecture.qemu} within {LONGEST:g} s; give it less audio.") from None
    if done.returncode:
        raise VcompressError(f"The program failed on {core.name} with {done.returncode}; see whether it runs on this machine: vcompress synth --backend c.")
    return done.stdout, instructions.read(out).total
