"""The GPUs whose energy is read: the first that CUDA would take. NVML is asked directly, for pyJoules adds up every GPU of the machine."""

import os
from collections.abc import Callable
from typing import Any

from .curve import Curve, States, Times
from .meter import Clock, Description, NoMeter, PolledMeter


def find_gpu(
    source: str,
    title: str,
    what: str,
    interval: float,
    read: Callable[[Any, Any], float],
    to_curve: Callable[[Times, States], Curve],
    clock: Clock,
    gpus: int,
) -> PolledMeter | NoMeter:
    """A meter of the first `gpus` GPUs, tried once, or why there is none. what: in words; read: of the library and a handle."""
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
        handles = [_handle(pynvml, place) for place in range(gpus)]
        names = [pynvml.nvmlDeviceGetName(handle) for handle in handles]
        for handle in handles:
            read(pynvml, handle)
    except pynvml.NVMLError as error:
        return NoMeter(source, title, f"the GPU does not tell its {what} ({error})")
    name = names[0] if isinstance(names[0], str) else names[0].decode()
    covers = f"{f'{gpus} x ' if gpus > 1 else ''}{name}, its {what} by NVML"
    return PolledMeter(Description(source, title, covers, interval), lambda: [read(pynvml, handle) for handle in handles], to_curve, clock)


def gpu_name() -> str:
    """The GPU that a back end on one takes; "" where NVML does not tell."""
    try:
        import pynvml

        pynvml.nvmlInit()
        name = pynvml.nvmlDeviceGetName(_handle(pynvml, 0))
    except Exception:  # without the package, without a driver, without a GPU
        return ""
    return name if isinstance(name, str) else str(name.decode())


def _handle(library: Any, place: int) -> Any:
    """The GPU at a place of CUDA_VISIBLE_DEVICES, which names them by number or by UUID; of all where it is not set."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    name = visible[place] if place < len(visible) else str(place)
    return library.nvmlDeviceGetHandleByUUID(name) if name.startswith(("GPU-", "MIG-")) else library.nvmlDeviceGetHandleByIndex(int(name))
