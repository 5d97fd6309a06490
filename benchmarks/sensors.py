"""What this machine lets a benchmark see: energy counters, temperatures, clock and governor, and why not where it does not."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
RAPL = "sys/class/powercap"
CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"


@dataclass(frozen=True)
class Sensor:
    """One thing to see: `value` as text with its unit, or None with the reason; `path`: where it is read."""

    name: str
    value: str | None
    reason: str = ""
    path: str = ""


def sensors(root: Path = ROOT) -> list[Sensor]:
    """Energy of CPU and GPU, temperature, clock, governor. `root`: where /sys and /proc are looked for."""
    return [rapl(root), nvml(), temperature(root), clock(root), governor(root)]


def is_virtual(root: Path = ROOT) -> bool:
    """Whether the CPU says that a hypervisor is below it."""
    return any(line.startswith("flags") and "hypervisor" in line.split() for line in _text(root / "proc/cpuinfo").splitlines())


def rapl(root: Path = ROOT) -> Sensor:
    """The domains whose energy can be read; they count microjoules since the start of the machine."""
    name, place = "CPU energy (RAPL)", f"/{RAPL}/intel-rapl:*/energy_uj"
    read, refused = [], 0
    for counter in sorted((root / RAPL).glob("intel-rapl:*/energy_uj")):
        try:
            int(counter.read_text())
            read.append(_text(counter.with_name("name")).strip() or counter.parent.name)
        except PermissionError:
            refused += 1
        except (OSError, ValueError):
            continue
    if read:
        return Sensor(name, ", ".join(dict.fromkeys(read)), path=place)
    if refused:
        return Sensor(name, None, f"only root may read it; let an administrator run: chmod a+r {place}", place)
    if is_virtual(root):
        return Sensor(name, None, "a virtual machine: the host keeps the counters of its CPU to itself", place)
    if platform.machine() not in ("x86_64", "AMD64", "i686"):
        return Sensor(name, None, f"{platform.machine()} has no such counter; put a meter at the supply", place)
    return Sensor(name, None, "the kernel does not offer it; load intel_rapl_msr, or let the container see /sys/class/powercap", place)


def nvml() -> Sensor:
    """NVIDIA GPUs with their power; NVML counts their energy."""
    name = "GPU energy (NVML)"
    try:
        import pynvml
    except ImportError:
        return Sensor(name, None, "nvidia-ml-py is not installed; run: pip install 'vcompress[energy]'")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Sensor(name, None, f"no NVIDIA GPU or driver ({error})")
    try:
        return _gpus(pynvml, name)
    finally:
        pynvml.nvmlShutdown()


def _gpus(pynvml, name: str) -> Sensor:  # type: ignore[no-untyped-def]
    found, reason = [], "NVML is here but sees no GPU"
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            label = pynvml.nvmlDeviceGetName(handle)
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
            found.append(f"{label if isinstance(label, str) else label.decode()}, {pynvml.nvmlDeviceGetPowerUsage(handle) / 1000:.0f} W now")
        except pynvml.NVMLError as error:
            reason = f"GPU {index} does not tell its energy ({error})"
    return Sensor(name, "; ".join(found)) if found else Sensor(name, None, reason)


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
