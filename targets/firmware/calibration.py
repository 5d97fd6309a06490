"""What the C code takes of flash and stack on each board, measured on builds: python -m vcompress.targets.firmware.calibration ARTIFACT...

Three things are measured, and `code_size.py` reckons with them. A kernel's code is what the linker keeps where that function is all that is
called, section by section, so that what two kernels share is counted once. The generated file's code is taken apart by what its text consists
of, with least squares over the given artifacts. The stack is that of simulated runs, whose cycles are taken apart by the work that they do.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import VcompressError
from ...export.c.generate.library import KERNELS, Library
from ...export.c.program import View
from ...runtime.artifact import Artifact
from ...runtime.files import write_text
from ..profile import find_profile
from ..simulators.tools import tool
from .boards import Board, boards
from .build import COMMON_FLAGS
from .code_size import FEATURES, SIZES, WORK, features, has_transform, work
from .exported import Exported
from .linking import FLASH_SECTIONS, read_map
from .simulation import Simulation, simulate_artifact, vowel

FRAMES = 2  # of a simulated run: the stack is as deep after one frame as after many
NETWORK = "vc_network.c"
PARTS = 8  # beginnings of each network that are compiled
LIBGCC = re.compile(r".*\(([^)]+)\)$")


def main(artifacts: Sequence[str]) -> None:
    """Measure every board that has its compiler here, and write `code_size.toml` anew, board by board."""
    opened = [Artifact.open(path) for path in artifacts]
    if len({artifact.manifest.sampler.get("name") for artifact in opened}) < 2 or len(opened) <= len(WORK):
        raise VcompressError(f"{len(WORK) + 1} networks have to be measured, with an inverse STFT and without; name their artifacts.")
    names = list(boards())
    before = SIZES.read_text(encoding="utf-8") if SIZES.is_file() else ""
    blocks = {block[1 : block.index("]")]: block.strip() for block in re.split(rf"(?m)^(?=\[(?:{'|'.join(names)})\]$)", before) if block.startswith("[")}
    for name, board in boards().items():
        if shutil.which(board.compiler) is None:
            print(f"{name} stays as it is: {board.compiler} is not installed.", flush=True)
            continue
        print(name, flush=True)
        blocks[name] = _measure(name, board, opened).strip()
        ordered = [blocks[key] for key in names if key in blocks]
        write_text(SIZES, "\n\n".join(["# Measured by targets/firmware/calibration.py; do not change it by hand.", *ordered]) + "\n")


def _measure(name: str, board: Board, artifacts: Sequence[Artifact]) -> str:
    artifacts = [artifact for artifact in artifacts if _fits(name, artifact)]
    with tempfile.TemporaryDirectory() as folder:
        objects = [_compile(board, source, Path(folder)) for source in sorted([*KERNELS.glob("*.c"), *KERNELS.glob("*.S")])]
        functions = _functions(board, objects)
        needs = {function: _needs(board, objects, function, Path(folder)) for function in functions}
    sizes = {section: size for sections in needs.values() for section, size in sections.items()}
    numbers = {section: number for number, section in enumerate(sorted(sizes))}
    weights, error = _glue(name, board, artifacts)
    runs = [_simulated(name, artifact) for artifact in artifacts]
    version = subprocess.run([tool(board.compiler), "-dumpfullversion", "-dumpversion"], capture_output=True, text=True).stdout.split()[0]
    how = f"{board.compiler} {version} {' '.join(board.flags)}; {len(artifacts)} networks and their beginnings, the generated code within {error:.0f} bytes"
    lines = [f"[{name}]", f'source = "{how}"']
    lines.append("generated = { " + ", ".join(f"{key} = {value:.1f}" for key, value in zip(FEATURES, weights, strict=True)) + " }")
    stacks = (
        f"{{ rates = {len(library.streaming.rates)}, istft = {str(has_transform(library.program)).lower()}, bytes = {run.outcome.stack} }}"
        for library, run in runs
    )
    lines.append(f"stacks = [{', '.join(stacks)}]")
    lines.append("cycles = { " + ", ".join(f"{key} = {value}" for key, value in _cycles(runs).items()) + " }")
    lines.append(f"start_up = {_start_up(board)}")
    lines.append("sections = [" + ", ".join(f'["{section}", {size}]' for section, size in sorted(sizes.items())) + "]")
    lines.append(f"[{name}.kernels]")
    lines += [f"{function} = {sorted(numbers[section] for section in sections)}" for function, sections in needs.items()]
    return "\n".join(lines) + "\n"


def _fits(name: str, artifact: Artifact) -> bool:
    """Whether an artifact can be measured on a board at all."""
    try:
        Exported.of(artifact, find_profile(name))
    except VcompressError as error:
        print(f"  without {artifact.manifest.name}: {error}", flush=True)
        return False
    return True


def _compile(board: Board, source: Path, folder: Path, *more: str) -> Path:
    target = folder / f"{source.name}.o"
    command = [tool(board.compiler), *COMMON_FLAGS, *board.flags, *more, f"-I{source.parent}", f"-I{KERNELS}", "-c", str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    return target


def _start_up(board: Board) -> int:
    """Bytes of flash of a program that does nothing, where the compiler brings the start-up."""
    if board.script:
        return 0  # a board of ours, which is no part of the vocoder
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "nothing.c"
        source.write_text("int main(void) { return 0; }\n")
        place = Path(folder) / "nothing.map"
        command = [tool(board.compiler), *board.flags, f"-Wl,-Map={place}", "-o", str(Path(folder) / "nothing.elf"), str(source)]
        subprocess.run(command, check=True)
        return sum(piece.bytes for piece in read_map(place) if piece.output in FLASH_SECTIONS)


def _functions(board: Board, objects: Sequence[Path]) -> list[str]:
    listing = subprocess.run([tool(board.compiler.removesuffix("gcc") + "nm"), *map(str, objects)], capture_output=True, text=True, check=True).stdout
    return sorted(line.split()[-1] for line in listing.splitlines() if re.search(r" T vc_\w+$", line))


def _needs(board: Board, objects: Sequence[Path], function: str, folder: Path) -> dict[str, int]:
    """Section -> bytes of flash that the linker keeps for a function."""
    place = folder / "one.map"
    options = ["-nostartfiles", "-Wl,--gc-sections", f"-Wl,-e,{function}", f"-Wl,-u,{function}", f"-Wl,-Map={place}", "-o", str(folder / "one.elf")]
    subprocess.run([tool(board.compiler), *board.flags, *options, *map(str, objects)], check=True, capture_output=True)
    found: dict[str, int] = {}
    for piece in read_map(place):
        if piece.output in FLASH_SECTIONS | {".rodata"} and piece.file:
            member = LIBGCC.match(piece.file)
            key = f"{member[1] if member else Path(piece.file).name}:{piece.name}"
            found[key] = found.get(key, 0) + piece.bytes
    return found


def _glue(name: str, board: Board, artifacts: Sequence[Artifact]) -> tuple[np.ndarray, float]:
    """Bytes for each feature of the generated text, and the largest error in bytes; measured on the networks and on their beginnings."""
    rows, sizes = [], []
    for artifact in artifacts:
        whole = Exported.of(artifact, find_profile(name)).library
        for part in _beginnings(whole):
            with tempfile.TemporaryDirectory() as folder:
                source = Exported(part).write(Path(folder))
                network = _compile(board, source / NETWORK, Path(folder), "-w")  # a beginning ends in rows of any width
                listing = subprocess.run([tool(board.compiler.removesuffix("gcc") + "size"), str(network)], capture_output=True, text=True, check=True).stdout
            sizes.append(int(listing.splitlines()[1].split()[0]))
            rows.append(features(part.network.text()))
    matrix, measured = np.array(rows, float), np.array(sizes, float)
    weights = _not_negative(matrix, measured)
    return weights, float(np.abs(matrix @ weights - measured).max())


def _beginnings(library: Library) -> list[Library]:
    """A library, and what is left of it when it ends after some of its steps."""
    program = library.program
    found = [library]
    for count in range(1, len(program.steps), max(1, len(program.steps) // PARTS)):
        tensor = program.tensors[program.steps[count - 1].output]
        output = View(program.steps[count - 1].output, tensor.channels, tensor.rate, tensor.scale, tensor.extra)
        found.append(Library.of(replace(program, steps=program.steps[:count], output=output), library.target))
    return found


def _not_negative(matrix: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Least squares with no weight below 0: features that would have one are left out, the worst first."""
    kept = [index for index in range(matrix.shape[1]) if matrix[:, index].any()]
    while True:
        scale = np.abs(matrix[:, kept]).max(0)
        found = np.linalg.lstsq(matrix[:, kept] / scale, measured, rcond=None)[0] / scale
        if (found >= 0).all():
            weights = np.zeros(matrix.shape[1])
            weights[kept] = found
            return weights
        del kept[int(found.argmin())]


def _simulated(name: str, artifact: Artifact) -> tuple[Library, Simulation]:
    """A library and its simulated run."""
    profile = find_profile(name)
    with tempfile.TemporaryDirectory() as folder:
        run = simulate_artifact(artifact, profile, vowel(artifact.manifest.front_end, FRAMES), Path(folder))
    return Exported.of(artifact, profile).library, run


def _cycles(runs: Sequence[tuple[Library, Simulation]]) -> dict[str, list[float]]:
    """Cycles of each kind of work, least and most, and the largest relative error over the runs: least squares of the relative errors."""
    asked = np.array([work(library.program) for library, _ in runs]) * FRAMES
    found, errors = [], []
    for end in ("least", "most"):
        taken = np.array([getattr(run.cycles, end) for _, run in runs])
        weights = _not_negative(asked / taken[:, None], np.ones(len(runs)))
        found.append(weights)
        errors.append(float(np.abs(asked @ weights / taken - 1).max()))
    costs = {name: [round(float(least), 2), round(float(most), 2)] for name, least, most in zip(WORK, *found, strict=True)}
    return {**costs, "error": [round(max(errors), 3)]}


if __name__ == "__main__":
    main(sys.argv[1:])
