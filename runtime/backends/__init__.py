"""What can run an artifact's graphs. A back end is registered by name and imported when it is asked for."""

import platform
import struct
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Protocol

from ...errors import VcompressError
from ..artifact import Artifact
from ..samplers import Tensors


class Session(Protocol):
    """An artifact loaded by a back end. `environment`: what of the back end bears on a figure (version, kernels, instruction set).

    One that has the artifact's sampler in it says in an attribute `sampler` which is left to run around it: its settings, as in a manifest.
    """

    environment: dict[str, str]

    def run(self, graph: str, inputs: Tensors) -> Tensors: ...


# name -> module (relative to the package) with `load(artifact, threads) -> Session`; of VARIANTS with `load(artifact, threads, words)`
BACKENDS = {
    "onnxruntime": ".runtime.backends.onnxruntime_cpu",
    "onnxruntime-cuda": ".runtime.backends.onnxruntime_cuda",
    "onnxruntime-tensorrt": ".runtime.backends.onnxruntime_tensorrt",
    "torch-cpu": ".vocoders.backends.torch_cpu",
    "torch-cuda": ".vocoders.backends.torch_cuda",
    "litert": ".runtime.backends.litert",
    "tflite_runtime": ".runtime.backends.tflite_process",
    "c": ".runtime.backends.c_library",
    "loop": ".runtime.backends.loop",
    "onnx-loop": ".runtime.backends.onnx_loop",
}
VARIANTS = ("torch-cpu", "torch-cuda", "onnxruntime-tensorrt")  # have words behind their name: torch-cuda:fp16:graphs
GPUS = ("torch-cuda", "onnxruntime-cuda", "onnxruntime-tensorrt")
_SWALLOWED = {"loop": ("coarse", "fine"), "onnx-loop": ("conditioner", "coarse", "fine")}  # graphs that a back end makes no calls of
ONE_THREAD = ("c", "loop")  # however many are asked for
MOST_THREADS = 4  # of a board's bench by itself: as many cores as a Raspberry Pi has


def load(name: str, artifact: Artifact, threads: int = 1) -> Session:
    """Open an artifact in a back end. Raises VcompressError when the name is unknown or its package is missing."""
    module, (plain, *words) = import_backend(name), name.split(":")
    session: Session = module.load(artifact, threads, words) if plain in VARIANTS else module.load(artifact, threads)
    return session


def import_backend(name: str) -> ModuleType:
    """The module of a back end. Raises VcompressError when the name is unknown or what it imports is missing."""
    plain, *words = name.split(":")
    if plain not in BACKENDS:
        raise VcompressError(f"There is no back end {plain!r}; choose one of {', '.join(BACKENDS)}.")
    if words and plain not in VARIANTS:
        raise VcompressError(f"The back end {plain} has no variants, as {name} has them; leave out {':' + ':'.join(words)}.")
    try:
        return import_module(BACKENDS[plain], package=__name__.split(".")[0])
    except ModuleNotFoundError as error:
        raise VcompressError(f"The back end {plain} needs {error.name}, which is not installed; run: pip install 'vcompress[compress]'.") from None


def on_a_gpu(name: str) -> bool:
    """Whether a back end computes on a GPU."""
    return name.split(":")[0] in GPUS


def default_backend(machine: str = "", bits: int = 0) -> str:
    """What runs artifacts on a machine unless another is asked for; without one named, here, by what is installed.

    machine: as `platform.machine()` says; bits: of a pointer of its Python, 32 on a 64-bit kernel with a 32-bit system.
    There is no wheel of onnxruntime for 32-bit Arm, and none of tflite-runtime for ARMv6.
    """
    here, machine, bits = not machine, machine or platform.machine(), bits or 8 * struct.calcsize("P")
    if machine == "armv6l":
        return "c"
    if machine in ("armv7l", "armv8l") or (machine == "aarch64" and bits == 32):
        return "tflite_runtime"
    return "litert" if here and not find_spec("onnxruntime") and find_spec("ai_edge_litert") else "onnxruntime"


def threads_of(backend: str, cores: int) -> tuple[int, ...]:
    """The numbers of threads that a board with so many cores is timed with unless others are asked for."""
    return (1,) if backend in ONE_THREAD else tuple(range(1, max(1, min(cores, MOST_THREADS)) + 1))


def swallowed(backend: str, graph: str) -> str:
    """Why the calls of a graph cannot be timed in a back end; "" where they can, and for the whole synthesis, which has no graph's name."""
    return f"the back end {backend} has {graph} in it and makes no calls of it" if graph in _SWALLOWED.get(backend, ()) else ""


def elsewhere(backend: str) -> str:
    """Why the memory and CPU time of this process say nothing of a back end; "" where they do."""
    if backend != "tflite_runtime":
        return ""
    from .tflite_process import is_elsewhere

    return "tflite_runtime computes in a process of its own" if is_elsewhere() else ""
