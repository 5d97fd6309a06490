"""Every source of energy there can be, and which of those that are here is asked."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import meter_log, nvml_counter, nvml_power, pmic, rapl
from .meter import Meter, NoMeter


@dataclass(frozen=True)
class Where:
    """Where meters are looked for: the root of /sys, the command of the Raspberry Pi, the log of a meter at the supply and its clock's offset,
    and how many of the GPUs."""

    root: Path = Path("/")
    vcgencmd: str = "vcgencmd"
    log: Path | None = None
    offset: float | None = None
    gpus: int = 1


def all_sources(where: Where | None = None) -> list[Meter | NoMeter]:
    """Each source, as a meter or as the reason why it is none."""
    where = where or Where()
    return [
        meter_log.find(where.log, where.offset),
        rapl.find(where.root),
        nvml_counter.find(gpus=where.gpus),
        nvml_power.find(gpus=where.gpus),
        pmic.find(where.vcgencmd),
    ]


def useful(sources: Sequence[Meter | NoMeter], gpu: bool) -> list[Meter]:
    """The meters that say something of a run on the GPU or on the CPU: the first gives the figure, the others figures of their own."""
    order = {"log": 0, "nvml": 1, "nvml_power": 2, "pmic": 3, "rapl": 4} if gpu else {"log": 0, "rapl": 1, "pmic": 2}
    here = [source for source in sources if not isinstance(source, NoMeter) and source.source in order]
    if any(source.source == "nvml" for source in here):
        here = [source for source in here if source.source != "nvml_power"]  # the counter holds what the power tells
    return sorted(here, key=lambda source: order[source.source])


def why_none(sources: Sequence[Meter | NoMeter], gpu: bool) -> str:
    """The reasons of the sources that could have said something here, for the record of the absence."""
    board = platform.machine().startswith(("aarch64", "arm"))
    wanted = ("nvml", "rapl") if gpu else ("rapl", "pmic") if board else ("rapl",)
    reasons = [f"{source.title}: {source.reason}" for source in sources if isinstance(source, NoMeter) and source.source in wanted]
    return "; ".join(reasons)
