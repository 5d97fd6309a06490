"""`python -m vcompress.benchmarks.gpu --out docs/results/GPU.jsonl`: every family and size in every back end of a GPU, and the records that are kept of it.

Records are appended to `gpu/records.jsonl` below the workspace as they come, so the same command goes on where it stopped. What a back end cannot run
is an absence with its reason. The file that goes into the repository has the main figures alone.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from ..runtime.artifact import Artifact
from ..runtime.backends import import_backend
from ..vocoders.corpus import Clip, Split, read_corpus
from .bench import bench
from .environment import environment
from .figures.artifacts import FP32, INT8, SYMMETRIC, Maker, configurations, name_of
from .record_files import write_records
from .records import Record, append_record, read_records
from .subject import BenchSettings

PLACE, RECORDS = "gpu", "records.jsonl"
# back end -> the recipe that it is timed with; graphs: no kernel waits for Python
BACKENDS = {
    "torch-cuda:fp32:graphs": FP32,
    "torch-cuda:tf32:graphs": FP32,
    "torch-cuda:fp16:graphs": FP32,
    "torch-cuda:bf16:graphs": FP32,
    "torch-cuda:int8:graphs": INT8,
    "onnxruntime-cuda": FP32,
    "onnxruntime-tensorrt": FP32,
    "onnxruntime-tensorrt:fp16": FP32,
    "onnxruntime-tensorrt int8": SYMMETRIC,
    "onnxruntime-tensorrt:fp16 int8": SYMMETRIC,
}
KEPT = ("rtf", "energy", "energy_above_idle", "energy_per_utterance", "idle_power", "peak_device_memory", "synthesis_time_100s", "synthesis_energy_100s")
FAMILIES = ("rtf", "energy", "memory")
QUICK: dict[str, Any] = {"seconds": 0.2, "repeats": 3, "warmup": 1, "patience": 1.0, "windows": 1, "window_seconds": 0.2}


@dataclass(frozen=True)
class Entry:
    """One thing to measure: an artifact in a back end."""

    maker: Maker
    recipe: str
    settings: BenchSettings

    def take(self, clips: Sequence[Clip], records: Path) -> None:
        """Measure what has no record yet; a back end that does not run it leaves an absence with the reason."""
        artifact = self.maker.artifact(self.recipe)
        try:
            bench([artifact], clips, self.settings, records)
        except (VcompressError, MemoryError) as error:
            append_record(records, self._absence(artifact, str(error) or "the memory of this machine is too small for it"))

    def _absence(self, artifact: Artifact, reason: str) -> Record:
        row, settings = self.maker.configuration, {"threads": 1}
        if self.settings.batch > 1:
            settings["batch"] = self.settings.batch
        return Record(
            artifact.identity, name_of(row), row.family, row.size, self.recipe, self.settings.backend, self.settings.target, "rtf", None, "s/s",
            reason=reason, settings=settings, environment=environment(), repeats=0,
        )  # fmt: skip


def entries(root: Path, asked: argparse.Namespace, settings: BenchSettings) -> Iterator[Entry]:
    """Everything asked for, configuration by configuration. Raises VcompressError, before anything is measured, for an unknown back end."""
    chosen = [(name, BACKENDS.get(name, FP32)) for name in asked.backend or BACKENDS]
    for name, _ in chosen:
        import_backend(name.split(" ")[0])
    for configuration in configurations():
        if not asked.only or name_of(configuration) in asked.only:
            for name, recipe in chosen:
                yield Entry(Maker(root / PLACE, configuration, _say), recipe, replace(settings, backend=name.split(" ")[0]))


def kept(records: Sequence[Record]) -> list[Record]:
    """What of a file of records goes into the repository: the main figures, without the single values behind them."""
    return [replace(record, samples=()) for record in records if record.metric in KEPT]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then write the file. 2: a VcompressError, as one sentence on stderr."""
    asked = _parser().parse_args(arguments)
    records = asked.workspace / PLACE / RECORDS
    try:
        settings = BenchSettings(families=FAMILIES, batch=asked.batch, **(QUICK if asked.quick else {})).following("papers" if asked.data else "")
        clips = read_corpus(asked.data, Split()).validation if asked.data else ()
        todo = list(entries(asked.workspace, asked, settings))
        for index, entry in enumerate(todo):
            _say(f"{index + 1} of {len(todo)}: {name_of(entry.maker.configuration)} {entry.recipe}, {entry.settings.backend}")
            entry.take(clips, records)
        write_records(asked.out, kept(read_records(records)))
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    print(asked.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the records to keep, such as docs/results/h100.jsonl")
    parser.add_argument("--workspace", type=Path, default=Path("runs/bench"), metavar="DIR", help="artifacts and all records go to DIR/gpu")
    parser.add_argument("--backend", action="append", metavar="NAME", help="one back end; may be given again (default: all of a GPU)")
    parser.add_argument("--only", action="append", choices=[name_of(c) for c in configurations()], help="one configuration; may be given again (default: all)")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="utterances at once; torch alone")
    parser.add_argument("--data", type=Path, action="append", metavar="DIR", help="recordings: then the papers' ten clips of ten seconds are made of them")
    parser.add_argument("--quick", action="store_true", help="few and short runs, to try it out")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
