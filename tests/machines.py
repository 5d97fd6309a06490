"""Machines that draw power and have meters, for tests: a clock of their own, a powercap tree, an NVML library, a vcgencmd."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

POWERCAP = "sys/class/powercap/intel-rapl"


@dataclass
class Machine:
    """Draws `idle` W, and `busy` W while it runs something; time passes by `sleep` and `run` alone."""

    root: Path
    idle: float = 10.0
    busy: float = 30.0
    now: float = 100.0
    watchers: list = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.advance(seconds, self.idle)

    def run(self) -> None:
        self.advance(1.0, self.busy)

    def advance(self, seconds: float, watts: float) -> None:
        self.now += seconds
        for watcher in self.watchers:
            watcher(seconds, watts)


@dataclass
class RaplDomain:
    """One counter of the tree, in microjoules; `range` None: the file that tells where it starts again is not there."""

    folder: Path
    name: str
    share: float = 1.0
    range: int | None = 262_143_328_850
    state: float = 0.0
    stuck: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "name").write_text(f"{self.name}\n")
        if self.range is not None:
            (self.folder / "max_energy_range_uj").write_text(f"{self.range}\n")
        self(0.0, 0.0)

    def __call__(self, seconds: float, watts: float) -> None:
        if not self.stuck:
            self.state += 1e6 * self.share * watts * seconds
        if self.range is not None:
            self.state %= self.range
        (self.folder / "energy_uj").write_text(f"{int(self.state)}\n")


def with_rapl(machine: Machine, **changes: object) -> RaplDomain:
    """The package of a machine, three quarters of its power, with a core and the memory (a quarter) below it."""
    package = machine.root / POWERCAP / "intel-rapl:0"
    domains = [
        RaplDomain(package, "package-0", share=0.75, **changes),  # type: ignore[arg-type]
        RaplDomain(package / "intel-rapl:0:0", "core", share=0.5),
        RaplDomain(package / "intel-rapl:0:1", "dram", share=0.25),
    ]
    machine.watchers += domains
    return domains[0]


class NvmlError(Exception):
    """As pynvml has one."""


def refuse(*arguments: object) -> None:
    """What an old GPU, or no driver, answers."""
    raise NvmlError("Not Supported")


def fake_nvml(machine: Machine | None = None, **changes: object) -> SimpleNamespace:
    """The part of pynvml that is asked; with a machine, its GPU takes all the power."""
    state = {"millijoules": 1e9, "milliwatts": 70_400.0}

    def watch(seconds: float, watts: float) -> None:
        state["millijoules"] += 1e3 * watts * seconds
        state["milliwatts"] = 1e3 * watts

    if machine is not None:
        machine.watchers.append(watch)
    calls = {
        "NVMLError": NvmlError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetName": lambda handle: b"Example GPU",
        "nvmlDeviceGetTotalEnergyConsumption": lambda handle: int(state["millijoules"]),
        "nvmlDeviceGetPowerUsage": lambda handle: int(state["milliwatts"]),
    }
    return SimpleNamespace(**{**calls, **changes})


def fake_vcgencmd(folder: Path, text: str, code: int = 0) -> str:
    """A command that prints a text, or fails."""
    path = folder / "vcgencmd"
    path.write_text(f"#!/bin/sh\n[ \"$1\" = pmic_read_adc ] || exit 9\ncat <<'END'\n{text}\nEND\nexit {code}\n")
    path.chmod(0o755)
    return str(path)
