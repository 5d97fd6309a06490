"""Reading and writing audio, with every way in which a file can be wrong said in a sentence."""

import io
from pathlib import Path

import numpy as np

from ..errors import VcompressError
from .files import replacing

AUDIO_SUFFIXES = (".wav", ".flac")
LOWEST_RATE = 1000  # Hz; below it there is no speech, and a damaged header would be resampled to gigabytes


def read_audio(path: str | Path, sample_rate: int) -> np.ndarray:
    """Samples of an audio file as mono float32 (T,) in [-1, 1], resampled to `sample_rate` Hz.

    Raises VcompressError for a file that is missing, empty, truncated, not audio, silent, or holds NaN.
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise VcompressError(f"There is no audio file {path}; check the path.")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, MemoryError) as error:
        raise VcompressError(f"{path} cannot be read as audio ({error}); give a WAV or FLAC file.") from None
    if rate < LOWEST_RATE:
        raise VcompressError(f"{path} has a sample rate of {rate} Hz; give a recording of {LOWEST_RATE} Hz or more.")
    if _is_cut_short(path):
        raise VcompressError(f"{path} is cut short: it holds less than its header says; copy or record it again.")
    mono = samples.mean(axis=1)
    if not len(mono):
        raise VcompressError(f"{path} holds no samples; give a recording.")
    if not np.isfinite(mono).all():
        raise VcompressError(f"{path} holds NaN or infinite samples; write the file again.")
    if not np.abs(mono).max() > 0:
        raise VcompressError(f"{path} is silent from end to end; give a recording with sound.")
    return resample(mono, rate, sample_rate)


def _is_cut_short(path: Path) -> bool:
    """Whether a WAV file has fewer bytes than its header says: libsndfile reads what is left of it without a word."""
    with path.open("rb") as file:
        header = file.read(8)
    length = int.from_bytes(header[4:], "little")
    known = length < 0x7FFFF000  # who writes to a pipe cannot know the length, and writes the largest
    return header.startswith(b"RIFF") and known and length + 8 > path.stat().st_size + 1  # some leave out the last byte of padding


def resample(waveform: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """float32 (T,) at `rate` Hz -> float32 at `new_rate` Hz (soxr, very high quality)."""
    if rate == new_rate:
        return waveform
    import soxr

    return np.asarray(soxr.resample(waveform, rate, new_rate, quality="VHQ"), np.float32)


def write_audio(path: str | Path, waveform: np.ndarray, sample_rate: int) -> None:
    """Write float (T,) in [-1, 1] as 16-bit WAV or FLAC (by the suffix), whole or not at all."""
    import soundfile

    path = Path(path)
    if path.suffix.lower() not in AUDIO_SUFFIXES:
        raise VcompressError(f"{path} has no audio suffix; end the name in .wav or .flac.")
    encoded = io.BytesIO()  # libsndfile has no words for a full disk
    soundfile.write(encoded, np.clip(waveform, -1.0, 1.0), sample_rate, subtype="PCM_16", format=path.suffix[1:].upper())
    with replacing(path) as part:
        part.write_bytes(encoded.getvalue())
