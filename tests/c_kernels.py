"""The C kernels in a shared library, called with numpy arrays; what they are given is copied to arrays of exactly its size, for the address sanitizer."""

import ctypes
import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import vcompress
from vcompress.export.c.reference import istft, kernels
from vcompress.export.c.reference.fixed_point import Q15

SOURCE = Path(vcompress.__file__).parent / "export/c/source"
WARNINGS = "-std=c99 -pedantic -Wall -Wextra -Wconversion -Werror".split()
SANITIZERS = "-g -fsanitize=address,undefined -fno-sanitize-recover=all".split()
SANITIZED = "VCOMPRESS_TEST_SANITIZED"  # the library, in the process that runs under the sanitizers
DTYPES = {8: np.int8, 16: np.int16}
INT16, INT32, INT64, UINT8, UINT16, POINTER = ctypes.c_int16, ctypes.c_int32, ctypes.c_int64, ctypes.c_uint8, ctypes.c_uint16, ctypes.c_void_p


def structure(*fields: tuple[str, type]) -> type[ctypes.Structure]:
    """A struct of the header."""
    return type("Facts", (ctypes.Structure,), {"_fields_": list(fields)})


LayerFacts = structure(
    *((name, POINTER) for name in ("weights", "bias", "multiplier", "shift")),
    *((name, UINT16) for name in ("inputs", "outputs", "groups")),
    *((name, UINT8) for name in ("taps", "preshift")),
    *((name, INT16) for name in ("zero_point", "low", "high")),
)
SumFacts = structure(("offset", INT32), *((name, INT16) for name in ("a", "b", "low", "high")), ("shift", UINT8))
WideSumFacts = structure(("offset", INT64), ("a", INT32), ("b", INT32), ("low", INT16), ("high", INT16), ("shift", UINT8))
ProductFacts = structure(("multiplier", INT32), *((name, INT16) for name in ("a", "b", "zero_point", "low", "high")), ("shift", UINT8))
ScaleFacts = structure(
    ("above", INT32), ("below", INT32), *((name, INT16) for name in ("input", "zero_point", "low", "high")), ("shift", UINT8), ("shift_below", UINT8)
)

ISTFTFacts = structure(
    *((name, POINTER) for name in ("sine", "window")),
    *(("shortest", ctypes.c_uint32), ("log_multiplier", INT16), ("log_shift", UINT8), ("log2_n_fft", UINT8), ("hop_length", UINT16)),
)


def compiled(folder: Path, *flags: str) -> Path:
    """The kernels compiled into a shared library by the machine's own compiler."""
    made = folder / "kernels.so"
    files = [str(SOURCE / name) for name in ("vc_conv.c", "vc_rows.c", "vc_istft.c")]
    subprocess.run(["cc", *WARNINGS, *flags, "-O2", "-shared", "-fPIC", "-o", str(made), *files], check=True)
    return made


@cache
def library() -> ctypes.CDLL:
    """Compiled once a process; in the process under the sanitizers, what it was given."""
    if SANITIZED in os.environ:
        return ctypes.CDLL(os.environ[SANITIZED])
    with TemporaryDirectory() as folder:
        return ctypes.CDLL(str(compiled(Path(folder))))


def address(array: np.ndarray) -> int:
    """Where a contiguous array lies."""
    assert array.flags.c_contiguous
    return array.ctypes.data


def conv(layer: kernels.Layer, rows: np.ndarray, input_bits: int, output_bits: int) -> np.ndarray:
    """vc_conv or vc_depthwise of one row. rows: integers (taps, inputs)."""
    separate = [np.array(row, DTYPES[input_bits]) for row in rows]
    weights, bias, shift = np.array(layer.weights, np.int8), np.array(layer.bias, np.int32), np.array(layer.requantize.shift, np.uint8)
    multiplier = np.array(layer.requantize.multiplier, np.int16 if isinstance(layer.requantize, Q15) else np.int32)
    facts = LayerFacts(
        *map(address, (weights, bias, multiplier, shift)),
        *(layer.inputs, layer.outputs, layer.groups, layer.taps, layer.requantize.preshift),
        *(layer.clamp.zero_point, layer.clamp.low, layer.clamp.high),
    )
    out = np.empty(layer.outputs, DTYPES[output_bits])
    kind = "depthwise" if layer.depthwise else "conv"
    function = library()[f"vc_{kind}_s{input_bits}_s{output_bits}_{layer.requantize.name}"]
    function(ctypes.byref(facts), (POINTER * layer.taps)(*map(address, separate)), POINTER(address(out)))
    return out


def elementwise(name: str, facts: ctypes.Structure, inputs: Sequence[np.ndarray], bits: Sequence[int]) -> np.ndarray:
    """A kernel that reads `inputs` and writes as many; bits: of each input and of the output, which are in its name."""
    arrays = [np.array(x, DTYPES[b]) for x, b in zip(inputs, bits, strict=False)]
    out = np.empty(len(arrays[0]), DTYPES[bits[-1]])
    library()["_".join([name, *(f"s{b}" for b in bits)])](ctypes.byref(facts), *(POINTER(address(x)) for x in (*arrays, out)), UINT16(len(out)))
    return out


def add(of: kernels.Sum, a: np.ndarray, b: np.ndarray, bits: Sequence[int]) -> np.ndarray:
    """vc_add."""
    facts = (WideSumFacts if of.wide else SumFacts)(of.offset, of.a_multiplier, of.b_multiplier, of.low, of.high, of.shift)
    return elementwise("vc_add", facts, (a, b), bits)


def mul(of: kernels.Product, a: np.ndarray, b: np.ndarray, bits: Sequence[int]) -> np.ndarray:
    """vc_mul."""
    clamp = (of.clamp.zero_point, of.clamp.low, of.clamp.high)
    return elementwise("vc_mul", ProductFacts(int(of.requantize.multiplier), of.a_zero_point, of.b_zero_point, *clamp, int(of.requantize.shift)), (a, b), bits)


def rescale(of: kernels.Scale, x: np.ndarray, bits: Sequence[int]) -> np.ndarray:
    """vc_rescale."""
    clamp, shifts = (of.clamp.zero_point, of.clamp.low, of.clamp.high), (int(of.above.shift), int(of.below.shift))
    facts = ScaleFacts(int(of.above.multiplier), int(of.below.multiplier), of.input_zero_point, *clamp, *shifts)
    return elementwise("vc_rescale", facts, (x,), bits)


def table(values: np.ndarray, x: np.ndarray, bits: tuple[int, int]) -> np.ndarray:
    """vc_table."""
    of_16 = bits[0] == 16
    flash = np.array(values, np.int16 if of_16 else DTYPES[bits[1]])
    row, out = np.array(x, DTYPES[bits[0]]), np.empty(len(x), DTYPES[bits[1]])
    fineness = [UINT8((len(values) - 1).bit_length() - 1)] if of_16 else []
    library()[f"vc_table_s{bits[0]}_s{bits[1]}"](POINTER(address(flash)), *fineness, POINTER(address(row)), POINTER(address(out)), UINT16(len(out)))
    return out


def one_scale(name: str, bits: int, *operands: np.ndarray | int, n: int) -> np.ndarray:
    """vc_clamp, vc_max, vc_fill on copies of the operands."""
    kept = [np.array(operand, DTYPES[bits]) if isinstance(operand, np.ndarray) else operand for operand in operands]
    integer = {8: ctypes.c_int8, 16: INT16}[bits]
    out = np.empty(n, DTYPES[bits])
    arguments = [POINTER(address(operand)) if isinstance(operand, np.ndarray) else integer(operand) for operand in kept]
    arguments.insert(0 if name == "vc_fill" else len(arguments), POINTER(address(out)))
    library()[f"{name}_s{bits}"](*arguments, UINT16(n))
    return out


def inverse_stft(of: istft.IntegerISTFT, log_magnitude: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """vc_istft_frame for each frame, vc_istft_tail behind them: PCM int16 (hop_length F,)."""
    sine, window = of.sine.copy(), of.window.copy()
    facts = ISTFTFacts(address(sine), address(window), of.shortest, of.log_multiplier, of.log_shift, of.log2_n_fft, of.hop_length)
    work, overlap = np.full(of.n_fft, -1, np.int32), np.zeros(of.n_fft - of.hop_length, np.int32)
    frames, blocks = log_magnitude.shape[1], []
    for t in range(frames + of.overlap // 2):
        out = np.empty(of.hop_length, np.int16)
        pcm, kept = POINTER(address(out)), POINTER(address(overlap))
        if t < frames:
            rows = [np.array(x[:, t], np.int16) for x in (log_magnitude, direction)]
            library().vc_istft_frame(ctypes.byref(facts), *(POINTER(address(row)) for row in rows), POINTER(address(work)), kept, pcm)
        else:
            library().vc_istft_tail(ctypes.byref(facts), kept, pcm)
        blocks.append(out)
    return np.concatenate(blocks[of.overlap // 2 :])
