"""Time: real-time factor, CPU seconds per second of audio, and milliseconds of one graph call."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from ..runtime.backends import ELSEWHERE
from ..runtime.synthesis import synthesize
from .figure import Figure, Planned
from .subject import Subject
from .workload import frames_of, graph_inputs, steady_mel

LEAST_REPEATS = 3


@dataclass(frozen=True)
class Timing:
    """Seconds of each timed run: wall clock, and CPU of all threads of the process; `audio`: seconds of audio a run makes."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    audio: float

    @property
    def rtf(self) -> Figure:
        """Seconds of synthesis per second of audio: median."""
        return Figure.median_of([seconds / self.audio for seconds in self.wall])

    @property
    def cpu_per_second(self) -> Figure:
        """CPU seconds per second of audio: median."""
        return Figure.median_of([seconds / self.audio for seconds in self.cpu])

    @property
    def milliseconds(self) -> Figure:
        """Milliseconds of a run: median."""
        return Figure.median_of([1e3 * seconds for seconds in self.wall])


def time_runs(run: Callable[[], object], audio: float, repeats: int = 10, warmup: int = 2, patience: float = 20.0) -> Timing:
    """Time `run` after a warm-up; stops before `repeats`, but not before 3, once `patience` seconds are spent (one warm-up then)."""
    start = time.perf_counter()
    for _ in range(warmup):
        run()
        if time.perf_counter() - start > patience / repeats:
            break
    wall: list[float] = []
    cpu: list[float] = []
    start = time.perf_counter()
    while len(wall) < repeats and (len(wall) < LEAST_REPEATS or time.perf_counter() - start < patience):
        seconds, cpu_seconds = time_once(run)
        wall.append(seconds)
        cpu.append(cpu_seconds)
    return Timing(tuple(wall), tuple(cpu), audio)


def time_once(run: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of one run."""
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def prepare(subject: Subject, threads: int, graph: str = "") -> tuple[Callable[[], object], float]:
    """A run to time, and the seconds of audio it makes: the whole synthesis, or one call of `graph` as the synthesis makes it."""
    front_end = subject.artifact.manifest.front_end
    frames = frames_of(front_end, subject.settings.seconds)
    session, audio = subject.session(threads), frames * front_end.hop_length / front_end.sample_rate
    if graph:
        inputs = graph_inputs(subject.artifact, session, frames)[graph]
        return lambda: session.run(graph, inputs), audio
    mel = steady_mel(front_end, frames)
    return lambda: synthesize(subject.artifact, session, mel, subject.settings.seed), audio


def plan(subject: Subject) -> Iterator[Planned]:
    """`rtf` and `cpu_seconds_per_second` of the whole synthesis for each number of threads; `call_ms_<graph>` where there are several graphs."""
    settings, graphs = subject.settings, subject.artifact.manifest.graphs
    how = f"median of up to {settings.repeats} runs after {settings.warmup} to warm up, one process"

    @cache
    def timing(threads: int, graph: str = "") -> Timing:
        return time_runs(*prepare(subject, threads, graph), settings.repeats, settings.warmup, settings.patience)

    def planned(metric: str, unit: str, method: str, threads: int, figure: Callable[[Timing], Figure], graph: str = "", missing: str = "") -> Planned:
        settled = {"threads": threads}
        return Planned(metric, unit, f"{method}, {how}", lambda: figure(timing(threads, graph)), settled, window=settings.seconds, missing=missing)

    for threads in settings.threads:
        yield planned("rtf", "s/s", "wall clock of the synthesis over its audio", threads, lambda t: t.rtf)
        elsewhere = ELSEWHERE.get(settings.backend, "")
        yield planned("cpu_seconds_per_second", "s/s", "CPU time of all threads over the audio", threads, lambda t: t.cpu_per_second, missing=elsewhere)
        for graph in graphs if len(graphs) > 1 else ():
            yield planned(f"call_ms_{graph}", "ms", f"wall clock of one call of {graph}", threads, lambda t: t.milliseconds, graph)
