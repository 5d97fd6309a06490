"""How sparse a pruned vocoder is, and in what shape: the part of a recipe's name that says so."""

import re
from dataclasses import dataclass
from typing import Literal

from ..errors import VcompressError

Block = tuple[int, int]  # rows and columns
LARGEST = 64  # rows or columns of a block
PATTERN = re.compile(r"(?<![a-z])(prune|channels)(\d{1,2}(?:\.\d)?)(?:_(\d{1,2})x(\d{1,2}))?((?:\.[a-z][a-z0-9]*)*)_")


@dataclass(frozen=True)
class Pruning:
    """`kind`: "prune" for weights that are zero, "channels" for channels that are gone. `percent`: of the weights of each matrix,
    or of the channels of each set that is tied together. Weights become zero in blocks of `block` rows and columns; `only` in layers
    with one of these words in their paths, in alphabetic order, where it is not empty.
    """

    kind: Literal["prune", "channels"]
    percent: float
    block: Block = (1, 1)
    only: tuple[str, ...] = ()

    @classmethod
    def of(cls, sparsity: float, structured: bool, block: str | None = None, only: tuple[str, ...] = ()) -> "Pruning":
        """That of a part between 0 and 1, to a tenth of a percent, and of a block such as "16x1". Raises VcompressError for what is none."""
        percent = round(100 * sparsity, 1) if 0 < sparsity < 1 else 0.0  # NaN is not between them
        if not 0 < percent < 100:
            raise VcompressError(f"A sparsity of {sparsity:g} is none; give a number from 0.001 to 0.999, such as 0.5.")
        if structured and (block is not None or only):
            raise VcompressError("Channels are whole and tied across layers; leave out --block and --only, or --structured.")
        for word in only:
            if not re.fullmatch(r"[a-z][a-z0-9]*", word):
                raise VcompressError(f"{word!r} is no part of a layer's name; give a word such as recurrent, and --only again for another.")
        return cls("channels" if structured else "prune", percent, parse_block("1x1" if block is None else block), tuple(sorted(set(only))))

    @classmethod
    def found(cls, match: re.Match[str]) -> "Pruning | None":
        """That of a name in which PATTERN was found; None where it says nothing."""
        kind, percent, rows, columns, only = match.groups()
        block = (int(rows), int(columns)) if rows else (1, 1)
        return cls("prune" if kind == "prune" else "channels", float(percent), block, tuple(sorted(set(only.split(".")[1:])))) if float(percent) else None

    @property
    def sparsity(self) -> float:
        """The part that goes, between 0 and 1."""
        return self.percent / 100

    def __str__(self) -> str:
        block = "" if self.block == (1, 1) else "_{}x{}".format(*self.block)
        return f"{self.kind}{self.percent:g}{block}{''.join(f'.{word}' for word in self.only)}"


def parse_block(text: str) -> Block:
    """Rows and columns of a block such as "16x1". Raises VcompressError for one that is none."""
    found = re.fullmatch(r"(\d{1,2})x(\d{1,2})", text.strip().lower())
    rows, columns = map(int, found.groups()) if found else (0, 0)
    if not (0 < rows <= LARGEST and 0 < columns <= LARGEST):
        raise VcompressError(f"{text!r} is no block of weights; give rows x columns from 1 to {LARGEST} each, such as 16x1.")
    return rows, columns
