"""WaveRNN's three loops in turn: `python -m vcompress.benchmarks.wavernn_loops`.

The same mel through the sampler in Python, which calls ONNX Runtime twice a sample, through the whole loop as one ONNX graph, and through the
compiled loop; int8 and fp32, in one process on one thread. Weights are random where none come with the package: the time does not depend on them.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..runtime.artifact import Artifact
from ..vocoders.catalogue import check_entry
from .environment import environment
from .figures.artifacts import FP32, INT8, Maker, configurations
from .speedup import Contestant, Race, interleaved
from .subject import BenchSettings

STEPS, WHOLE, COMPILED = "onnxruntime", "onnx-loop", "loop"
CONTESTS = ((FP32, STEPS), (FP32, WHOLE), (INT8, STEPS), (INT8, WHOLE), (INT8, COMPILED))  # recipe and back end


def with_loops(artifact: Artifact, folder: Path) -> Artifact:
    """A copy of an artifact in `folder`, with the files of the loops that there are for it."""
    from ..export.formats import derive

    shutil.copytree(artifact.folder, folder)
    formats = (WHOLE, *([COMPILED] if artifact.manifest.recipe != FP32 else []))
    derived = {name: derive(name, folder, artifact.manifest) for name in formats}
    files = artifact.manifest.files | {file: "" for made in derived.values() for file in made.values()}
    return Artifact(folder, replace(artifact.manifest, derived=derived, files=files))


def measure(artifacts: dict[str, Artifact], seconds: float, rounds: int) -> Race:
    """Race of CONTESTS, labelled "recipe back end"; `artifacts` by recipe. Raises VcompressError where there is no C compiler."""
    with tempfile.TemporaryDirectory() as folder:
        ready = {recipe: with_loops(artifact, Path(folder) / recipe) for recipe, artifact in artifacts.items()}
        contestants = [Contestant(f"{recipe} {backend}", ready[recipe], backend=backend) for recipe, backend in CONTESTS]
        return interleaved(contestants, BenchSettings(seconds=seconds, repeats=rounds, warmup=1, patience=float("inf")))


def table(races: Sequence[tuple[str, Race]]) -> str:
    """Markdown: seconds a second of audio, by wall clock and by CPU, and how many times as fast (by CPU) as fp32's sampler in Python."""
    lines = ["| size | recipe | back end | RTF | IQR | CPU s/s | faster than fp32 in Python |", "|---|---|---|---|---|---|---|"]
    for size, race in races:
        for recipe, backend in CONTESTS:
            label = f"{recipe} {backend}"
            rtf, cpu = race.timings[label].rtf, race.timings[label].cpu_per_second
            ratio = np.median(np.divide(race.timings[f"{FP32} {STEPS}"].cpu, race.timings[label].cpu))
            lines.append(f"| {size} | {recipe} | {backend} | {rtf.value:.3f} | {rtf.spread or 0:.3f} | {cpu.value:.3f} | {ratio:.2f} x |")
    return "\n".join(lines)


def main() -> None:
    """Time, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.wavernn_loops", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--sizes", nargs="+", default=["S"])
    parser.add_argument("--seconds", type=float, default=0.256, help="of audio a run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workspace", type=Path, default=Path("runs"), help="where artifacts without trained weights are kept")
    given = parser.parse_args()
    races = []
    for size in given.sizes:
        check_entry("wavernn", size)
        row = next(row for row in configurations() if (row.family, row.size) == ("wavernn", size))
        maker = Maker(given.workspace, row, lambda text: print(text, flush=True))
        races.append((size, measure({recipe: maker.artifact(recipe) for recipe in (FP32, INT8)}, given.seconds, given.rounds)))
    print(f"\nWaveRNN, one thread of {environment()['machine']}; median of {given.rounds} interleaved runs of {given.seconds:g} s\n")
    print(table(races))


if __name__ == "__main__":
    main()
