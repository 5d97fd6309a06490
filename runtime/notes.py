"""Notes, and the front end of a vocoder that is given a note instead of a mel: which number stands for which instrument, pitch and velocity."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ..errors import VcompressError


@dataclass(frozen=True)
class Note:
    """What is played: `instrument` by its number in the data set, `pitch` and `velocity` as in MIDI; `name`: the instrument's, where the data set tells it."""

    instrument: int
    pitch: int
    velocity: int
    name: str = ""


@dataclass(frozen=True)
class NoteFrontEnd:
    """The notes that a vocoder knows; travels with the model. A note's *codes* are its places in these three lists.

    A note lasts `frames` frames of `hop_length` samples at most. `names`: of the instruments, as many as these, or none.
    Recordings of notes keep the level that they have.
    """

    instruments: tuple[int, ...]
    pitches: tuple[int, ...]
    velocities: tuple[int, ...]
    names: tuple[str, ...] = ()
    sample_rate: int = 16000
    hop_length: int = 256
    frames: int = 250
    kind: str = "note"

    level_db: ClassVar[float | None] = None
    peak: ClassVar[float | None] = None
    channels: ClassVar[int] = 3

    def __post_init__(self) -> None:
        for name in ("instruments", "pitches", "velocities", "names"):  # JSON has no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))
        numbers = (self.sample_rate, self.hop_length, self.frames)
        if self.kind != "note" or not all(isinstance(number, int) and number > 0 for number in numbers):
            raise VcompressError("A front end of notes needs a sample_rate, hop_length and frames that are whole and positive; check the configuration.")
        for known in self._lists.values():
            if not known or len(set(known)) != len(known) or not all(isinstance(number, int) and number >= 0 for number in known):
                raise VcompressError("A front end of notes needs instruments, pitches and velocities, each number once; check the configuration.")
        if self.names and (len(self.names) != len(self.instruments) or not all(isinstance(name, str) for name in self.names)):
            raise VcompressError("A front end of notes has as many names as instruments, or none; check the configuration.")

    @property
    def _lists(self) -> dict[str, tuple[int, ...]]:
        return {"instrument": self.instruments, "pitch": self.pitches, "velocity": self.velocities}

    def codes(self, note: Note, frames: int | None = None) -> np.ndarray:
        """What the vocoder is given: float32 (3, frames), the note's codes in every frame; as many frames as a note may last unless given.

        Raises VcompressError for a number that this vocoder does not know, or more frames than a note may last.
        """
        frames = self.frames if frames is None else frames
        if not 0 < frames <= self.frames:
            raise VcompressError(f"A note of this vocoder lasts up to {self.frames * self.hop_length / self.sample_rate:g} s; ask for no more.")
        found = []
        for what, known in self._lists.items():
            number = getattr(note, what)
            if number not in known:
                raise VcompressError(f"This vocoder has no {what} {number}; choose of {spans(known)}.")
            found.append(known.index(number))
        return np.repeat(np.array(found, np.float32)[:, None], frames, 1)

    def note(self, instrument: str, pitch: int, velocity: int) -> Note:
        """A note of an instrument that is called by number or name. Raises VcompressError for a name that this vocoder does not know."""
        if instrument in self.names:
            return Note(self.instruments[self.names.index(instrument)], pitch, velocity, instrument)
        if not instrument.isdecimal():
            known = [spans(self.instruments), *self.names[:12]]
            raise VcompressError(f"This vocoder has no instrument {instrument!r}; choose of {', '.join(known)}.")
        return Note(int(instrument), pitch, velocity)

    def condition(self, waveform: np.ndarray, note: Note | None = None) -> np.ndarray:
        """Codes of the note that a recording is of, for as many frames as it has. Raises VcompressError where no note is told."""
        if note is None:
            raise VcompressError("This vocoder is given notes, and nothing tells which note a recording is; give a folder in NSynth layout (examples.json).")
        return self.codes(note, min(self.frames, len(waveform) // self.hop_length))

    def knowing(self, notes: Iterable[Note]) -> "NoteFrontEnd":
        """The front end that knows what these notes are made of. Raises VcompressError where there is none."""
        notes = list(notes)
        if not notes:
            raise VcompressError("This vocoder is trained on notes, and the folders tell of none; give folders in NSynth layout (examples.json and audio/).")
        names = {note.instrument: note.name for note in notes}
        instruments = sorted(names)
        named = tuple(names[number] for number in instruments) if all(names.values()) else ()
        pitches, velocities = (tuple(sorted({getattr(note, what) for note in notes})) for what in ("pitch", "velocity"))
        return replace(self, instruments=tuple(instruments), pitches=pitches, velocities=velocities, names=named)

    @property
    def example(self) -> Note:
        """One of its notes."""
        return Note(self.instruments[0], self.pitches[0], self.velocities[0])

    def fit(self, waveform: np.ndarray) -> np.ndarray:
        """A recording as long as a note lasts, from its beginning: cut, or silent at the end."""
        length = self.frames * self.hop_length
        return np.pad(waveform[:length], (0, max(0, length - len(waveform))))

    def excerpt(self, waveform: np.ndarray, seconds: float) -> np.ndarray:
        """All of it: a note is what it is from beginning to end, and its end is reached through its beginning."""
        return waveform

    def check(self, condition: np.ndarray) -> np.ndarray:
        """The condition as float32 (3, F). Raises VcompressError for what are no codes of a note."""
        condition = np.asarray(condition, np.float32)
        if condition.ndim != 2 or len(condition) != self.channels or not 0 < condition.shape[1] <= self.frames:
            raise VcompressError(f"The codes have shape {condition.shape}, this vocoder needs (3, up to {self.frames}); give the note by its numbers.")
        for row, (what, known) in zip(condition, self._lists.items(), strict=True):
            if not (np.isin(row, np.arange(len(known))).all() and (row == row[0]).all()):
                raise VcompressError(f"The codes of the {what} are not one number below {len(known)}; give the note by its numbers.")
        return condition

    def gain(self, waveform: np.ndarray) -> float:
        """1: notes keep their level."""
        return 1.0

    def facts(self) -> dict[str, Any]:
        """What tells it from others: all of it but the names."""
        return {name: value for name, value in asdict(self).items() if name != "names"}


def spans(numbers: Sequence[int]) -> str:
    """Numbers for people: 48 to 72, or 25, 75, 127."""
    ordered = sorted(numbers)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered))
