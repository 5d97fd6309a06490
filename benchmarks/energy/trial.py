"""One trial: windows of work between windows of rest, and what each meter says of them.

Idle before and after each window of work, so that a machine that warms up, or a neighbour that comes and goes, shows in both.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .curve import NoReading
from .meter import Clock, Meter, Span
from .others import MUCH, Watch

WINDOWS, SECONDS = 5, 10.0  # fewer or shorter only when asked, and then the record says so
SETTLE = 0.1  # part of a window that is let pass before it, for clock, fan and a meter that averages


@dataclass(frozen=True)
class TrialPlan:
    """`windows` windows of work of at least `seconds`, and one more of rest."""

    windows: int = WINDOWS
    seconds: float = SECONDS

    @property
    def short(self) -> str:
        """What of it is less than the protocol asks; "" where nothing is."""
        less = self.windows < WINDOWS or self.seconds < SECONDS
        return f"{self.windows} windows of {self.seconds:g} s" if less else ""

    @property
    def words(self) -> str:
        """For the method of a record."""
        short = f"; shorter than the protocol's {WINDOWS} of {SECONDS:g} s" if self.short else ""
        return f"median of {self.windows} windows of at least {self.seconds:g} s between windows of idle, after a warm-up{short}"


@dataclass(frozen=True)
class Window(Span):
    """A span with the runs that it holds, and CPU seconds a second that other processes took (None: not told)."""

    runs: int = 0
    others: float | None = None

    @property
    def disturbed(self) -> bool:
        """Whether others took enough to be seen."""
        return self.others is not None and self.others > MUCH


def run_trial(
    run: Callable[[], object],
    meters: Sequence[Meter],
    plan: TrialPlan,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    root: Path = Path("/"),
) -> list[Window]:
    """The windows of a trial, idle first and last. `run` is called again and again; a window ends with a run that is complete."""
    watch, settle = Watch(root), SETTLE * plan.seconds

    def work(seconds: float) -> int:
        end, runs = clock() + seconds, 0
        while not runs or clock() < end:
            run()
            runs += 1
        return runs

    def window(busy: bool) -> Window:
        if busy:
            work(settle)
        else:
            sleep(settle)
        before, begin = watch.others(), _edge(meters, clock)
        runs = work(plan.seconds) if busy else 0
        if not busy:
            sleep(plan.seconds)
        end, after = _edge(meters, clock), watch.others()
        taken = None if before is None or after is None else max(0.0, after - before) / (end - begin)
        return Window(begin, end, busy, runs, taken)

    work(settle)
    with ExitStack() as stack:
        for meter in meters:
            stack.enter_context(meter.running())
        windows = [window(False)]
        for _ in range(plan.windows):
            windows += [window(True), window(False)]
    return windows


def _edge(meters: Sequence[Meter], clock: Clock) -> float:
    """Now, read by every meter just before or after; a curve is straight between two readings."""
    for meter in meters:
        meter.poll()
    return clock()


@dataclass(frozen=True)
class Metered:
    """What one meter says of a trial. raw, net: J of each window of work, with and without the idle beside it; idle: W of each window of rest."""

    covers: str
    raw: tuple[float, ...]
    net: tuple[float, ...]
    idle: tuple[float, ...]


def metered(meter: Meter, windows: Sequence[Window]) -> Metered:
    """Raises NoReading with the reason where the meter has nothing to say of one of the windows."""
    curve = meter.curve(windows)
    powers: list[float] = []
    for index, window in enumerate(windows):
        try:
            powers.append(curve.between(window.begin, window.end) / window.seconds)
        except NoReading as error:
            raise NoReading(f"{error} ({'work' if window.busy else 'idle'}, {index + 1} of {len(windows)})") from None
    raw = tuple(power * window.seconds for power, window in zip(powers, windows, strict=True) if window.busy)
    net = tuple((powers[index] - (powers[index - 1] + powers[index + 1]) / 2) * window.seconds for index, window in enumerate(windows) if window.busy)
    return Metered(meter.covers, raw, net, tuple(power for power, window in zip(powers, windows, strict=True) if not window.busy))


def disturbance(windows: Sequence[Window]) -> str:
    """Which windows others took CPU time in; for the environment of a record."""
    if any(window.others is None for window in windows):
        return "not known: the system does not tell the CPU time of other processes"
    marked = [window for window in windows if window.disturbed]
    if not marked:
        return f"none of {len(windows)}"
    worst = max(window.others or 0.0 for window in marked)
    places = ", ".join(str(index + 1) for index, window in enumerate(windows) if window.disturbed)
    return f"{len(marked)} of {len(windows)} ({places}), others took up to {worst:.2f} CPU s/s"
