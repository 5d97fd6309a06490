"""The same clip from every recipe, to hear and to see: FLAC, which every browser plays, and a small spectrogram, both inside the page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...errors import VcompressError
from ...runtime.audio import read_audio
from ...runtime.mel import stft
from ..rows import Row

SECONDS = 4.0  # of each clip: enough to hear what int8 does, and the page stays small
RATE = 16000
RANGE_DB = 75.0
COLUMNS, BANDS, COLOURS = 360, 128, 32


@dataclass(frozen=True)
class Player:
    """One clip from one source. `flac` and `png` are data URIs; where there is no sound they are empty and `reason` says why."""

    label: str
    flac: str = ""
    png: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Listening:
    """One vocoder's players for one clip, the recording first. `seconds` is how much of it the page holds."""

    name: str
    clip: str
    seconds: float
    players: tuple[Player, ...]


def listening(rows: Sequence[Row], workspace: Path) -> list[Listening]:
    """For each vocoder, the clip that most of its rows synthesized (the first by name), or nothing where none kept its audio."""
    found = []
    for name in dict.fromkeys(row.name for row in rows):
        mine = [row for row in rows if row.name == name and not row.folded]
        folder = _references(mine, workspace)
        clip = _common_clip(mine, folder, workspace)
        if clip is None:
            continue
        reference = _read(folder / clip) if folder else None
        loudest = float(_decibels(reference).max()) if reference is not None else None
        players = [_player("recording", folder / clip, loudest)] if folder else []
        players += [_player(row.recipe, _audio(row, workspace) / clip, loudest) for row in mine]
        found.append(Listening(name, Path(clip).stem, SECONDS, tuple(players)))
    return found


def _audio(row: Row, workspace: Path) -> Path:
    return workspace / "audio" / row.artifact


def _references(rows: Sequence[Row], workspace: Path) -> Path | None:
    hashes = dict.fromkeys(record.clips for row in rows for records in row.figures.values() for record in records if record.clips)
    return next((folder for clips in hashes if (folder := workspace / "audio" / f"reference-{clips}").is_dir()), None)


def _common_clip(rows: Sequence[Row], references: Path | None, workspace: Path) -> str | None:
    counts: dict[str, int] = {}
    for row in rows:
        for path in _audio(row, workspace).glob("*.wav"):
            counts[path.name] = counts.get(path.name, 0) + 1
    if references:
        counts = {clip: count for clip, count in counts.items() if (references / clip).is_file()} or counts
    return min(counts, key=lambda clip: (-counts[clip], clip)) if counts else None


def _read(path: Path) -> np.ndarray | None:
    try:
        return read_audio(path, RATE)[: int(SECONDS * RATE)]
    except VcompressError:
        return None


def _player(label: str, path: Path, loudest: float | None) -> Player:
    waveform = _read(path)
    if waveform is None:
        return Player(label, reason=f"no audio was kept at {path.parent.name}/{path.name}")
    return Player(label, _flac(waveform), _spectrogram(waveform, loudest))


def _flac(waveform: np.ndarray) -> str:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(waveform, -1, 1), RATE, subtype="PCM_16", format="FLAC")
    return f"data:audio/flac;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _decibels(waveform: np.ndarray) -> np.ndarray:
    """float (T,) at 16 kHz -> power in dB, (128, 360): bands of 62.5 Hz by columns of time."""
    power = np.abs(stft(waveform, 512, 128)) ** 2
    bands = power[: 2 * BANDS].reshape(BANDS, 2, -1).mean(axis=1)
    edges = np.linspace(0, bands.shape[1], COLUMNS + 1)
    columns = [bands[:, int(a) : max(int(b), int(a) + 1)].mean(axis=1) for a, b in pairwise(edges)]
    return np.asarray(10 * np.log10(np.stack(columns, axis=1) + 1e-10))


def _spectrogram(waveform: np.ndarray, loudest: float | None) -> str:
    """A palette PNG of 75 dB below the recording's loudest point, so that all players of a clip share one colour scale."""
    from matplotlib import colormaps
    from PIL import Image

    levels = _decibels(waveform)
    top = float(levels.max()) if loudest is None else loudest
    indices = np.clip((levels - top + RANGE_DB) / RANGE_DB * (COLOURS - 1), 0, COLOURS - 1).round().astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(indices[::-1]), mode="P")
    colours = colormaps["magma"](np.linspace(0, 1, COLOURS))[:, :3]
    image.putpalette((colours * 255).astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True, bits=5)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
