"""A memory of a target, and what has to lie in it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One thing that takes memory; `bytes` None with the reason where it is not known."""

    name: str
    bytes: int | None
    reason: str = ""


@dataclass(frozen=True)
class Budget:
    """A memory of the target: what has to lie in it, and what there is. `needed` counts what is known: with an unknown part it is a lower bound."""

    memory: str
    parts: tuple[Part, ...]
    available: float
    bound: str = ""

    @property
    def needed(self) -> int:
        """Bytes of the parts that are known."""
        return sum(part.bytes or 0 for part in self.parts)

    @property
    def known(self) -> bool:
        """Whether anything is known of what it has to hold."""
        return any(part.bytes is not None for part in self.parts)

    @property
    def fits(self) -> bool | None:
        """Whether what is known fits; None where nothing is known."""
        return self.needed <= self.available if self.known else None

    @property
    def times(self) -> float:
        """Needed over available."""
        return self.needed / self.available
