"""How an ONNX tensor lies in a TFLite file: convolutions there want channels last, and most movements of axes then cost nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ...errors import VcompressError
from ..lengths import Size

Sizes = tuple[Size, ...]


@dataclass(frozen=True)
class Value:
    """An ONNX tensor in the file. `tensor`: its index there; `shape`: its shape in ONNX.

    `order`: its ONNX axes from the outermost in memory to the innermost; where an axis of size 1 stands does not matter.
    `phases`: s where the memory holds channel c s + r of ONNX at r C + c, so that the interleave of a polyphase convolution moves nothing.
    """

    tensor: int
    shape: Sizes
    order: tuple[int, ...]
    phases: int = 1

    @property
    def memory(self) -> list[int]:
        """`order` without axes of size 1."""
        return without_units(self.shape, self.order)

    def widened(self, rank: int) -> "Value":
        """The same with leading axes of size 1, as ONNX broadcasts."""
        more = rank - len(self.shape)
        one = tuple(1 for _ in self.shape[0]) if self.shape else (1, 1)
        return Value(self.tensor, (one,) * more + self.shape, (*range(more), *(axis + more for axis in self.order)), self.phases)

    def transposed(self, perm: Sequence[int]) -> "Value":
        """Other names for the axes; nothing moves."""
        return Value(self.tensor, tuple(self.shape[axis] for axis in perm), tuple(perm.index(axis) for axis in self.order), self.phases)


def without_units(shape: Sizes, order: Sequence[int]) -> list[int]:
    """The axes of `order` whose size is not 1."""
    return [axis for axis in order if set(shape[axis]) != {1}]


def channels_last(rank: int) -> tuple[int, ...]:
    """(B, C, T) as B, T, C; (B, C, H, T) as B, H, T, C."""
    return (0, *range(2, rank), 1)


def labels(order: Sequence[int]) -> list[int | None]:
    """The axes of the file's tensor: those of `order`, three of them with a height of 1 (None)."""
    return [order[0], None, *order[1:]] if len(order) == 3 else list(order)


def sizes_of(shape: Sizes, order: Sequence[int]) -> Sizes:
    """The file's shape of a tensor that lies in `order`."""
    one = tuple(1 for _ in shape[0]) if shape else ()
    return tuple(one if axis is None else shape[axis] for axis in labels(order))


def groups(shape: Sizes, target: Sizes) -> list[tuple[list[int], list[int]]]:
    """The axes of `shape` that a reshape to `target` makes into which of its axes. Raises VcompressError when the shapes do not fit."""
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(shape) and j < len(target):
        ins, outs = [i], [j]
        i, j = i + 1, j + 1
        while (before := _product(shape, ins)) != (after := _product(target, outs)):
            if before[0] <= after[0] and i < len(shape):
                ins.append(i)
                i += 1
            elif j < len(target):
                outs.append(j)
                j += 1
            else:
                raise VcompressError(f"A reshape of {shape} to {target} mixes sizes that follow the frames, which TFLite cannot; export to ONNX only.")
        found.append((ins, outs))
    rest = (list(range(i, len(shape))), list(range(j, len(target))))
    return [*found, rest] if any(rest) else found


def together(value: Value, parts: list[tuple[list[int], list[int]]]) -> tuple[int, ...]:
    """The order closest to a value's own in which the axes of each part lie side by side."""
    part_of = {axis: ins for ins, _ in parts for axis in ins}
    order: list[int] = []
    for axis in value.order:
        if axis not in order:
            order += part_of[axis] if axis in value.memory else [axis]
    return tuple(dict.fromkeys(order))


def regrouped(value: Value, target: Sizes, parts: list[tuple[list[int], list[int]]]) -> Value:
    """A value whose parts lie together, with the axes of `target`."""
    order: list[int] = []
    for axis in value.memory:
        outs = next(outs for ins, outs in parts if axis in ins)
        fresh = [out for out in outs if out not in order]
        order += reversed(fresh) if value.phases > 1 and axis == 1 else fresh
    units = [axis for axis in range(len(target)) if axis not in order]
    return Value(value.tensor, target, (*units, *order))


def _product(shape: Sizes, axes: list[int]) -> Size:
    return tuple(prod(column) for column in zip(*(shape[axis] for axis in axes), strict=True))
