"""Time: real-time factor, CPU seconds per second of audio, and milliseconds of one graph call."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle

from ..runtime.backends import elsewhere, swallowed
from ..runtime.synthesis import synthesize
from .conditions import watched
from .figure import Figure, Planned
from .subject import Subject
from .utterances import Utterances
from .workload import Batched, frames_of, graph_inputs

LEAST_REPEATS = 3
TOGETHER = "synthesis_time_100s"  # as the papers' tables call ten clips of ten seconds


@dataclass(frozen=True)
class Timing:
    """Seconds of each timed run: wall clock, and CPU of all threads of the process; `audio`: seconds of audio a run makes.

    `conditions`: of the machine before and after (conditions.py).
    """

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    audio: float
    conditions: dict[str, str] = field(default_factory=dict)

    @property
    def rtf(self) -> Figure:
        """Seconds of synthesis per second of audio: median."""
        return self._median([seconds / self.audio for seconds in self.wall])

    @property
    def cpu_per_second(self) -> Figure:
        """CPU seconds per second of audio: median."""
        return self._median([seconds / self.audio for seconds in self.cpu])

    def cores_held(self, threads: int) -> Figure:
        """Hours that cores are held, busy or not, for an hour of audio: median."""
        return self._median([threads * seconds / self.audio for seconds in self.wall])

    @property
    def together(self) -> Figure:
        """Seconds of all runs."""
        return Figure(sum(self.wall), "", self.wall, environment=self.conditions)

    @property
    def milliseconds(self) -> Figure:
        """Milliseconds of a run: median."""
        return self._median([1e3 * seconds for seconds in self.wall])

    def _median(self, samples: list[float]) -> Figure:
        return replace(Figure.median_of(samples), environment=self.conditions)


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
    """A run to time, and the seconds of audio it makes: the whole synthesis, or one call of `graph` as the synthesis makes it.

    Where there are several utterances, each run is that of the next.
    """
    front_end = subject.artifact.manifest.front_end
    frames = frames_of(front_end, subject.settings.seconds)
    session, audio = subject.session(threads), frames * front_end.hop_length / front_end.sample_rate
    if graph:
        inputs = graph_inputs(subject.artifact, session, frames)[graph]
        return lambda: session.run(graph, inputs), audio
    turns, count = cycle((subject.utterances or Utterances.steady(front_end, subject.settings.seconds)).mels), subject.settings.batch
    running = session if count == 1 else Batched(session, count, subject.settings.backend)
    return lambda: synthesize(subject.artifact, running, next(turns), subject.settings.seed), count * audio


def timing(subject: Subject, threads: int, graph: str = "") -> Timing:
    """The times of the synthesis, or of one call of `graph`, taken once for all the figures that are made of them."""
    if (threads, graph) not in subject.timings:
        settings = subject.settings
        run, audio = prepare(subject, threads, graph)
        timed, conditions = watched(lambda: time_runs(run, audio, settings.repeats, settings.warmup, settings.patience))
        subject.timings[threads, graph] = replace(timed, conditions=conditions)
    return subject.timings[threads, graph]


def plan(subject: Subject) -> Iterator[Planned]:
    """`rtf` and `cpu_seconds_per_second` of the whole synthesis for each number of threads; `call_ms_<graph>` where there are several graphs."""
    settings, graphs = subject.settings, subject.artifact.manifest.graphs
    up_to = "up to " if settings.patience < math.inf else ""
    clips = f", each of another clip of {settings.seconds:g} s" if subject.utterances is not None else ""
    how = f"median of {up_to}{settings.repeats} runs{clips} after {settings.warmup} to warm up, one process"

    def planned(metric: str, unit: str, method: str, threads: int, figure: Callable[[Timing], Figure], graph: str = "", missing: str = "") -> Planned:
        settled, whole = {"threads": threads, **subject.special}, f"{method}, {how}"
        return Planned(metric, unit, whole, lambda: figure(timing(subject, threads, graph)), settled, window=settings.seconds, missing=missing)

    for threads in settings.threads:
        yield planned("rtf", "s/s", "wall clock of the synthesis over its audio", threads, lambda t: t.rtf)
        if subject.utterances is not None:
            yield planned(TOGETHER, "s", "wall clock of all clips together", threads, lambda t: t.together)
        not_here = elsewhere(settings.backend)
        yield planned("cpu_seconds_per_second", "s/s", "CPU time of all threads over the audio", threads, lambda t: t.cpu_per_second, missing=not_here)
        yield planned("core_hour_ratio", "h/h", "threads x RTF: hours of cores for an hour of audio", threads, partial(Timing.cores_held, threads=threads))
        for graph in graphs if len(graphs) > 1 else ():
            inside = swallowed(settings.backend, graph)
            yield planned(f"call_ms_{graph}", "ms", f"wall clock of one call of {graph}", threads, lambda t: t.milliseconds, graph, inside)
