"""What can run an artifact's graphs. A back end is registered by name and imported when it is asked for."""

import platform
import struct
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

from ...errors import VcompressError
from ..artifact import Artifact
from ..samplers import Tensors


class Session(Protocol):
    """An artifact loaded by a back end. `environment`: what of the back end bears on a figure (version, kernels, instruction set)."""

    environment: dict[str, str]

    def run(self, graph: str, inputs: Tensors) -> Tensors: ...


# name -> module (relative to the package) with `load(artifact, threads) -> Session`
BACKENDS = {
    "onnxruntime": ".runtime.backends.onnxruntime_cpu",
    "litert": ".runtime.backends.litert",
    "tflite_runtime": ".runtime.backends.tflite_process",
}
# back end -> why the memory and CPU time of this process say nothing of it
ELSEWHERE = {"tflite_runtime": "tflite_runtime computes in a process of its own"}


def load(name: str, artifact: Artifact, threads: int = 1) -> Session:
    """Open an artifact in a back end. Raises VcompressError when the name is unknown or its package is missing."""
    if name not in BACKENDS:
        raise VcompressError(f"There is no back end {name!r}; choose one of {', '.join(BACKENDS)}.")
    return import_module(BACKENDS[name], package=__name__.split(".")[0]).load(artifact, threads)


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
