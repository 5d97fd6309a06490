"""The GPU whose energy is read: the first that CUDA would take. NVML is asked directly, for pyJoules adds up every GPU of the machine."""

import os
from collections.abc import Callable
from typing import Any

from .curve import Curve, States, Times
from .meter import Clock, Description, NoMeter, PolledMeter


def find_gpu(
    source: str, title: str, what: str, interval: float, read: Callable[[Any, Any], float], to_curve: Callable[[Times, States], Curve], clock: Clock
) -> PolledMeter | NoMeter:
    """A meter of the GPU, tried once, or why there is none. what: in words; read: of the library and a handle."""
    try:
        import pynvml
    except ImportError:
        return NoMeter(source, title, "nvidia-ml-py is not installed; run: pip install 'vcompress[energy]'")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return NoMeter(source, title, f"no NVIDIA GPU or driver ({error})")
    try:
        if not pynvml.nvmlDeviceGetCount():
            return NoMeter(source, title, "NVML is here but sees no GPU")
        handle = _first(pynvml)
        name = pynvml.nvmlDeviceGetName(handle)
        read(pynvml, handle)
    except pynvml.NVMLError as error:
        return NoMeter(source, title, f"the GPU does not tell its {what} ({error})")
    covers = f"{name if isinstance(name, str) else name.decode()}, its {what} by NVML"
    return PolledMeter(Description(source, title, covers, "gpu", interval), lambda: (read(pynvml, handle),), to_curve, clock)


def _first(library: Any) -> Any:
    """CUDA_VISIBLE_DEVICES names GPUs by number or by UUID."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if visible.startswith(("GPU-", "MIG-")):
        return library.nvmlDeviceGetHandleByUUID(visible)
    return library.nvmlDeviceGetHandleByIndex(int(visible) if visible.isdigit() else 0)
