"""Where buffers that live for a while lie in one block of memory, so that those that live together do not overlap."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SHUFFLES = 64  # orders tried beside the named ones, where none of those reaches the lower bound


@dataclass(frozen=True)
class Buffer:
    """So many bytes from moment `first` to moment `last`, both included, at a multiple of `align`."""

    name: str
    bytes: int
    first: int
    last: int
    align: int = 1

    def meets(self, other: "Buffer") -> bool:
        """Whether both are alive at some moment."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Arena:
    """offsets: of each buffer; bytes: of the block; lower_bound: the most that is alive at one moment, which no placement can do with less."""

    offsets: tuple[int, ...]
    bytes: int
    lower_bound: int


# The orders of Pisarchyk and Lee 2020 (greedy by size, by breadth is the third) and some more; each places a buffer as low as it can lie
ORDERS: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
    lambda b: (-b.bytes, b.first),
    lambda b: (b.first, -b.bytes),
    lambda b: (b.first - b.last, -b.bytes),
    lambda b: (-b.bytes * (b.last - b.first + 1), b.first),
    lambda b: (-b.last, -b.bytes),
)


def place(buffers: Sequence[Buffer]) -> Arena:
    """The smallest of several greedy placements, the same for the same buffers."""
    bound = lower_bound(buffers)
    orders = [sorted(range(len(buffers)), key=lambda i, order=order: (order(buffers[i]), i)) for order in ORDERS]  # type: ignore[misc]
    best = min((_greedy(buffers, order) for order in orders), key=_bytes(buffers))
    draw = random.Random(0)
    for _ in range(SHUFFLES):
        if _bytes(buffers)(best) <= bound:
            break
        order = orders[0][:]
        draw.shuffle(order)
        best = min(best, _greedy(buffers, order), key=_bytes(buffers))
    return Arena(tuple(best), _bytes(buffers)(best), bound)


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The most bytes that are alive at one moment."""
    return max((sum(b.bytes for b in buffers if b.first <= moment <= b.last) for moment in {b.first for b in buffers}), default=0)


def _bytes(buffers: Sequence[Buffer]) -> Callable[[list[int]], int]:
    return lambda offsets: max((offset + b.bytes for offset, b in zip(offsets, buffers, strict=True)), default=0)


def _greedy(buffers: Sequence[Buffer], order: Sequence[int]) -> list[int]:
    """Each buffer in the lowest gap that holds it, in this order."""
    offsets = [-1] * len(buffers)
    for index in order:
        buffer, at = buffers[index], 0
        taken = sorted((offsets[i], offsets[i] + other.bytes) for i, other in enumerate(buffers) if offsets[i] >= 0 and other.meets(buffer))
        for low, high in taken:
            if at + buffer.bytes <= low:
                break
            at = max(at, -(-high // buffer.align) * buffer.align)
        offsets[index] = at
    return offsets
