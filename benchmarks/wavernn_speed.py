"""How fast WaveRNN's loop is here: `python -m vcompress.benchmarks.wavernn_speed`.

Networks with random weights, for the time a step takes does not depend on the values: each size dense, and sparse in blocks of 16 rows x 1 column that
lie where chance puts them, in all rows of R and of the two layers behind it; the input and the softmax stay dense. They are timed in turn, in one
process on one thread, the conditioning network not counted (it runs once a frame).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..runtime.draws import LOGIT_SCALE
from ..runtime.random import RandomStream
from ..runtime.wavernn.kernel import NATIVE, Kernel
from ..runtime.wavernn.panels import ROWS
from ..runtime.wavernn.steps import Half, Product, Steps
from .environment import environment
from .figure import Figure
from .rtf import time_once

UNITS = {"S": (224, 112), "M": (512, 256), "L": (896, 448)}  # units, hidden: those of vocoders/wavernn.py, which needs torch
SPARSITIES = (0.0, 0.9, 0.95, 0.975)
HOP_LENGTH, SAMPLE_RATE = 256, 16000


@dataclass(frozen=True)
class Row:
    """One network: seconds of wall clock and of CPU for a second of audio, and how many times as fast (by CPU) as the dense one of its size."""

    size: str
    sparsity: float
    kilobytes: float
    rtf: Figure
    cpu: Figure
    over_dense: Figure


def random_steps(units: int, hidden: int, sparsity: float, seed: int = 0) -> Steps:
    """Steps with random weights, `sparsity` of the blocks of 16 x 1 zero; multipliers as of a trained network, so that gates are not all shut."""
    draw = np.random.default_rng(RandomStream(seed).below(1 << 31))
    n = units // 2

    def product(rows: int, columns: int, deviation: float, sparse: bool = False) -> Product:
        weights = draw.integers(-127, 128, (rows, columns)).astype(np.int8)
        if sparse and sparsity:
            blocks = -(-rows // ROWS)
            order = draw.random(blocks * columns).argsort().reshape(blocks, columns)
            weights[np.repeat(order < sparsity * order.size, ROWS, 0)[:rows]] = 0
        kept = max(1.0, columns * (1 - sparsity if sparse else 1))
        factor = deviation / (73 * 64 * kept**0.5)  # 73: deviation of the weights, 64: about that of the inputs
        shift = 31 - int(np.frexp(factor)[1])
        return Product(weights, np.zeros(rows, np.int32), np.full(rows, round(np.ldexp(factor, shift)), np.int32), shift)

    def half(symbols: int) -> Half:
        logit = 2 / LOGIT_SCALE
        return Half(product(3 * n, units, 2048, True), product(3 * n, symbols, 1024), product(hidden, n, 64, True), product(256, hidden, logit))

    return Steps(half(2), half(3))


def measure(sizes: Sequence[str], sparsities: Sequence[float], seconds: float, rounds: int, flags: Sequence[str] = NATIVE) -> tuple[str, list[Row]]:
    """The kernel's name, and a row for each network. Raises VcompressError where there is no C compiler."""
    kernels = {(size, s): Kernel(random_steps(*UNITS[size], s), flags, dense=not s) for size in sizes for s in dict.fromkeys((0.0, *sparsities))}
    frames = max(1, round(seconds * SAMPLE_RATE / HOP_LENGTH))
    audio = frames * HOP_LENGTH / SAMPLE_RATE
    taken: dict[tuple[str, float], list[tuple[float, float]]] = {key: [] for key in kernels}
    for round_ in range(-1, rounds):  # the first to warm up
        for key in list(kernels)[:: 1 if round_ % 2 == 0 else -1]:
            kernel = kernels[key]
            conditions = np.zeros((frames, 3 * kernel.units // 2), np.int16)
            used = time_once(lambda kernel=kernel, conditions=conditions: kernel.generate(conditions, conditions, HOP_LENGTH, 0))  # type: ignore[misc]
            if round_ >= 0:
                taken[key].append(used)
    rows = []
    for (size, s), kernel in kernels.items():
        kilobytes = sum(panels.bytes for panels in kernel.panels.values()) / 1e3
        wall, cpu = (np.array(times) / audio for times in zip(*taken[size, s], strict=True))
        ratios = np.array(taken[size, 0.0])[:, 1] / np.array(taken[size, s])[:, 1]
        rows.append(Row(size, s, kilobytes, *(Figure.median_of(samples.tolist()) for samples in (wall, cpu, ratios))))
    return next(iter(kernels.values())).name, rows


def main() -> None:
    """Time, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.wavernn_speed", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--sizes", nargs="+", default=list(UNITS), choices=list(UNITS))
    parser.add_argument("--sparsity", nargs="+", type=float, default=list(SPARSITIES))
    parser.add_argument("--seconds", type=float, default=1.0, help="of audio a run")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    name, rows = measure(given.sizes, given.sparsity, given.seconds, given.rounds)
    if given.json:
        values = [{name: getattr(r, name).value for name in ("rtf", "cpu", "over_dense")} for r in rows]
        figures = [{"size": r.size, "sparsity": r.sparsity, "kilobytes": r.kilobytes, **found} for r, found in zip(rows, values, strict=True)]
        print(json.dumps({"kernel": name, "machine": environment()["machine"], "rows": figures}, indent=1))
        return
    machine = environment()["machine"]
    print(f"WaveRNN's loop, {name}, one thread of {machine}; random weights, median of {given.rounds} interleaved runs of {given.seconds:g} s\n")
    print("| size | zeros in R and hidden | weights, kB | RTF | IQR | CPU s/s | faster than dense |\n|---|---|---|---|---|---|---|")
    for r in rows:
        wall = f"{r.rtf.value:.3f} | {r.rtf.spread or 0:.3f}"
        print(f"| {r.size} | {100 * r.sparsity:g} % | {r.kilobytes:,.0f} | {wall} | {r.cpu.value:.3f} | {r.over_dense.value:.2f} x |")


if __name__ == "__main__":
    main()
