"""The demo notes: eight instruments that are computed here, additive ones and plucked strings, in NSynth layout; made once into the user's cache.

As in NSynth a note has four seconds at 16 kHz: it is held for three and then let go. A harder touch is louder and brighter.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import VcompressError
from ..runtime.audio import write_audio
from ..runtime.files import cache_folder
from ..runtime.notes import Note
from ..runtime.random import RandomStream
from .nsynth import AUDIO, is_nsynth, write_examples

SAMPLE_RATE, SECONDS, HELD = 16000, 4.0, 3.0
PITCHES, VELOCITIES = tuple(range(48, 73)), (50, 100, 127)
RELEASE = 0.08  # seconds after which what was let go has fallen to 1/e
PEAK = 0.5  # of the loudest touch


@dataclass(frozen=True)
class Additive:
    """Partials. `levels`: amplitude of each; `ratios`: their frequencies, None for harmonics; `attack` in seconds, `decay`: seconds to 1/e of the
    first partial, None for a tone that is held; the k-th falls `damping` k times faster. `vibrato`: part of a semitone, at 5 Hz; `breath`: level of noise.
    """

    levels: tuple[float, ...]
    ratios: tuple[float, ...] | None = None
    attack: float = 0.02
    decay: float | None = None
    damping: float = 0.0
    vibrato: float = 0.0
    breath: float = 0.0

    def play(self, frequency: float, hardness: float, time: np.ndarray, draw: RandomStream) -> np.ndarray:
        """float64 (T,); `hardness` 0 to 1; `draw`: where noise comes from."""
        phase = 2 * np.pi * frequency * (time - np.cos(2 * np.pi * 5 * time) * self.vibrato * (2 ** (1 / 12) - 1) / (2 * np.pi * 5))
        sound = np.zeros_like(time)
        for k, (level, ratio) in enumerate(zip(self.levels, self.ratios or range(1, len(self.levels) + 1), strict=True)):
            if frequency * ratio < 0.48 * SAMPLE_RATE:
                brightness = hardness ** (0.15 * k)
                falling = np.exp(-time / self.decay * (1 + self.damping * k)) if self.decay else 1 - np.exp(-time / (self.attack * (1 + 0.3 * k)))
                sound += level * brightness * falling * np.sin(ratio * phase)
        if self.breath:
            sound += self.breath * np.convolve(draw.normal(time.shape), [0.25, 0.5, 0.25], "same") * (1 - np.exp(-time / self.attack))
        return sound * np.minimum(1.0, time / 0.003)


@dataclass(frozen=True)
class Plucked:
    """A string after Karplus and Strong (1983). `sustain`: what a period leaves of the one before, `softness`: how dull the pluck is, 0 to 1."""

    sustain: float = 0.998
    softness: float = 0.3

    def play(self, frequency: float, hardness: float, time: np.ndarray, draw: RandomStream) -> np.ndarray:
        """See Additive."""
        period = SAMPLE_RATE / frequency - 0.5  # the mean of two samples delays by half of one
        whole = int(period)
        taps = self.sustain * np.convolve([0.5, 0.5], [1 - (period - whole), period - whole])
        pluck = draw.normal((whole,)).astype(np.float64)
        pluck -= pluck.mean()
        for _ in range(round(1 + 8 * self.softness * (1.2 - hardness))):
            pluck = 0.5 * (pluck + np.roll(pluck, 1))
        string = np.zeros(2 * whole + len(time))
        string[whole : 2 * whole] = pluck
        for start in range(2 * whole, len(string), whole):
            before = string[start - whole - 2 : start]
            block = taps[0] * before[2:] + taps[1] * before[1:-1] + taps[2] * before[:-2]
            string[start : start + whole] = block[: len(string) - start]
        return string[whole : whole + len(time)]


INSTRUMENTS: dict[str, Additive | Plucked] = {
    "organ_additive": Additive((1, 0.8, 0.6, 0.5, 0.0, 0.35, 0.0, 0.3)),
    "flute_additive": Additive((1, 0.35, 0.12, 0.05), attack=0.06, vibrato=0.3, breath=0.03),
    "brass_additive": Additive(tuple(1 / k**0.8 for k in range(1, 15)), attack=0.04),
    "reed_additive": Additive(tuple((1 if k % 2 else 0.08) / k**0.9 for k in range(1, 16)), attack=0.03, breath=0.01),
    "bell_additive": Additive((0.6, 1, 0.7, 0.5, 0.4), ratios=(0.5, 1, 1.19, 2.0, 2.74), decay=1.5, damping=0.6),
    "mallet_additive": Additive((1, 0.4, 0.2), ratios=(1, 3.93, 9.2), decay=0.5, damping=2.0),
    "guitar_plucked": Plucked(0.998, 0.2),
    "harp_plucked": Plucked(0.999, 0.8),
}


def play(instrument: int, pitch: int, velocity: int) -> np.ndarray:
    """One note of the demo instruments, float32 (64000,) at 16 kHz."""
    time = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    name, hardness = list(INSTRUMENTS)[instrument], velocity / 127
    sound = INSTRUMENTS[name].play(440 * 2 ** ((pitch - 69) / 12), hardness, time, RandomStream(1000 * instrument + pitch))
    sound *= np.where(time < HELD, 1.0, np.exp(-(time - HELD) / RELEASE))
    return (PEAK * hardness * sound / np.abs(sound).max()).astype(np.float32)


def demo_notes_folder() -> Path:
    """Where they are kept, in the user's cache."""
    return cache_folder() / "demo-notes"


def make_demo_notes(
    folder: Path | None = None,
    instruments: Sequence[int] = range(len(INSTRUMENTS)),
    pitches: Sequence[int] = PITCHES,
    velocities: Sequence[int] = VELOCITIES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """The folder of the notes; computes them first when it is not there. `progress(done, total)` counts notes.

    Raises VcompressError where it cannot be written.
    """
    folder = folder or demo_notes_folder()
    if is_nsynth(folder):
        return folder
    names = list(INSTRUMENTS)
    notes = [Note(i, pitch, velocity, names[i]) for i in instruments for pitch in pitches for velocity in velocities]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".demo-notes-") as temporary:
            made = []
            for index, note in enumerate(notes):
                made.append((f"{note.name}_{note.instrument:03d}-{note.pitch:03d}-{note.velocity:03d}", note))
                (Path(temporary) / AUDIO).mkdir(exist_ok=True)
                write_audio(Path(temporary) / AUDIO / f"{made[-1][0]}.wav", play(note.instrument, note.pitch, note.velocity), SAMPLE_RATE)
                progress(index + 1, len(notes))
            write_examples(Path(temporary), made, SAMPLE_RATE)
            shutil.rmtree(folder, ignore_errors=True)
            Path(temporary).rename(folder)
            Path(temporary).mkdir()  # for the context manager to remove
    except OSError as error:
        raise VcompressError(f"The demo notes cannot be written to {folder} ({error.strerror}); set XDG_CACHE_HOME to a place with 80 MB.") from None
    return folder
