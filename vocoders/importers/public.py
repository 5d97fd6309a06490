"""What an importer is: it knows one family of one code base, and says what a file of it needs to become a checkpoint here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import VcompressError
from ...runtime.front_ends import AnyFrontEnd
from ...runtime.mel import FrontEnd
from ..folding import State
from .settings import Settings


@dataclass(frozen=True)
class PublicFile:
    """A file that was read. `content`: all of it; `state`: its generator, weight norm folded, by the names it has there."""

    path: Path
    content: Any
    state: State

    def has(self, *prefixes: str) -> bool:
        """Whether for each prefix some tensor's name starts with it."""
        return all(any(key.startswith(prefix) for key in self.state) for prefix in prefixes)

    def shape(self, key: str) -> tuple[int, ...]:
        """A tensor's shape. Raises VcompressError when there is no such tensor."""
        if key not in self.state:
            raise VcompressError(f"{self.path} has no {key}, which such a network has; copy the checkpoint again.")
        return tuple(self.state[key].shape)

    def fact(self, key: str) -> Any:
        """What the trainer wrote beside the weights, or None."""
        return self.content.get(key) if isinstance(self.content, Mapping) else None


@dataclass(frozen=True)
class Said:
    """What the user says beside the file. `size`: one of the family's; `statistics`, `schedule`: files of them; `mel_maximum`: of the
    thesis's normalisation; `public_defaults`: what the configuration does not say is as the code base has it."""

    config: Settings | None = None
    size: str | None = None
    statistics: Path | None = None
    sample_rate: int | None = None
    mel_maximum: float | None = None
    schedule: Path | None = None
    public_defaults: bool | None = None


@dataclass(frozen=True)
class Found:
    """What a file turned out to be. `layers`: path of each layer there -> here; `state`: where it is not the file's as it is;
    `sampler`: settings of the family's sampler that this model has otherwise; `betas`: of its training, where they are not the family's."""

    config: Any
    front_end: AnyFrontEnd
    layers: Mapping[str, str]
    steps: int = 0
    state: State | None = None
    sampler: Mapping[str, Any] | None = None
    betas: tuple[float, ...] = ()


@dataclass(frozen=True)
class Importer:
    """One family of one code base. `recognises(file)`: whether the names in a file are its own; `read` raises VcompressError
    for what cannot be known or does not fit. `takes`: what of Said it heeds; the rest is refused, not passed over."""

    code_base: str
    family: str
    recognises: Callable[[PublicFile], bool]
    read: Callable[[PublicFile, Said], Found]
    takes: tuple[str, ...] = ()


def with_rate(front_end: FrontEnd, rate: int | None) -> FrontEnd:
    """The code base's front end, at another rate where that is known."""
    return front_end if rate is None else front_end.at_rate(rate)
