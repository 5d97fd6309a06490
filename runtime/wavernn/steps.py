"""The two steps of a quantized WaveRNN as integers: matrices, biases, and the multipliers that bring their sums to the next tensor's grid."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ...errors import VcompressError
from ..files import replacing

HALVES = ("coarse", "fine")
CENTRE = 128  # zero point of 8-bit states and symbols, both in steps of 2^-7
GATE_BITS, STATE_BITS = 11, 15  # 16-bit gates are multiples of 2^-11, states of 2^-15


@dataclass(frozen=True)
class Product:
    """8-bit inputs, less their zero point -> sums in 32 bits -> (sum x multiplier + 2^(shift - 1)) >> shift, clamped by whoever takes it.

    weights: int8 (rows, columns). bias: int32 (rows,). multiplier: int32 (rows,), not negative; shift: one for all rows.
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: int


@dataclass(frozen=True)
class Half:
    """One half. `recurrent` takes all units' states, `input` the symbols seen, and both give rows of u, r and e; `hidden` gives 8 bits from 0."""

    recurrent: Product
    input: Product
    hidden: Product
    logits: Product

    @property
    def units(self) -> int:
        """Units of this half."""
        return len(self.recurrent.weights) // 3


@dataclass(frozen=True)
class Steps:
    """Both halves of a step."""

    coarse: Half
    fine: Half

    @property
    def units(self) -> int:
        """Units of the recurrent layer."""
        return 2 * self.coarse.units

    def save(self, path: Path) -> None:
        """Write as an .npz of plain arrays."""
        arrays = {}
        for half in HALVES:
            for product in fields(Half):
                for name, value in vars(getattr(getattr(self, half), product.name)).items():
                    arrays[f"{half}.{product.name}.{name}"] = np.asarray(value)
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> "Steps":
        """Raises VcompressError when the file is missing, damaged, or its arrays do not fit together."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                steps = cls(*(Half(*(_product(arrays, f"{half}.{p.name}") for p in fields(Half))) for half in HALVES))
        except Exception:  # the many ways in which a file is no archive of these arrays
            raise VcompressError(f"{path} does not hold the steps of a WaveRNN; export its run again with: vcompress export RUN --format loop.") from None
        if not _fit(steps):
            raise VcompressError(f"The matrices in {path} do not fit together; export its run again with: vcompress export RUN --format loop.")
        return steps


def _product(arrays: dict[str, np.ndarray], name: str) -> Product:
    types = {"weights": np.int8, "bias": np.int32, "multiplier": np.int32}
    found = {key: np.ascontiguousarray(arrays[f"{name}.{key}"]) for key in types}
    if any(found[key].dtype != dtype for key, dtype in types.items()):
        raise TypeError
    return Product(**found, shift=int(arrays[f"{name}.shift"]))


def _fit(steps: Steps) -> bool:
    n, rows = steps.coarse.units, 3 * steps.coarse.units
    for half, symbols in ((steps.coarse, 2), (steps.fine, 3)):
        hidden = len(half.hidden.weights)
        shapes = ((half.recurrent, (rows, 2 * n)), (half.input, (rows, symbols)), (half.hidden, (hidden, n)), (half.logits, (256, hidden)))
        for product, shape in shapes:
            vectors = product.bias.shape == product.multiplier.shape == shape[:1]
            if product.weights.shape != shape or not vectors or not 1 <= product.shift <= 62 or (product.multiplier < 0).any():
                return False
    return n > 0
