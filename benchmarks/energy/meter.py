"""A meter: something that reads energy or power, beside what is measured and at the edges of its windows."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from .curve import Curve, NoReading, States, Times

MOST = 100_000  # readings that are kept of one stretch: then every second goes, and they come half as often
Clock = Callable[[], float]


@dataclass(frozen=True)
class Span:
    """From `begin` to `end`, in seconds of the meters' clock; `busy`: whether something ran all the while."""

    begin: float
    end: float
    busy: bool = True

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin


class Meter(Protocol):
    """source, title: its name in records and for people; covers: what its joules are of, and how they are told; path: where it is read."""

    source: str
    title: str
    path: str
    covers: str

    def running(self) -> AbstractContextManager[None]:
        """While it has to watch."""

    def poll(self) -> None:
        """Read now: at the edges of windows."""

    def curve(self, spans: Sequence[Span]) -> Curve:
        """What it has seen; `spans`: when something ran, for a meter that has to find that out. Raises NoReading with the reason."""


@dataclass(frozen=True)
class NoMeter:
    """A source that is not here, and why not. `path`: where it would be read."""

    source: str
    title: str
    reason: str
    path: str = ""


@dataclass(frozen=True)
class Description:
    """What is said of a meter: see Meter. `interval`: seconds between two readings of its own accord."""

    source: str
    title: str
    covers: str
    interval: float
    path: str = ""


class PolledMeter:
    """Reads again and again in a thread of its own, and when it is told to. After a failure it has no curve, but the reason.

    read: the state of one or more counters, or a power; to_curve: what times and states make.
    """

    def __init__(self, words: Description, read: Callable[[], Sequence[float]], to_curve: Callable[[Times, States], Curve], clock: Clock = time.monotonic):
        self.source, self.title, self.covers, self.path = words.source, words.title, words.covers, words.path
        self._interval, self._read, self._to_curve, self._clock = words.interval, read, to_curve, clock
        self._lock, self._end = threading.Lock(), threading.Event()
        self._times: list[float] = []
        self._states: list[Sequence[float]] = []
        self.failure = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """See Meter."""
        self._times, self._states, self.failure = [], [], ""
        self._end.clear()
        thread = threading.Thread(target=self._watch, name=f"vcompress meter {self.source}", daemon=True)
        self.poll()
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()
            self.poll()

    def _watch(self) -> None:
        while not self._end.wait(self._interval):
            self.poll()

    def poll(self) -> None:
        """See Meter."""
        with self._lock:
            try:
                state = tuple(self._read())
            except Exception as error:  # OSError, and what NVML and pyJoules raise
                self.failure = self.failure or f"{type(error).__name__}: {error}"
                return
            now = self._clock()
            if not self._times or now > self._times[-1]:
                self._times.append(now)
                self._states.append(state)
            if len(self._times) > MOST:
                del self._times[1::2], self._states[1::2]
                self._interval *= 2

    def curve(self, spans: Sequence[Span]) -> Curve:
        """See Meter."""
        if self.failure:
            raise NoReading(f"the meter failed ({self.failure})")
        return self._to_curve(self._times, self._states)
