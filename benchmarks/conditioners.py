"""What it saves to compute once what depends on the mel alone: `python -m vcompress.benchmarks.conditioners`.

A vocoder whose sampler calls a network many times has a graph `conditioner` that it calls once. Here the same artifact is timed as it is, and as if there
were but one graph: with its conditioner computed again before each other call. Both take turns in one process on one thread, and make the same waveform.
"""

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import VcompressError
from ..runtime.artifact import Artifact
from ..runtime.backends import Session, load
from ..runtime.samplers import Tensors, make_sampler
from ..runtime.synthesis import synthesize
from ..vocoders.catalogue import CatalogueRow
from .environment import environment
from .figure import Figure
from .figures.artifacts import FP32, INT8, Maker, configurations, name_of
from .flops import executed_gflops_per_second
from .rtf import time_once
from .table import markdown_table
from .workload import frames_of, steady_mel

ONCE = "conditioner"
FAMILIES = ("diffwave", "wavegrad", "waveflow")
LEAST_ROUNDS = 3


class Repeated:
    """A session that computes the conditioner again before each call of another graph, as one graph of both would."""

    def __init__(self, session: Session):
        self.session, self.environment, self.sampler = session, session.environment, getattr(session, "sampler", None)
        self._mel: Tensors = {}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """See Session. The first call of the conditioner computes nothing new: the next call of another graph repeats it."""
        if graph == ONCE:
            self._mel = inputs
        else:
            self.session.run(ONCE, self._mel)
        return self.session.run(graph, inputs)


@dataclass(frozen=True)
class Saved:
    """One artifact. `share`: the conditioner's part of the operations of a step that computes both. GFLOP and CPU seconds are for a second of audio,
    `every`: with the conditioner at each call, `once`: as the artifact is; `gain`: CPU seconds of the one over those of the other, round by round."""

    name: str
    recipe: str
    calls: int
    share: float
    gflops_every: float
    gflops_once: float
    seconds_every: float
    seconds_once: float
    gain: float


def measure(name: str, artifact: Artifact, seconds: float, rounds: int) -> Saved:
    """Count and time one artifact. Raises VcompressError where it has no conditioner beside other graphs."""
    manifest = artifact.manifest
    sampler = make_sampler(manifest.sampler, manifest.front_end.hop_length)
    calls = sum(count for graph, count in sampler.calls.items() if graph != ONCE)
    if ONCE not in sampler.calls or not calls:
        raise VcompressError(f"{artifact.folder} has no {ONCE} beside graphs that are called several times; choose another vocoder.")
    session = load("onnxruntime", artifact, 1)
    once = executed_gflops_per_second(artifact, session)
    every = executed_gflops_per_second(artifact, session, {**sampler.calls, ONCE: calls})
    conditioner = (every - once) / (calls - 1) if calls > 1 else executed_gflops_per_second(artifact, session, {**dict.fromkeys(sampler.calls, 0), ONCE: 1})
    frames = frames_of(manifest.front_end, seconds)
    mel, audio = steady_mel(manifest.front_end, frames), frames * manifest.front_end.hop_length / manifest.front_end.sample_rate
    sessions: dict[str, Session] = {"every": Repeated(session), "once": session}
    taken: dict[str, list[float]] = {label: [] for label in sessions}
    for round_ in range(-1, max(rounds, LEAST_ROUNDS)):  # the first to warm up
        for label in list(sessions)[:: 1 if round_ % 2 == 0 else -1]:
            _, cpu = time_once(lambda label=label: synthesize(artifact, sessions[label], mel))  # type: ignore[misc]
            if round_ >= 0:
                taken[label].append(cpu / audio)
    medians = {label: Figure.median_of(times).value or 0.0 for label, times in taken.items()}
    gain = Figure.median_of(np.divide(taken["every"], taken["once"]).tolist()).value or 0.0
    return Saved(name, manifest.recipe, calls, conditioner * calls / every, every, once, medians["every"], medians["once"], gain)


def measure_all(root: Path, chosen: Collection[str], recipes: Sequence[str], seconds: float, rounds: int) -> list[Saved]:
    """Every chosen configuration in every recipe; artifacts are made below `root` where they are not there, as for docs/figures.md."""
    makers = [Maker(root, row, _say) for row in _rows() if not chosen or name_of(row) in chosen]
    artifacts = [(name_of(maker.configuration), maker.artifact(recipe)) for maker in makers for recipe in recipes]  # making one would disturb the next race
    found = []
    for name, artifact in artifacts:
        _say(f"timing {name} {artifact.manifest.recipe}")
        found.append(measure(name, artifact, seconds, rounds))
    return found


def markdown(rows: Sequence[Saved]) -> str:
    """The table of docs/flows.md."""
    headings = ("vocoder", "recipe", "calls", "conditioner, of a step", "GFLOP/s, each call", "once", "CPU s/s, each call", "once", "faster")
    cells = [
        (
            *(row.name, row.recipe, f"{row.calls}", f"{100 * row.share:.0f} %"),
            *(f"{row.gflops_every:.1f}", f"{row.gflops_once:.1f}", f"{row.seconds_every:.3f}", f"{row.seconds_once:.3f}", f"{row.gain:.2f} x"),
        )
        for row in rows
    ]
    return markdown_table([headings, *cells])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table or JSON. 2: a VcompressError, as one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.conditioners", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--only", action="append", choices=[name_of(row) for row in _rows()], help="one configuration; may be given again (default: all)")
    parser.add_argument("--recipe", action="append", choices=(FP32, INT8), help="may be given again (default: both)")
    parser.add_argument("--workspace", type=Path, default=Path("runs/bench"), metavar="DIR", help="artifacts go to DIR/speed")
    parser.add_argument("--seconds", type=float, default=1.0, help="of audio a run")
    parser.add_argument("--rounds", type=int, default=5, help="of which there are at least 3")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        rows = measure_all(given.workspace, given.only or (), given.recipe or (FP32, INT8), given.seconds, given.rounds)
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps({"machine": environment()["machine"], "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(f"ONNX Runtime, one thread of {environment()['machine']}; medians of {max(given.rounds, LEAST_ROUNDS)} interleaved runs of {given.seconds:g} s\n")
        print(markdown(rows))
    return 0


def _rows() -> list[CatalogueRow]:
    return [row for row in configurations() if row.family in FAMILIES]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
