"""The most multiply-accumulates a second that this machine reaches through ONNX Runtime: convolutions that are large and alone.

Measured once for each CPU, number of threads and version, and kept in the user's cache; not kept where other processes took CPU time
meanwhile, for then it is too low.
"""

import json
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import VcompressError
from ..runtime.files import cache_folder, write_text
from .energy.others import MUCH, Watch
from .environment import environment

# (channels, kernel, length): between the widest layers of the vocoders here and what fits the caches
SHAPES = ((32, 7, 16384), (64, 3, 8192), (64, 11, 4096), (128, 7, 2048), (256, 3, 2048), (512, 1, 1024))
SECONDS = 0.25  # of each shape and round
ROUNDS = 2
LEAST_RUNS = 5
FILE = "peaks.json"


@dataclass(frozen=True)
class Peaks:
    """MAC/s of u8 x s8 -> u8 convolutions and of float32 ones. `others`: CPU seconds a second that other processes took meanwhile."""

    int8: float
    fp32: float
    others: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.int8 < np.inf and 0 < self.fp32 < np.inf):
            raise ValueError("a peak is above 0")


@cache
def machine_peaks(threads: int = 1) -> Peaks:
    """From the cache, or measured now (some seconds). Raises VcompressError without `onnx` or `onnxruntime`."""
    from ..runtime.backends.onnxruntime_cpu import needs_quant_precision

    here = environment()
    key = json.dumps([here["machine"], here["instruction_sets"], here.get("onnxruntime", ""), threads, needs_quant_precision(), SHAPES])
    kept = _kept()
    with suppress(KeyError, TypeError, ValueError):
        return Peaks(**kept[key])
    peaks = measure_peaks(threads)
    if peaks.others > MUCH:
        return peaks
    with suppress(VcompressError):  # a cache that cannot be written is only slower
        write_text(cache_folder() / FILE, json.dumps({**kept, key: asdict(peaks)}, indent=1))
    return peaks


def measure_peaks(threads: int, shapes: tuple[tuple[int, int, int], ...] = SHAPES, seconds: float = SECONDS) -> Peaks:
    """The best of the shapes, each at its fastest run."""
    watch, start = Watch(), time.perf_counter()
    before = watch.others()
    int8, fp32 = (max(_rate(kind, shape, threads, seconds) for _ in range(ROUNDS) for shape in shapes) for kind in (np.uint8, np.float32))
    after = watch.others()
    return Peaks(int8, fp32, 0.0 if before is None or after is None else max(0.0, after - before) / (time.perf_counter() - start))


def _rate(kind: Any, shape: tuple[int, int, int], threads: int, seconds: float) -> float:
    channels, kernel, length = shape
    session, data = _convolution(kind, channels, kernel, threads), np.ones((1, channels, length), kind)
    best, runs, end = np.inf, 0, time.perf_counter() + seconds
    while runs < LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, {"x": data})
        best, runs = min(best, time.perf_counter() - start), runs + 1
    return channels * channels * kernel * (length - kernel + 1) / best


def _convolution(kind: Any, channels: int, kernel: int, threads: int) -> Any:
    """A session with one convolution, channels to channels; the integer one requantizes to 8 bits, with a scale a channel."""
    try:
        from onnx import helper, numpy_helper
    except ImportError:
        raise VcompressError("The peak of the machine is measured on graphs that onnx makes, which is not installed; run: pip install onnx.") from None
    from ..runtime.backends.onnxruntime_cpu import open_session

    draw = np.random.default_rng(0)
    weights: dict[str, Any] = {"w": draw.normal(size=(channels, channels, kernel)).astype(np.float32), "b": np.zeros(channels, np.float32)}
    inputs = ["x", "w", "b"]
    if kind is np.uint8:
        weights = {
            "xs": np.float32(0.02),
            "xz": np.uint8(128),
            "w": draw.integers(-127, 128, (channels, channels, kernel)).astype(np.int8),
            "ws": np.full(channels, 0.01, np.float32),
            "wz": np.zeros(channels, np.int8),
            "ys": np.float32(0.1),
            "yz": np.uint8(128),
            "b": np.zeros(channels, np.int32),
        }
        inputs = ["x", *weights]
    node = helper.make_node("QLinearConv" if kind is np.uint8 else "Conv", inputs, ["y"])
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    ports = [helper.make_tensor_value_info(name, element, [1, channels, None]) for name in ("x", "y")]
    graph = helper.make_graph([node], "peak", ports[:1], ports[1:], [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peak.onnx"
        path.write_bytes(model.SerializeToString())
        return open_session(path, threads)


def _kept() -> dict[str, Any]:
    try:
        kept = json.loads((cache_folder() / FILE).read_text(encoding="utf-8"))
        return kept if isinstance(kept, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}
