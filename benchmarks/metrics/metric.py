"""What a quality metric is: a name, a unit, a sense, a function, and the package it needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np

from ..figure import Figure, absent

Sense = Literal["lower", "higher"]
ClipFunction = Callable[[np.ndarray, np.ndarray, int], float]
SetFunction = Callable[[Sequence[np.ndarray], Sequence[np.ndarray], int], float]


@dataclass(frozen=True)
class _Described:
    """`sense`: which way is better; method: one sentence for the record; package: what has to be installed, "" for numpy alone; `speech`: it judges
    speech alone."""

    name: str
    unit: str
    sense: Sense
    method: str
    package: str = ""
    speech: bool = False

    @property
    def missing(self) -> str:
        """Why the figure cannot be had on this machine; "" when it can."""
        return "" if not self.package or find_spec(self.package) else f"{self.package} is not installed; run: pip install 'vcompress[quality]'"


@dataclass(frozen=True, kw_only=True)
class Metric(_Described):
    """One figure of quality, clip by clip.

    function: (reference, output, rate in Hz) -> float; waveforms are float (T,) in [-1, 1], of one length and level.
    """

    function: ClipFunction

    def figure(self, references: Sequence[np.ndarray], outputs: Sequence[np.ndarray], rate: int, names: Sequence[str]) -> Figure:
        """The mean over the clips with one sample a clip; absent, with the first reason, as soon as one clip has none.

        A mean over the clips that happened to work would not be comparable with another artifact's.
        """
        if self.missing:
            return absent(self.missing)
        samples = []
        for reference, output, name in zip(references, outputs, names, strict=True):
            try:
                value = float(self.function(reference, output, rate))
            except Exception as error:  # whatever a metric's package raises is a reason, not a crash
                return absent(f"{self.name} failed on clip {name}: {explain(error)}", len(references))
            if not np.isfinite(value):
                return absent(f"{self.name} of clip {name} is {value}", len(references))
            samples.append(value)
        return Figure.mean_of(samples)


@dataclass(frozen=True, kw_only=True)
class SetMetric(_Described):
    """A figure of the whole set of clips (a distance between distributions); it has no samples. function: as in Metric, of lists."""

    function: SetFunction

    def figure(self, references: Sequence[np.ndarray], outputs: Sequence[np.ndarray], rate: int, names: Sequence[str]) -> Figure:
        """The figure over all clips, or its absence with the reason."""
        if self.missing:
            return absent(self.missing)
        try:
            value = float(self.function(references, outputs, rate))
        except Exception as error:  # as above
            return absent(f"{self.name} failed: {explain(error)}", len(references))
        return Figure(value, repeats=len(references)) if np.isfinite(value) else absent(f"{self.name} is {value}", len(references))


def explain(error: Exception) -> str:
    """The words of an exception; pesq gives bytes."""
    words = error.args[0] if error.args else ""
    return words.decode() if isinstance(words, bytes) else str(words) or type(error).__name__
