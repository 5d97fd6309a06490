"""What is synthesized while time and energy are taken: one mel that is the same everywhere, or the clips of a protocol, cut from recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import VcompressError
from ..runtime.front_ends import AnyFrontEnd, of_mels
from .references import References
from .workload import frames_of, steady_mel

# Presets of a bench: ten different clips of ten seconds, each timed once (Douwes 2023, Table 8)
PROTOCOLS: dict[str, dict[str, Any]] = {"papers": {"seconds": 10.0, "repeats": 10, "patience": float("inf")}}


@dataclass(frozen=True)
class Utterances:
    """What a run takes in turn. mels: float32 (n_mels, F), all of one length; recordings: hash of what they were cut from, "" where they were not."""

    mels: tuple[np.ndarray, ...]
    recordings: str = ""

    @classmethod
    def steady(cls, front_end: AnyFrontEnd, seconds: float) -> "Utterances":
        """The mel that is the same everywhere."""
        return cls((steady_mel(front_end, frames_of(front_end, seconds)),))

    @classmethod
    def of_protocol(cls, protocol: str, references: References | None, front_end: AnyFrontEnd) -> "Utterances":
        """The clips of a protocol. Raises VcompressError without recordings to cut them from, and for vocoders that are given notes."""
        front_end = of_mels(front_end, f"The protocol {protocol}")
        if references is None:
            raise VcompressError(f"The protocol {protocol} synthesizes recordings; give some with --data, and at least one with --clips.")
        preset = PROTOCOLS[protocol]
        length = frames_of(front_end, preset["seconds"]) * front_end.hop_length
        return cls(tuple(front_end.mel(clip) for clip in cut(references.waveforms, preset["repeats"], length)), references.identity)


def cut(recordings: Sequence[np.ndarray], count: int, length: int) -> list[np.ndarray]:
    """`count` clips of `length` samples from recordings float32 (T,) laid end to end: one behind the other, or, where there is too little for that, each
    beginning at another place and going round."""
    joined = np.concatenate(recordings)
    apart = min(length, max(1, len(joined) // count))
    return [joined[(index * apart + np.arange(length)) % len(joined)] for index in range(count)]
