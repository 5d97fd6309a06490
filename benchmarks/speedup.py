"""Speed-ups: several artifacts timed in turn in one process, so that a busy machine slows all alike and the ratios stay true."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..runtime.artifact import Artifact
from ..runtime.backends import swallowed
from .figure import Figure, Planned
from .rtf import LEAST_REPEATS, Timing, prepare, time_once
from .subject import BenchSettings, Subject


@dataclass(frozen=True)
class Contestant:
    """What takes part: an artifact with a number of threads, whole or one of its graphs, in a back end of its own or that of the settings."""

    label: str
    artifact: Artifact
    threads: int = 1
    graph: str = ""
    backend: str = ""


@dataclass(frozen=True)
class Race:
    """Timings by label; run i of one was next to run i of the others."""

    timings: dict[str, Timing]

    def ratio(self, slow: str, fast: str) -> Figure:
        """How many times faster `fast` is: median of the ratios round by round, with their interquartile range."""
        return Figure.median_of(np.divide(self.timings[slow].wall, self.timings[fast].wall).tolist())


def interleaved(contestants: Sequence[Contestant], settings: BenchSettings | None = None) -> Race:
    """Time the contestants in turn, `settings.repeats` rounds after the warm-up; every other round runs backwards.

    Ends early, but not before 3 rounds, once each has had `settings.patience` seconds on average.
    Raises VcompressError when an artifact cannot be loaded or run.
    """
    settings = settings or BenchSettings()
    chosen = {c.label: replace(settings, backend=c.backend or settings.backend) for c in contestants}
    runs = {c.label: prepare(Subject(c.artifact, chosen[c.label]), c.threads, c.graph) for c in contestants}
    for run, _ in runs.values():
        for _ in range(settings.warmup):
            run()
    taken: dict[str, list[tuple[float, float]]] = {label: [] for label in runs}
    start = time.perf_counter()
    for round_ in range(settings.repeats):
        if round_ >= LEAST_REPEATS and time.perf_counter() - start > settings.patience * len(runs):
            break
        for label in list(runs)[:: 1 if round_ % 2 == 0 else -1]:
            taken[label].append(time_once(runs[label][0]))
    return Race({label: Timing(tuple(w for w, _ in times), tuple(c for _, c in times), runs[label][1]) for label, times in taken.items()})


def plan(subject: Subject) -> Iterator[Planned]:
    """`speedup` over fp32 for each number of threads, `thread_speedup` over the first number; `_<graph>` where there are several graphs."""
    settings, graphs = subject.settings, subject.artifact.manifest.graphs
    fp32 = subject.fp32 if subject.fp32 is not subject else None
    first = settings.threads[0]

    @cache
    def race(graph: str) -> Race:
        artifacts = {"fp32": fp32.artifact} if fp32 else {}
        artifacts["own"] = subject.artifact
        return interleaved([Contestant(f"{label} {t}", a, t, graph) for label, a in artifacts.items() for t in settings.threads], settings)

    def planned(metric: str, slow: str, method: str, threads: int, graph: str) -> Planned:
        name = f"{metric}_{graph}" if graph else metric
        method = f"{method}, median ratio of up to {settings.repeats} interleaved runs"
        inside = swallowed(settings.backend, graph)
        return Planned(name, "x", method, lambda: race(graph).ratio(slow, f"own {threads}"), {"threads": threads}, window=settings.seconds, missing=inside)

    for graph in ("", *(graphs if len(graphs) > 1 else ())):
        for threads in settings.threads:
            if fp32:
                yield planned("speedup", f"fp32 {threads}", f"time of fp32 {fp32.artifact.identity} over its own", threads, graph)
            if threads != first:
                yield planned("thread_speedup", f"own {first}", f"time with threads={first} over its own", threads, graph)
