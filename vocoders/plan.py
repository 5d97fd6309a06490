"""How long and with which optimiser a network is trained. Torch-free, so that the command line can read it quickly."""

import math
import re
from dataclasses import dataclass

from ..errors import VcompressError

QAT_BATCH = 4  # of QAT and its control: small, for a CPU
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class TrainingPlan:
    """Budget (whichever ends first), batches and optimiser.

    `time` in seconds; `steps` in optimiser steps of the network; `every` in steps between two validations. `frames` is the
    length of a training segment. `schedule` is "cosine" (along the budget, after `warmup` steps) or "constant". `clip` is the
    largest gradient norm (0: not clipped). `devices` many train as one, each with its own `batch_size` segments a step.
    """

    time: float = math.inf
    steps: int | None = None
    batch_size: int = 8
    frames: int = 24
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.8, 0.99)
    warmup: int = 100
    every: int = 200
    seed: int = 0
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    optimizer: str = "adamw"
    schedule: str = "cosine"
    clip: float = 1.0

    def __post_init__(self) -> None:
        if not self.time > 0 or (self.steps is not None and self.steps < 1):
            raise VcompressError(f"A training budget of {self.time:g} s and {self.steps} steps is empty; give --time or --steps above 0.")
        if min(self.batch_size, self.frames, self.every, self.devices) < 1 or not 0 < self.learning_rate < math.inf:
            raise VcompressError("A training plan needs a positive batch size, segment length, learning rate, interval and number of devices; correct it.")
        if self.optimizer not in ("adam", "adamw") or self.schedule not in ("cosine", "constant"):
            raise VcompressError(f"There is no optimiser {self.optimizer!r} with schedule {self.schedule!r}; use adam or adamw, cosine or constant.")


def parse_time(text: str) -> float:
    """Seconds of a budget such as "90s", "20m", "2h", "1h30m", or a bare number of seconds.

    Raises VcompressError for anything else, and for nothing at all.
    """
    compact = text.strip().lower().replace(" ", "")
    number = r"\d+(?:\.\d+)?"
    if re.fullmatch(number, compact):
        seconds = float(compact)
    elif re.fullmatch(rf"(?:{number}[smhd])+", compact):
        seconds = sum(float(value) * _UNITS[unit] for value, unit in re.findall(rf"({number})([smhd])", compact))
    else:
        raise VcompressError(f"{text!r} is not a length of time; write it like 90s, 20m, 2h or 1h30m.")
    if not 0 < seconds < math.inf:
        raise VcompressError(f"A time of {text!r} leaves nothing to train in; give more than 0 seconds.")
    return seconds
