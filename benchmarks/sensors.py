"""What this machine lets a benchmark see: energy counters, temperatures, clock and governor, and why not where it does not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..targets.board import THROTTLED, firmware_clock, throttling_words
from ..targets.board import throttling as throttling_flags

ROOT = Path("/")
CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"


@dataclass(frozen=True)
class Sensor:
    """One thing to see: `value` as text with its unit, or None with the reason; `path`: where it is read."""

    name: str
    value: str | None
    reason: str = ""
    path: str = ""


def sensors(root: Path = ROOT) -> list[Sensor]:
    """Every source of energy, temperature, clock, governor, throttling. `root`: where /sys and /proc are looked for."""
    from .energy.meter import NoMeter
    from .energy.sources import Where, all_sources

    sources = all_sources(Where(root))
    energy = [
        Sensor(source.title, None, source.reason, source.path) if isinstance(source, NoMeter) else Sensor(source.title, source.covers, path=source.path)
        for source in sources
    ]
    return [*energy, temperature(root), clock(root), governor(root), throttling(root)]


def is_virtual(root: Path = ROOT) -> bool:
    """Whether the CPU says that a hypervisor is below it."""
    return any(line.startswith("flags") and "hypervisor" in line.split() for line in _text(root / "proc/cpuinfo").splitlines())


def temperature(root: Path = ROOT) -> Sensor:
    """All temperatures, by the names that the kernel gives them."""
    found = [f"{label} {value / 1000:.1f} °C" for label, value in _temperatures(root)]
    place = "/sys/class/thermal, /sys/class/hwmon"
    return Sensor("temperature", ", ".join(found), path=place) if found else Sensor("temperature", None, _no_sensor(root, "thermal sensor"), place)


def _temperatures(root: Path) -> Iterator[tuple[str, int]]:
    sources = [(path, path.parent / "type") for path in sorted((root / "sys/class/thermal").glob("thermal_zone*/temp"))]
    sources += [(path, path.parent / "name") for path in sorted((root / "sys/class/hwmon").glob("hwmon*/temp*_input"))]
    for path, label in sources:
        if value := _number(path):
            yield _text(label).strip() or path.parent.name, value


def clock(root: Path = ROOT) -> Sensor:
    """The clock of the first core now."""
    place = f"/{CPUFREQ}/scaling_cur_freq"
    if hertz := firmware_clock(root):
        return Sensor("clock", f"{hertz / 1e6:.0f} MHz", path="vcgencmd measure_clock arm")
    if kilohertz := _number(root / CPUFREQ / "scaling_cur_freq"):
        return Sensor("clock", f"{kilohertz / 1000:.0f} MHz", path=place)
    line = next((line for line in _text(root / "proc/cpuinfo").splitlines() if line.startswith("cpu MHz")), "")
    try:
        megahertz = float(line.split(":")[1])
    except (IndexError, ValueError):
        return Sensor("clock", None, _no_sensor(root, "frequency driver"), place)
    nominal = ", as the host tells it: it may not follow the real one" if is_virtual(root) else ""
    return Sensor("clock", f"{megahertz:.0f} MHz{nominal}", path="/proc/cpuinfo")


def governor(root: Path = ROOT) -> Sensor:
    """What decides the clock of the first core: "performance" for steady times."""
    place, found = f"/{CPUFREQ}/scaling_governor", _text(root / CPUFREQ / "scaling_governor").strip()
    return Sensor("governor", found, path=place) if found else Sensor("governor", None, _no_sensor(root, "frequency driver"), place)


def throttling(root: Path = ROOT) -> Sensor:
    """What the firmware of a Raspberry Pi tells of supply and heat: its flags, in words too."""
    flags = throttling_flags(root)
    if flags is None:
        return Sensor("throttling", None, _no_sensor(root, "firmware flags of a Raspberry Pi"), f"/{THROTTLED}")
    return Sensor("throttling", throttling_words(flags), path=f"/{THROTTLED}")


def _no_sensor(root: Path, what: str) -> str:
    return f"a virtual machine: it has no {what}" if is_virtual(root) else f"the kernel offers no {what} here"


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
