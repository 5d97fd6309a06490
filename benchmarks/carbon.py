"""Energy and carbon of a training or a synthesis (Douwes 2023): E = PUE x (p_cpu + p_ram + g x p_gpu) x t, CO2e = intensity x E.

PUE (power usage effectiveness): energy of the whole data centre over that of its computers.
"""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import VcompressError

JOULES_PER_KWH = 3.6e6
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Factor:
    """A number that is taken where none is given, and where it is from."""

    value: float
    source: str


@cache
def factors() -> dict[str, Factor]:
    """`intensity` in kg CO2e / kWh and `pue`, from `carbon.toml`."""
    text = (Path(__file__).parent / "carbon.toml").read_text(encoding="utf-8")
    return {name: Factor(**entry) for name, entry in tomllib.loads(text).items()}


def training_energy(power: float, hours: float, gpus: int = 1, pue: float = 1.0, cpu_power: float = 0.0, ram_power: float = 0.0) -> float:
    """kWh of `gpus` GPUs of `power` W each, and of `cpu_power` and `ram_power` W in all, over `hours`, times the PUE.

    Raises VcompressError for a number that is negative or not finite, and for a PUE below 1.
    """
    _check(power=power, hours=hours, GPUs=gpus, CPU_power=cpu_power, RAM_power=ram_power)
    return _checked_pue(pue) * (cpu_power + ram_power + gpus * power) * hours / 1000


def synthesis_energy(joules_per_second: float, hours_of_audio: float, pue: float = 1.0) -> float:
    """kWh of `hours_of_audio` at `joules_per_second` J per second of audio, the unit of the metric `energy`, times the PUE.

    Raises VcompressError for a number that is negative or not finite, and for a PUE below 1.
    """
    _check(energy_per_second=joules_per_second, hours_of_audio=hours_of_audio)
    return _checked_pue(pue) * joules_per_second * hours_of_audio * SECONDS_PER_HOUR / JOULES_PER_KWH


def carbon(kwh: float, intensity: float) -> float:
    """kg CO2e of `kwh` kWh from a grid of `intensity` kg CO2e / kWh. Raises VcompressError for a number that is negative or not finite."""
    _check(energy=kwh, intensity=intensity)
    kilograms = kwh * intensity
    _check(CO2e=kilograms)
    return kilograms


def hours_until_training(training_kwh: float, joules_per_second: float, pue: float = 1.0) -> float | None:
    """Hours of audio whose synthesis takes as much energy as the training; None where a synthesis takes none."""
    one = synthesis_energy(joules_per_second, 1.0, pue)
    return training_kwh / one if one else None


def _checked_pue(pue: float) -> float:
    _check(PUE=pue)
    if pue < 1:
        raise VcompressError(f"The PUE is {pue:g}, and a data centre cannot take less than its computers; give 1 or more.")
    return pue


def _check(**numbers: float) -> None:
    for name, number in numbers.items():
        if not math.isfinite(number) or number < 0:
            raise VcompressError(f"The {name.replace('_', ' ')} is {number:g}; give a finite number of 0 or more.")
