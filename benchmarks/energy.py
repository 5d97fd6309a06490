"""Energy of a synthesis, through pyJoules: RAPL for what runs on the CPU. Where there is no meter there is no figure, but the reason."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

from .figure import Figure, Planned, absent
from .rtf import prepare
from .subject import Subject

LEAST_SECONDS = 2.0  # RAPL counts every millisecond: long enough for its steps not to matter
REPEATS = 3


def meters() -> list[Any]:
    """pyJoules devices of this machine; empty where there are none (pyJoules' own meters then fail with a TypeError)."""
    from pyJoules.device import DeviceFactory

    return list(DeviceFactory.create_devices())


def missing() -> str:
    """Why energy cannot be measured here; "" when it can."""
    if not find_spec("pyJoules"):
        return "pyJoules is not installed; run: pip install 'vcompress[energy]'"
    try:
        devices = meters()
        kinds = {type(device).__name__ for device in devices}
        if not devices:
            return "this machine offers neither RAPL (/sys/class/powercap/intel-rapl) nor NVML"
        if "RaplDevice" not in kinds:
            return "only NVML is here, which meters the GPU, and this ran on the CPU; RAPL (/sys/class/powercap/intel-rapl) is not offered"
        _package_joules(devices)
    except PermissionError as error:
        return f"RAPL is here but {error.filename} may not be read; let an administrator allow it"
    except Exception as error:  # pyJoules and NVML raise many kinds
        return f"pyJoules failed: {type(error).__name__}: {error}"
    return ""


def energy_per_second(run: Callable[[], object], audio: float) -> Figure:
    """Joules per second of audio of `run`, which makes `audio` seconds: CPU packages and their memory, idle draw included. Median of 3."""
    devices, samples = meters(), []
    run()
    for _ in range(REPEATS):
        before, start, runs = _package_joules(devices), time.perf_counter(), 0
        while not runs or time.perf_counter() - start < LEAST_SECONDS:
            run()
            runs += 1
        joules = _package_joules(devices) - before
        if joules > 0:  # the counter starts again from 0 every few minutes
            samples.append(joules / (runs * audio))
    return Figure.median_of(samples) if samples else absent("the RAPL counter did not advance", REPEATS)


def _package_joules(devices: list[Any]) -> float:
    """RAPL counts microjoules; core and uncore are parts of the package and would count twice."""
    rapl = next(device for device in devices if type(device).__name__ == "RaplDevice")
    domains = zip(rapl.get_configured_domains(), rapl.get_energy(), strict=True)
    return sum(energy for domain, energy in domains if domain.get_domain_name() in ("package", "dram")) * 1e-6


def _measure(subject: Subject, threads: int) -> Figure:
    return energy_per_second(*prepare(subject, threads))


def plan(subject: Subject) -> Iterator[Planned]:
    """`energy` for each number of threads."""
    reason = missing()
    for threads in subject.settings.threads:
        method = f"RAPL package and DRAM through pyJoules, idle draw included, median of {REPEATS} spans of at least {LEAST_SECONDS:g} s"
        yield Planned("energy", "J/s", method, partial(_measure, subject, threads), {"threads": threads}, window=subject.settings.seconds, missing=reason)
