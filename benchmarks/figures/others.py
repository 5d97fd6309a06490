"""Whether other processes kept the machine busy while something was timed: a ratio survives that better than a time, but not unharmed."""

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")
TOLERATED = 0.1  # cores
SHORTEST = 0.2  # seconds; the system counts in hundredths


class OtherLoad:
    """Cores that other processes used since this object was made; None where the system does not say."""

    def __init__(self) -> None:
        self._start = _now()

    def cores(self) -> float | None:
        """Mean since the start, in cores; None also where that was a moment ago."""
        end = _now()
        if self._start is None or end is None:
            return None
        wall, busy, own = (b - a for a, b in zip(self._start, end, strict=True))
        return max(0.0, (busy - own) / wall) if wall > SHORTEST else None


def _now() -> tuple[float, float, float] | None:
    """Wall clock, busy seconds of all cores, and of this process."""
    try:
        user, nice, system, _, _, irq, softirq = (int(ticks) for ticks in STAT.read_text().split()[1:8])
        ticks = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    own = os.times()
    return time.perf_counter(), (user + nice + system + irq + softirq) / ticks, own.user + own.system
