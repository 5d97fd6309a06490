"""The loop in C, compiled by this machine's compiler for this machine's instructions."""

import ctypes
import hashlib
import platform
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ...errors import VcompressError
from ..draws import weight_table
from ..files import cache_folder, replacing
from .panels import ROWS, Panels
from .reference import tables
from .steps import CENTRE, HALVES, Steps

SOURCE = Path(__file__).parent / "source"
FLAGS = ("-std=c99", "-O3", "-fwrapv", "-shared", "-fPIC")
NATIVE = ("-march=native",)
ZERO_POINTS = {"recurrent": CENTRE, "input": CENTRE, "hidden": CENTRE, "logits": 0}  # of the inputs of each product of a half
FRAMES_A_CALL = 16  # so that Ctrl-C is heard


class _Product(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("weights", "starts", "columns", "bias", "bias_signed", "multiplier")),
        *((name, ctypes.c_int32) for name in ("panels", "shift")),
    )


class _Half(ctypes.Structure):
    _fields_ = [(name, _Product) for name in ("recurrent", "input", "hidden", "logits")]


class _Steps(ctypes.Structure):
    _fields_ = (
        ("halves", _Half * 2),
        *((name, ctypes.c_void_p) for name in ("sigmoid", "tanh", "weights")),
        *((name, ctypes.c_int32) for name in ("units", "farthest")),
    )


class _Cursor(ctypes.Structure):
    _fields_ = [("state", ctypes.c_void_p), ("seed", ctypes.c_uint64), ("position", ctypes.c_uint64), ("high", ctypes.c_int32), ("low", ctypes.c_int32)]


class _Room(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("sums", "recurrent", "given", "state", "narrow", "picked")]


class Kernel:
    """A network's steps, laid out for the compiled loop. `flags`: what the compiler is told of the instructions it may use.

    `dense`: matrices whose blocks of zeros are multiplied like the others. Raises VcompressError where there is no compiler, or it fails.
    """

    def __init__(self, steps: Steps, flags: Sequence[str] = NATIVE, dense: bool = False):
        self._library = _library(tuple(flags))
        self.name: str = self._library.vw_kernel().decode()
        self.units = steps.units
        self._kept: list[object] = []  # what the structures point at
        self.panels = {f"{half}.{name}": Panels.of(getattr(getattr(steps, half), name), zero, dense) for half in HALVES for name, zero in ZERO_POINTS.items()}
        halves = (_Half * 2)(*(_Half(*(self._product(self.panels[f"{half}.{name}"]) for name in ZERO_POINTS)) for half in HALVES))
        weights = weight_table()
        self._steps = _Steps(halves, *map(self._pointer, (*tables(), weights)), steps.coarse.units, len(weights) - 1)
        longest = ROWS + max(len(panels.bias) + panels.picked for panels in self.panels.values()) + steps.units
        rooms = [np.zeros(longest, dtype) for dtype in (np.int32, np.int16, np.int16, np.uint8, np.uint8, np.uint8)]
        self._room = _Room(*map(self._pointer, rooms))

    def generate(self, coarse: np.ndarray, fine: np.ndarray, hop_length: int, seed: int) -> np.ndarray:
        """Conditions int16 (F, 3 units of a half) of either half -> samples int16 (hop_length F,), those of `reference.generate`."""
        coarse, fine = (np.ascontiguousarray(c, np.int16) for c in (coarse, fine))
        if coarse.shape != fine.shape or coarse.ndim != 2 or coarse.shape[1] != 3 * self.units // 2:
            raise VcompressError(f"Conditions of shape {coarse.shape} and {fine.shape} are not those of {self.units} units; export the artifact again.")
        samples, state = np.empty((len(coarse), hop_length), np.int16), np.zeros(self.units, np.int16)
        cursor = _Cursor(state.ctypes.data, seed % 2**64, 0, CENTRE, 0)
        for frame in range(0, len(coarse), FRAMES_A_CALL):
            part, given = samples[frame : frame + FRAMES_A_CALL], (c[frame : frame + FRAMES_A_CALL] for c in (coarse, fine))
            pointers = (ctypes.c_void_p(c.ctypes.data) for c in given)
            structures = map(ctypes.byref, (self._steps, cursor, self._room))
            self._library.vw_generate(*structures, *pointers, len(part), hop_length, ctypes.c_void_p(part.ctypes.data))
        return samples.reshape(-1)

    def _product(self, panels: Panels) -> _Product:
        arrays = (panels.weights, panels.starts, panels.columns, panels.bias, panels.bias_signed, panels.multiplier)
        return _Product(*(None if array is None else self._pointer(array) for array in arrays), len(panels.starts) - 1, panels.shift)

    def _pointer(self, array: np.ndarray) -> int:
        self._kept.append(array)
        return array.ctypes.data


@cache
def _library(flags: tuple[str, ...]) -> ctypes.CDLL:
    """The compiled loop, kept between calls by its text, compiler and machine."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise VcompressError("WaveRNN's loop needs a C compiler; install one, on Debian with: apt-get install gcc libc6-dev.")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, errors="replace").stdout
    key = hashlib.sha256(" ".join((version, platform.machine(), _instructions(), *FLAGS, *flags)).encode())
    for source in sorted(SOURCE.iterdir()):
        key.update(source.read_bytes())
    target = cache_folder() / "wavernn" / f"{key.hexdigest()[:24]}.so"
    if not target.is_file():
        with replacing(target) as part:
            for instructions in (flags, ()) if flags == NATIVE else (flags,):  # not every compiler knows its own machine
                command = [compiler, *FLAGS, *instructions, "-o", str(part), str(SOURCE / "vw_loop.c")]
                done = subprocess.run(command, capture_output=True, text=True, errors="replace")
                if not done.returncode:
                    break
            else:
                said = " ".join(done.stderr.split())[:200]
                raise VcompressError(f"WaveRNN's loop cannot be compiled here ({said}); install another C compiler, or use --backend onnxruntime.")
    library = ctypes.CDLL(str(target))
    library.vw_kernel.restype, library.vw_generate.restype = ctypes.c_char_p, None
    return library


def _instructions() -> str:
    """What this machine's processor can do, as far as its kernel says: a cache that another machine shares holds other code."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
