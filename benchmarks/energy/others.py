"""CPU time that other processes took while a window ran: their work is in the joules, and must not be taken for ours."""

import os
from pathlib import Path

MUCH = 0.05  # CPU seconds a second: more marks a window
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Watch:
    """Looks at the whole machine and at this process with those it has started. `root`: where /proc is."""

    def __init__(self, root: Path = Path("/")):
        self._proc = root / "proc"

    def others(self) -> float | None:
        """CPU seconds of all other processes since the machine started; None where the system does not tell."""
        busy = _busy(self._proc / "stat")
        return None if busy is None else busy - self._own()

    def _own(self) -> float:
        times = os.times()
        mine = times.user + times.system + times.children_user + times.children_system
        return mine + sum(_used(self._proc / pid / "stat") for pid in self._descendants("self"))

    def _descendants(self, pid: str) -> list[str]:
        """Those that still run; what has ended is in the times of its parent."""
        found: list[str] = []
        for file in (self._proc / pid / "task").glob("*/children"):
            try:
                children = file.read_text().split()
            except OSError:
                continue
            found += [descendant for child in children for descendant in (child, *self._descendants(child))]
        return found


def _busy(stat: Path) -> float | None:
    """user, nice, system, irq and softirq of the first line; not idle, waiting, stolen, nor the guests that user holds already."""
    try:
        fields = [int(field) for field in stat.read_text().splitlines()[0].split()[1:8]]
        return sum(fields[place] for place in (0, 1, 2, 5, 6)) / _TICKS
    except (OSError, ValueError, IndexError):
        return None


def _used(stat: Path) -> float:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, ValueError, IndexError):
        return 0.0
