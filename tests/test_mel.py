"""The front ends of public code bases, each against its definition in librosa."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import librosa
import numpy as np
import pytest
from tiny import tiny_artifact

from vcompress.errors import VcompressError
from vcompress.runtime.artifact import MANIFEST, Artifact
from vcompress.runtime.mel import FrontEnd, mel_filters
from vcompress.vocoders.importers import fatchord
from vcompress.vocoders.importers.descript import FRONT_END as DESCRIPT
from vcompress.vocoders.importers.jik876 import FRONT_END as JIK876
from vcompress.vocoders.importers.kan_bayashi import FRONT_END as KAN_BAYASHI
from vcompress.vocoders.importers.lmnt import FRONT_END as LMNT
from vcompress.vocoders.importers.nvidia import FRONT_END as NVIDIA
from vcompress.vocoders.importers.settings import Settings
from vcompress.vocoders.importers.seungwonpark import FRONT_END as SEUNGWONPARK

RATE = 22050
IVANVOVK = FrontEnd(
    RATE, 1024, 300, 80, 80.0, 8000.0, power=2, mel_scale="htk", mel_norm="none", logarithm="log10", log_floor=0.0
)  # torchaudio MelSpectrogram, log10, -inf becomes 0
WAVERNN = fatchord.mel_of(Settings(fatchord.DEFAULTS, "hparams.py"), 80)


def voice(seconds: float = 1.0) -> np.ndarray:
    """A gliding harmonic tone with pauses that are silent to the last bit: float32 (T,)."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 1.5 * time)) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 40))
    return (0.1 * tone * np.maximum(0, np.sin(2 * np.pi * 2 * time))).astype(np.float32)


def bands(wave: np.ndarray, hop: int, n_fft: int, win: int, fmin: float, fmax: float, n_mels: int = 80, power: int = 1, htk: bool = False) -> np.ndarray:
    """librosa's mel spectrogram; `htk` as torchaudio makes it: that scale, no norm."""
    spectrum = np.abs(librosa.stft(wave.astype(np.float64), n_fft=n_fft, hop_length=hop, win_length=win, pad_mode="reflect")) ** power
    norm = None if htk else "slaney"
    return librosa.filters.mel(sr=RATE, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm).astype(np.float64) @ spectrum


def around_the_hop(wave: np.ndarray) -> np.ndarray:
    """Magnitudes of 1024 samples around hops of 256: reflection by 384, not centred."""
    padded = np.pad(wave.astype(np.float64), 384, mode="reflect")
    return np.abs(librosa.stft(padded, n_fft=1024, hop_length=256, center=False))


def jik876(wave: np.ndarray) -> np.ndarray:
    magnitude = np.sqrt(around_the_hop(wave) ** 2 + 1e-9)
    return np.log(np.maximum(librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=80, fmin=0, fmax=8000) @ magnitude, 1e-5))


def descript(wave: np.ndarray) -> np.ndarray:
    return np.log10(np.maximum(librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=80, fmin=0, fmax=11025) @ around_the_hop(wave), 1e-5))


def lmnt(wave: np.ndarray) -> np.ndarray:
    norm = np.sqrt(np.sum(librosa.filters.get_window("hann", 1024) ** 2))
    decibels = 20 * np.log10(np.maximum(bands(wave, 256, 1024, 1024, 20, 11025, htk=True) / norm, 1e-5)) - 20
    return np.clip((decibels + 100) / 100, 0, 1)


def ivanvovk(wave: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        logarithm = np.log10(bands(wave, 300, 1024, 1024, 80, 8000, power=2, htk=True))
    return np.where(np.isinf(logarithm), 0, logarithm)


def nvidia(wave: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(bands(wave, 256, 1024, 1024, 0, 8000), 1e-5))


def wavernn(wave: np.ndarray) -> np.ndarray:
    return np.clip((20 * np.log10(np.maximum(bands(wave, 275, 2048, 1100, 40, 11025), 1e-5)) + 100) / 100, 0, 1)


MEANS, DEVIATIONS = np.linspace(-3, -1, 80), np.linspace(0.5, 2, 80)


def kan_bayashi(wave: np.ndarray) -> np.ndarray:
    logarithm = np.log10(np.maximum(1e-10, bands(wave, 256, 1024, 1024, 80, 7600)))
    return (logarithm - MEANS[:, None]) / DEVIATIONS[:, None]


DEFINITIONS: dict[str, tuple[FrontEnd, Callable[[np.ndarray], np.ndarray]]] = {
    "jik876": (JIK876, jik876),
    "descript": (DESCRIPT, descript),
    "lmnt": (LMNT, lmnt),
    "ivanvovk": (IVANVOVK, ivanvovk),
    "nvidia": (NVIDIA, nvidia),
    "seungwonpark": (SEUNGWONPARK, lambda wave: (nvidia(wave) + 5) / 5),
    "kan_bayashi": (replace(KAN_BAYASHI, band_means=tuple(MEANS), band_deviations=tuple(DEVIATIONS)), kan_bayashi),
    "wavernn": (WAVERNN, wavernn),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_front_end_is_that_of_the_code_base(name: str) -> None:
    front_end, definition = DEFINITIONS[name]
    wave = voice()
    wave = wave[: len(wave) // front_end.hop_length * front_end.hop_length]
    expected, mel = definition(wave), front_end.mel(wave)
    frames = len(wave) // front_end.hop_length
    assert mel.dtype == np.float32 and mel.shape == (front_end.n_mels, frames)
    assert expected.shape[1] in (frames, frames + 1)  # a centred analysis has one around the end of the clip
    assert expected.std() > 0.1  # neither all floor nor all clipped
    np.testing.assert_allclose(mel, expected[:, :frames], atol=2e-4)


@pytest.mark.parametrize("n_mels", [40, 80])
def test_htk_filters_are_librosas(n_mels: int) -> None:
    theirs = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=n_mels, fmin=20, fmax=11025, htk=True, norm=None)
    assert np.abs(mel_filters(RATE, 1024, n_mels, 20.0, 11025.0, "htk", "none") - theirs).max() < 1e-5


@pytest.mark.parametrize("length", [256, 300, 1023, 1024, 5000])
@pytest.mark.parametrize("padding", ["center", "hop"])
def test_every_length_has_its_whole_frames(length: int, padding: str) -> None:
    mel = replace(JIK876, padding=padding).mel(voice()[3000 : 3000 + length])
    assert mel.shape == (80, length // 256) and np.isfinite(mel).all()


def test_peak_is_the_level_of_the_loudest_sample() -> None:
    wave = voice()
    assert np.abs(wave * JIK876.gain(wave)).max() == pytest.approx(0.95)
    assert JIK876.gain(0 * wave) == 1.0


WRONG = {
    "padding": ({"padding": "mirror"}, "no padding 'mirror'"),
    "power": ({"power": 3}, "no power 3"),
    "window": ({"win_length": 4096}, "does not fit an n_fft of 2048"),
    "hop": ({"padding": "hop", "n_fft": 1023}, "even number"),
    "bands": ({"band_means": (1.0, 2.0)}, "not of 80 mel bands"),
    "deviation": ({"band_deviations": (0.0,) * 80}, "not positive"),
}


@pytest.mark.parametrize("what", WRONG)
def test_front_end_refuses(what: str) -> None:
    fields, said = WRONG[what]
    with pytest.raises(VcompressError, match=said):
        FrontEnd(**fields)


def test_an_older_manifest_is_read_and_keeps_its_identity(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "artifact")
    path = artifact.folder / MANIFEST
    document = json.loads(path.read_text())
    old = list(document["front_end"])[:9]
    assert old == ["sample_rate", "n_fft", "hop_length", "n_mels", "fmin", "fmax", "minimum", "maximum", "level_db"]
    document["front_end"] = {name: document["front_end"][name] for name in old}
    path.write_text(json.dumps(document))
    read = Artifact.open(artifact.folder)
    assert read.manifest.front_end == artifact.manifest.front_end and read.identity == artifact.identity
    assert read.manifest.front_end.facts() == document["front_end"]  # what identities were hashed from before there was more


def test_another_front_end_is_another_identity(tmp_path: Path) -> None:
    front_end = DEFINITIONS["kan_bayashi"][0]
    plain, own = tiny_artifact(tmp_path / "plain", front_end=KAN_BAYASHI), tiny_artifact(tmp_path / "own", front_end=front_end)
    assert plain.identity != own.identity
    assert own.manifest.front_end == front_end and set(asdict(front_end)) > set(FrontEnd().facts())
