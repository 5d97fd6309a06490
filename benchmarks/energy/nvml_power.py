"""The power of an NVIDIA GPU, read ten times a second: for GPUs without an energy counter. Some average it over a second themselves."""

import time

from .curve import sampled
from .meter import Clock, NoMeter, PolledMeter
from .nvml import find_gpu

SOURCE, TITLE = "nvml_power", "GPU power (NVML)"
INTERVAL = 0.1


def find(clock: Clock = time.monotonic, gpus: int = 1) -> PolledMeter | NoMeter:
    """The power of the first GPUs in W, or why it cannot be read."""
    return find_gpu(SOURCE, TITLE, "power", INTERVAL, lambda library, gpu: library.nvmlDeviceGetPowerUsage(gpu) / 1000, sampled, clock, gpus)
