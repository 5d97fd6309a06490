"""Matrices as the compiled loop reads them: panels of 16 rows, each a list of blocks of four columns."""

from dataclasses import dataclass

import numpy as np

from .steps import Product

ROWS, COLUMNS = 16, 4
DENSE = 0.36  # of the columns of the panels: where more are left, to pick the inputs costs more than to multiply by zeros (measured with AVX-512)


@dataclass(frozen=True)
class Panels:
    """weights: int8 (blocks, 16, 4); starts: int32 (panels + 1,), the first block of each panel; columns: uint16 (blocks, 4), None where all are there.

    bias, bias_signed, multiplier: int32 (16 panels,), for inputs from 0 to 255 and for the same less 128. `picked`: most inputs that a panel picks.
    """

    weights: np.ndarray
    starts: np.ndarray
    columns: np.ndarray | None
    bias: np.ndarray
    bias_signed: np.ndarray
    multiplier: np.ndarray
    shift: int
    picked: int

    @classmethod
    def of(cls, product: Product, zero_point: int, dense: bool = False) -> "Panels":
        """A product whose inputs have this zero point; columns of zeros in a panel are left out where that pays, unless `dense`."""
        rows, columns = product.weights.shape
        count = -(-rows // ROWS)
        padded = np.zeros((count * ROWS, -(-columns // COLUMNS) * COLUMNS), np.int8)
        padded[:rows, :columns] = product.weights
        panels = padded.reshape(count, ROWS, -1)
        held = np.asarray(panels.any(1))
        if dense or held[:, :columns].mean() > DENSE:
            held = np.ones_like(held)
        kept = [np.flatnonzero(row) for row in held]
        kept = [np.append(k, np.zeros(-len(k) % COLUMNS, k.dtype)) for k in kept]
        blocks = [panel[:, k] for panel, k in zip(panels, kept, strict=True)]
        for block, row in zip(blocks, held, strict=True):
            block[:, int(row.sum()) :] = 0  # what fills the last block up
        starts = np.concatenate([[0], np.cumsum([len(k) // COLUMNS for k in kept])]).astype(np.int32)
        weights = np.concatenate([block.reshape(ROWS, -1, COLUMNS).transpose(1, 0, 2) for block in blocks])
        sums = padded.sum(1, dtype=np.int32)
        bias, multiplier = np.zeros((2, count * ROWS), np.int32)
        bias[:rows], multiplier[:rows] = product.bias, product.multiplier
        bias -= zero_point * sums
        return cls(
            np.ascontiguousarray(weights),
            starts,
            None if held.all() else np.concatenate(kept).astype(np.uint16).reshape(-1, COLUMNS),
            bias,
            bias + 128 * sums,
            multiplier,
            product.shift,
            0 if held.all() else max(map(len, kept)),
        )

    @property
    def bytes(self) -> int:
        """Of weights and columns."""
        return self.weights.nbytes + (0 if self.columns is None else self.columns.nbytes)
