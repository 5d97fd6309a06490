"""How fast WaveRNN's loop is here: `python -m vcompress.benchmarks.wavernn_speed`.

Networks with random weights, for the time a step takes does not depend on the values: each size dense, and sparse in blocks that lie where chance puts
them, in all rows of R and of the layers that read the state; the input and the softmax stay dense. Artifacts with a loop are timed as they are, and as if
they had no zeros. All in turn, in one process on one thread, the conditioning network not counted (it runs once a frame). At another sample
rate a second has more samples, of the same network.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..runtime.artifact import Artifact
from ..runtime.backends.loop import FORMAT, STEPS
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


def random_steps(units: int, hidden: int, sparsity: float, seed: int = 0, block: tuple[int, int] = (ROWS, 1)) -> Steps:
    """Steps with random weights, `sparsity` of the blocks zero; multipliers as of a trained network, so that gates are not all shut."""
    draw = np.random.default_rng(RandomStream(seed).below(1 << 31))
    n = units // 2

    def product(rows: int, columns: int, deviation: float, sparse: bool = False) -> Product:
        weights = draw.integers(-127, 128, (rows, columns)).astype(np.int8)
        if sparse and sparsity:
            down, across = -(-rows // block[0]), -(-columns // block[1])
            order = draw.random(down * across).argsort().reshape(down, across)
            weights[np.repeat(np.repeat(order < sparsity * order.size, block[0], 0), block[1], 1)[:rows, :columns]] = 0
        kept = max(1.0, columns * (1 - sparsity if sparse else 1))
        factor = deviation / (73 * 64 * kept**0.5)  # 73: deviation of the weights, 64: about that of the inputs
        shift = 31 - int(np.frexp(factor)[1])
        return Product(weights, np.zeros(rows, np.int32), np.full(rows, round(np.ldexp(factor, shift)), np.int32), shift)

    def half(symbols: int) -> Half:
        logit = 2 / LOGIT_SCALE
        return Half(product(3 * n, units, 2048, True), product(3 * n, symbols, 1024), product(hidden, n, 64, True), product(256, hidden, logit))

    return Steps(half(2), half(3))


def zeros(steps: Steps) -> float:
    """Part of zeros in R and in the layers that read the state."""
    matrices = [product.weights for half in (steps.coarse, steps.fine) for product in (half.recurrent, half.hidden)]
    return sum(int((m == 0).sum()) for m in matrices) / sum(m.size for m in matrices)


def measure(
    sizes: Sequence[str],
    sparsities: Sequence[float],
    seconds: float,
    rounds: int,
    flags: Sequence[str] = NATIVE,
    block: tuple[int, int] = (ROWS, 1),
    trained: Mapping[str, Steps] | None = None,
    sample_rate: int = SAMPLE_RATE,
) -> tuple[str, list[Row]]:
    """The kernel's name, and a row for each network; `trained`: others than those with random weights. Raises VcompressError where there is no C compiler."""
    kernels = {(size, s): Kernel(random_steps(*UNITS[size], s, block=block), flags, not s) for size in sizes for s in dict.fromkeys((0.0, *sparsities))}
    for name, steps in (trained or {}).items():
        kernels |= {(name, 0.0): Kernel(steps, flags, dense=True), (name, zeros(steps)): Kernel(steps, flags)}
    frames = max(1, round(seconds * sample_rate / HOP_LENGTH))
    audio = frames * HOP_LENGTH / sample_rate
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


def _block(text: str) -> tuple[int, int]:
    rows, columns = (int(part) for part in text.split("x"))
    return max(1, rows), max(1, columns)


def main() -> None:
    """Time, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.wavernn_speed", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--sizes", nargs="*", default=list(UNITS), choices=list(UNITS))
    parser.add_argument("--sparsity", nargs="+", type=float, default=list(SPARSITIES))
    parser.add_argument("--sample-rate", type=int, default=SAMPLE_RATE, help="in Hz")
    parser.add_argument("--seconds", type=float, default=1.0, help="of audio a run")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--block", default=f"{ROWS}x1", type=_block, metavar="ROWSxCOLUMNS", help="in which the random weights are zero")
    parser.add_argument("--artifact", type=Path, action="append", default=[], help="trained and exported with --format loop; may be given again")
    given = parser.parse_args()
    artifacts = [Artifact.open(folder) for folder in given.artifact]
    trained = {f"{a.manifest.name} {a.manifest.recipe}": Steps.read(a.derived_path(FORMAT, STEPS)) for a in artifacts}
    name, rows = measure(given.sizes, given.sparsity, given.seconds, given.rounds, block=given.block, trained=trained, sample_rate=given.sample_rate)
    if given.json:
        values = [{name: getattr(r, name).value for name in ("rtf", "cpu", "over_dense")} for r in rows]
        figures = [{"size": r.size, "sparsity": r.sparsity, "kilobytes": r.kilobytes, **found} for r, found in zip(rows, values, strict=True)]
        print(json.dumps({"kernel": name, "machine": environment()["machine"], "sample_rate": given.sample_rate, "rows": figures}, indent=1))
        return
    machine = environment()["machine"]
    print(f"WaveRNN's loop, {name}, one thread of {machine}; median of {given.rounds} interleaved runs of {given.seconds:g} s at {given.sample_rate} Hz")
    print("Where a size is named, weights are random, and zeros in blocks of {}x{}\n".format(*given.block))
    print("| size | zeros in R and hidden | weights, kB | RTF | IQR | CPU s/s | faster than dense |\n|---|---|---|---|---|---|---|")
    for r in rows:
        wall = f"{r.rtf.value:.3f} | {r.rtf.spread or 0:.3f}"
        print(f"| {r.size} | {100 * r.sparsity:.3g} % | {r.kilobytes:,.0f} | {wall} | {r.cpu.value:.3f} | {r.over_dense.value:.2f} x |")


if __name__ == "__main__":
    main()
