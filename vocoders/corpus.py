"""A folder of recordings as a corpus: clips, prompt keys, and a split that keeps every take of a prompt on one side."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import VcompressError
from ..runtime.audio import AUDIO_SUFFIXES, read_audio
from ..runtime.front_ends import AnyFrontEnd
from ..runtime.mel import FrontEnd
from ..runtime.notes import Note
from .nsynth import is_nsynth, read_nsynth

TAKE_PATTERN = r"_\d+$"


@dataclass(frozen=True)
class Clip:
    """One recording; `key` names its prompt (the file's stem without the take number). `note`: which note it is of, where the data set tells it."""

    path: Path
    key: str
    note: Note | None = None


@dataclass(frozen=True)
class Recording:
    """A clip as the vocoder hears it: waveform float32 (T,), and the note."""

    waveform: np.ndarray
    note: Note | None = None


@dataclass(frozen=True)
class Split:
    """Which prompts are held out: a function of the prompt key alone.

    `take_pattern` is the part of a stem that names the take; `validation` a pattern of held-out keys. Without one, a key
    is held out when its SHA-256 falls in the first `fraction` of the range.
    """

    take_pattern: str = TAKE_PATTERN
    validation: str | None = None
    fraction: float = 0.05

    def __post_init__(self) -> None:
        for pattern in (self.take_pattern, self.validation or ""):
            try:
                re.compile(pattern)
            except re.error as error:
                raise VcompressError(f"{pattern!r} is not a regular expression ({error}); correct the pattern.") from None
        if not 0 < self.fraction < 1:
            raise VcompressError(f"A validation fraction of {self.fraction} leaves one side empty; choose one between 0 and 1.")

    def key(self, stem: str) -> str:
        """Prompt key of a file stem."""
        return (re.sub(self.take_pattern, "", stem) if self.take_pattern else stem) or stem

    def holds_out(self, key: str) -> bool:
        """Whether the prompt belongs to the validation part."""
        if self.validation is not None:
            return re.search(self.validation, key) is not None
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) < self.fraction * 2**64


@dataclass(frozen=True)
class Corpus:
    """The clips of one or more folders, parted by prompt."""

    training: tuple[Clip, ...]
    validation: tuple[Clip, ...]


def read_corpus(folders: Iterable[str | Path], split: Split | None = None) -> Corpus:
    """Clips below the folders (LJ Speech or NSynth layout, or any tree of WAV and FLAC), in a stable order, split by prompt key.

    Raises VcompressError when a folder is missing or empty, or the split leaves a side without clips.
    """
    split = split or Split()
    training: list[Clip] = []
    validation: list[Clip] = []
    paths = [Path(folder) for folder in folders]
    for folder in paths:
        clips = list(find_clips(folder, split))
        if len(clips) > 1 and len({clip.key for clip in clips}) == 1:  # the number names the prompt here, not the take
            clips = [replace(clip, key=clip.path.stem) for clip in clips]
        for clip in clips:
            (validation if split.holds_out(clip.key) else training).append(clip)
    if not training or not validation:
        side = "training" if not training else "validation"
        names = ", ".join(str(folder) for folder in paths)
        raise VcompressError(f"The split leaves no {side} clips in {names}; give --validation PATTERN or another --take-pattern, or more recordings.")
    return Corpus(tuple(training), tuple(validation))


def find_clips(folder: Path, split: Split) -> Iterable[Clip]:
    """Every WAV and FLAC below `folder`, sorted by path; names that start with a dot are passed over. In NSynth layout the notes, whose key is
    instrument and pitch: takes of one are the velocities."""
    if not folder.is_dir():
        raise VcompressError(f"There is no folder {folder}; give a folder of recordings.")
    if is_nsynth(folder):
        return [Clip(path, f"{note.name or note.instrument}-{note.pitch:03d}", note) for path, note in read_nsynth(folder)]
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and not p.name.startswith("."))
    if not paths:
        raise VcompressError(f"{folder} holds no WAV or FLAC file; give a folder of recordings.")
    return (Clip(path, split.key(path.stem)) for path in paths)


def read_clip(clip: Clip, front_end: AnyFrontEnd) -> np.ndarray:
    """A clip as the vocoder hears it: float32 (T,), resampled, brought to the front end's level, whole frames only; a note as long as a note lasts."""
    waveform = read_audio(clip.path, front_end.sample_rate)
    if len(waveform) < front_end.hop_length:
        raise VcompressError(f"{clip.path} is shorter than one frame of {front_end.hop_length} samples; remove it from the corpus.")
    waveform = front_end.fit(waveform)
    return (waveform * front_end.gain(waveform)).astype(np.float32)


def read_recording(clip: Clip, front_end: AnyFrontEnd) -> Recording:
    """A clip with its note. Raises VcompressError where the vocoder is given notes, and this is of none or of one that it does not know."""
    recording = Recording(read_clip(clip, front_end), clip.note)
    try:
        front_end.condition(recording.waveform[: front_end.hop_length], clip.note)
    except VcompressError as error:
        raise VcompressError(f"{clip.path}: {error}") from None
    return recording


def fit_normalisation(front_end: FrontEnd, waveforms: Sequence[np.ndarray]) -> FrontEnd:
    """The front end with the extremes of the training waveforms (the minimum starts from 0, as in the public code)."""
    extremes = [(float(mel.min()), float(mel.max())) for mel in map(front_end.log_mel, waveforms)]
    return replace(front_end, minimum=min(0.0, *(low for low, _ in extremes)), maximum=max(high for _, high in extremes))
