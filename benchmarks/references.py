"""The reference clips of a benchmark: the recordings as the vocoder's front end heard them, and the hash that names them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..runtime.audio import resample, write_audio
from ..runtime.files import sha256
from ..runtime.front_ends import AnyFrontEnd
from ..runtime.notes import Note, NoteFrontEnd
from ..vocoders.corpus import Clip, read_recording

RATE = 16000  # all quality is computed at this rate, output and reference resampled alike


@dataclass(frozen=True)
class References:
    """Clips at the front end's rate and level, whole frames only.

    names: one file name a clip, without suffix; waveforms: float32 (T,); identity: hash of content and level, 16 hex digits; notes: which
    note each is of, where that is known.
    """

    names: tuple[str, ...]
    waveforms: tuple[np.ndarray, ...]
    sample_rate: int
    identity: str
    notes: tuple[Note | None, ...] = ()

    def conditions(self, front_end: AnyFrontEnd) -> list[np.ndarray]:
        """What a vocoder is given of each clip: float32 (channels, F)."""
        notes = self.notes or (None,) * len(self.waveforms)
        return [front_end.condition(waveform, note) for waveform, note in zip(self.waveforms, notes, strict=True)]

    @cached_property
    def judged(self) -> tuple[np.ndarray, ...]:
        """The clips as the metrics see them: float32 (T,) at 16 kHz."""
        return tuple(resample(waveform, self.sample_rate, RATE) for waveform in self.waveforms)


def heard_by(front_end: AnyFrontEnd, clips: Sequence[Clip]) -> list[Clip]:
    """Those of the clips that suit a vocoder: notes where it is given notes, else speech, and where there is none, all."""
    notes = [clip for clip in clips if clip.note is not None]
    if isinstance(front_end, NoteFrontEnd):
        return notes
    return [clip for clip in clips if clip.note is None] or notes


def read_references(clips: Sequence[Clip], front_end: AnyFrontEnd) -> References:
    """Read the clips. Two front ends that differ in the level, or in a band below 8 kHz, give other references and another hash."""
    content: dict[str, object] = {"files": [sha256(clip.path) for clip in clips], "level_db": front_end.level_db}
    content["sample_rate"] = min(front_end.sample_rate, RATE)
    if front_end.peak is not None:
        content["peak"] = front_end.peak
    if isinstance(front_end, NoteFrontEnd):
        content["frames"] = front_end.frames
    identity = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    read = [read_recording(clip, front_end) for clip in clips]
    waveforms, notes = tuple(recording.waveform for recording in read), tuple(recording.note for recording in read)
    return References(distinct_names(clips), waveforms, front_end.sample_rate, identity, notes)


def distinct_names(clips: Sequence[Clip]) -> tuple[str, ...]:
    """The stems; where folders share one, the later get a number."""
    names: list[str] = []
    for clip in clips:
        stem, name, count = clip.path.stem, clip.path.stem, 1
        while name in names:
            count += 1
            name = f"{stem}-{count}"
        names.append(name)
    return tuple(names)


def write_clips(folder: Path, names: Sequence[str], waveforms: Sequence[np.ndarray], sample_rate: int) -> None:
    """`folder`/<name>.wav for each clip, for the players of the report; NaN becomes silence."""
    for name, waveform in zip(names, waveforms, strict=True):
        write_audio(folder / f"{name}.wav", np.nan_to_num(waveform), sample_rate)
