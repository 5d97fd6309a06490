"""The log of a meter at the supply: a file of times and powers that another program writes, laid over the windows afterwards.

A CSV file with a header, or what a serial port's meter sends, a line a reading with its time in front:

    time,power_w                      2026-01-01T12:00:00.5 5.02V 0.61A 3.06W
    1767268800.5,3.06                 1767268800.5 5.02 V 0.61 A

Times are Unix seconds, ISO 8601 (without a zone: UTC), or seconds since any moment. The clock of the meter is not this machine's: the
shift at which the power follows the windows best is looked for.
"""

import csv
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ...errors import VcompressError
from .curve import Curve, NoReading, sampled
from .meter import NoMeter, Span

SOURCE, TITLE = "log", "meter at the supply (log file)"
UNIX = 1e8  # larger times are Unix seconds, smaller ones count from the meter's own beginning
SEARCH = 10.0  # seconds that the clocks may differ where both tell Unix time
CLEAR = 0.7  # correlation of power and windows below which the load is not to be seen in the log
BAD = 0.1  # part of the lines that may be no readings
LARGEST = 64 * 2**20  # bytes of a log
TIMES = {"time": 1.0, "timestamp": 1.0, "time_s": 1.0, "seconds": 1.0, "time_ms": 1e-3}
UNITS = {"W": ("power", 1.0), "mW": ("power", 1e-3), "V": ("voltage", 1.0), "mV": ("voltage", 1e-3), "A": ("current", 1.0), "mA": ("current", 1e-3)}
COLUMNS = {f"{what}_{unit}".lower(): (what, scale) for unit, (what, scale) in UNITS.items()} | {
    name: (what, 1.0)
    for what, names in {"power": ("power", "watts", "watt", "w"), "voltage": ("voltage", "volts", "v"), "current": ("current", "amps", "a")}.items()
    for name in names
}
_VALUE = re.compile(r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(mW|W|mV|V|mA|A)\b")


@dataclass(frozen=True)
class Readings:
    """times: seconds, as the log has them; watts: float64 (N,); `unix`: whether the times are Unix seconds."""

    times: np.ndarray
    watts: np.ndarray

    @property
    def unix(self) -> bool:
        """Whether the times are those of a calendar."""
        return bool(self.times[0] > UNIX)


def read_log(path: Path) -> Readings:
    """The readings of a file in the order of their times. Raises VcompressError where it holds none, or too much that is none."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise OSError(None, f"it is no file of up to {LARGEST >> 20} MiB")
        lines = [line for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if line.strip()]
    except OSError as error:
        raise VcompressError(f"The meter's log {path} cannot be read ({error.strerror}); name a file of times and powers.") from None
    parse = _columns(lines[0]) if lines else None
    body = lines[1:] if parse else lines
    found = [reading for line in body if (reading := (parse or _serial)(line)) is not None]
    if len(found) < 2 or len(found) < (1 - BAD) * len(body) - 1:  # the last line may be half written
        needs = "it needs a header such as time,power_w, or lines such as 1767268800.5 3.06W"
        raise VcompressError(f"The meter's log {path} has {len(found)} readings in {len(body)} lines; {needs}.")
    times, watts = np.array(sorted(found)).T
    kept = np.concatenate(([True], np.diff(times) > 0))
    return Readings(times[kept], watts[kept])


def _columns(header: str) -> Callable[[str], tuple[float, float] | None] | None:
    """How to read the lines below a header; None where it is none."""
    names = [name.strip().lower() for name in next(csv.reader([header]), [])]
    clock = next((place for place, name in enumerate(names) if name in TIMES), None)
    places = {COLUMNS[name][0]: (place, COLUMNS[name][1]) for place, name in enumerate(names) if name in COLUMNS}
    if clock is None or not ("power" in places or {"voltage", "current"} <= places.keys()):
        return None
    scale = TIMES[names[clock]]

    def parse(line: str) -> tuple[float, float] | None:
        try:
            cells = next(csv.reader([line]), [])
            values = {what: float(cells[place]) * factor for what, (place, factor) in places.items()}
            return _reading(_time(cells[clock].strip(), scale), values)
        except (ValueError, IndexError, csv.Error):
            return None

    return parse


def _serial(line: str) -> tuple[float, float] | None:
    first, _, rest = line.strip().replace(";", " ").replace(",", " ").partition(" ")
    try:
        return _reading(_time(first, 1.0), {UNITS[unit][0]: float(number) * UNITS[unit][1] for number, unit in _VALUE.findall(rest)})
    except ValueError:
        return None


def _reading(moment: float, values: dict[str, float]) -> tuple[float, float] | None:
    watts = values["power"] if "power" in values else values.get("voltage", np.nan) * values.get("current", np.nan)
    return (moment, watts) if np.isfinite(moment) and np.isfinite(watts) and watts >= 0 else None


def _time(text: str, scale: float) -> float:
    try:
        return float(text) * scale
    except ValueError:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def align(readings: Readings, spans: Sequence[Span], expected: float | None) -> tuple[float, float]:
    """(shift, correlation): seconds to add to the log's times so that its power follows the spans best.

    spans: busy and idle windows in turn; expected: the shift if the clocks agreed, None where nothing is known of it.
    Raises NoReading where the log is too short, or the load cannot be seen in it.
    """
    step = float(max(np.median(np.diff(readings.times)), (spans[-1].end - spans[0].begin) / 20_000))
    grid = np.arange(spans[0].begin, spans[-1].end, step)
    busy = np.full(len(grid), np.nan)
    for span in spans:
        busy[(grid >= span.begin) & (grid <= span.end)] = float(span.busy)
    grid, busy = grid[~np.isnan(busy)], busy[~np.isnan(busy)]
    if expected is None:
        shifts = np.arange(spans[-1].end - readings.times[-1], spans[0].begin - readings.times[0] + step, step)
    else:
        shifts = expected + np.arange(-SEARCH, SEARCH + step, step)
    best = (0.0, -1.0)
    for shift in shifts[:: max(1, len(shifts) // 20_000)]:
        if readings.times[0] + shift <= grid[0] + step and readings.times[-1] + shift >= grid[-1] - step:
            power = np.interp(grid, readings.times + shift, readings.watts)
            best = max(best, (float(shift), _correlation(power, busy)), key=lambda pair: pair[1])
    if best[1] < 0:
        raise NoReading("the meter's log does not cover the windows; start it before the bench and end it after")
    if best[1] < CLEAR:
        raise NoReading(f"the load cannot be seen in the meter's log (correlation {best[1]:.2f}); is it the meter of this machine?")
    return best


def _correlation(power: np.ndarray, busy: np.ndarray) -> float:
    if not power.std() or not busy.std():
        return 0.0
    return float(np.corrcoef(power, busy)[0, 1])


class LogMeter:
    """A meter that is read when all is over. `offset`: seconds by which its clock is behind this machine's, where that is known."""

    source, title = SOURCE, TITLE

    def __init__(self, path: Path, offset: float | None = None):
        self._file, self._offset, self.path = path, offset, ""
        self.covers = "the whole machine, the log of a meter at its supply"
        self._unix = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """See Meter."""
        self._unix = time.time() - time.monotonic()
        yield

    def poll(self) -> None:
        """See Meter."""

    def curve(self, spans: Sequence[Span]) -> Curve:
        """See Meter."""
        try:
            readings = read_log(self._file)
        except VcompressError as error:
            raise NoReading(str(error).rstrip(".").replace(f" {self._file}", "")) from None  # a record names no path
        expected = -self._unix if readings.unix else None
        if self._offset is not None:
            shift, seen = (expected or 0.0) + self._offset, "given"
        else:
            shift, correlation = align(readings, spans, expected)
            seen = f"found, correlation {correlation:.2f}"
        told = shift - (expected or 0.0) if readings.unix else shift
        self.covers = f"the whole machine, the log of a meter at its supply, its clock moved by {told:+.2f} s ({seen})"
        return sampled(list(readings.times + shift), readings.watts[:, None].tolist())


def find(path: Path | None, offset: float | None = None) -> LogMeter | NoMeter:
    """The meter of a log. What its file holds is only looked at afterwards, for another program is still writing it.

    Raises VcompressError where there is no such file yet.
    """
    if path is not None and not path.is_file():
        raise VcompressError(f"There is no meter's log {path} on the machine that runs; start what writes it before the bench.")
    if path is None:
        return NoMeter(SOURCE, TITLE, "no log is named; give the file of a meter at the supply with vcompress bench --meter-log FILE")
    return LogMeter(path, offset)
