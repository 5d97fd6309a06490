"""A data set of notes in NSynth layout: `examples.json`, which tells what each note is, and `audio/` with a WAV of each."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from ..runtime.files import write_text
from ..runtime.notes import Note

EXAMPLES, AUDIO = "examples.json", "audio"


def is_nsynth(folder: Path) -> bool:
    """Whether a folder is one of notes."""
    return (folder / EXAMPLES).is_file()


def read_nsynth(folder: Path) -> list[tuple[Path, Note]]:
    """The WAV of each note, and what it is, sorted by name. Raises VcompressError where the list is damaged, empty, or names files elsewhere."""
    path = folder / EXAMPLES
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        notes = {str(name): _note(row) for name, row in rows.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise VcompressError(f"{path} is no list of notes with instrument, pitch and velocity in whole numbers; copy the data set again.") from None
    if not notes:
        raise VcompressError(f"{path} lists no note; give a folder of notes.")
    odd = next((name for name in notes if Path(name).name != name), None)
    if odd is not None:
        raise VcompressError(f"{path} names a note {odd!r}, which is no name of a file; copy the data set again.")
    return [(folder / AUDIO / f"{name}.wav", notes[name]) for name in sorted(notes)]


def _note(row: Mapping[str, Any]) -> Note:
    instrument, pitch, velocity = numbers = [row[key] for key in ("instrument", "pitch", "velocity")]
    if not all(isinstance(number, int) and 0 <= number < 1 << 20 for number in numbers):
        raise ValueError
    return Note(instrument, pitch, velocity, str(row.get("instrument_str", "")))


def write_examples(folder: Path, notes: Iterable[tuple[str, Note]], sample_rate: int) -> None:
    """The list of a folder of notes: name of the file without its suffix, and note."""
    rows = {
        name: {"instrument": note.instrument, "instrument_str": note.name, "pitch": note.pitch, "velocity": note.velocity, "sample_rate": sample_rate}
        for name, note in notes
    }
    write_text(folder / EXAMPLES, json.dumps(rows, indent=1))
