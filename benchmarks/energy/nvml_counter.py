"""The energy counter of an NVIDIA GPU (Volta and later): millijoules since the driver was loaded, 64 bits, so it never starts again."""

import time
from functools import partial

from .curve import counted
from .meter import Clock, NoMeter, PolledMeter
from .nvml import find_gpu

SOURCE, TITLE = "nvml", "GPU energy (NVML counter)"
INTERVAL = 10.0
MILLIJOULE = 1e-3


def find(clock: Clock = time.monotonic, gpus: int = 1) -> PolledMeter | NoMeter:
    """The counters of the first GPUs, or why they cannot be read."""
    to_curve = partial(counted, joules=MILLIJOULE, ranges=(None,) * gpus)
    return find_gpu(SOURCE, TITLE, "energy counter", INTERVAL, lambda library, gpu: library.nvmlDeviceGetTotalEnergyConsumption(gpu), to_curve, clock, gpus)
