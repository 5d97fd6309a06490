"""Corpora: what is found, what is held out, what is normalised, what is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from tiny import tone

from vcompress.errors import VcompressError
from vcompress.runtime.mel import FrontEnd
from vcompress.vocoders.corpus import Clip, Split, fit_normalisation, read_clip, read_corpus

PROMPTS = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="-"), min_size=1, max_size=12)


def touch(folder: Path, *stems: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem in stems:
        (folder / f"{stem}.wav").touch()
    return folder


@given(PROMPTS, st.lists(st.integers(0, 10**12), min_size=1, max_size=5), st.floats(0.01, 0.99))
def test_takes_of_a_prompt_are_on_one_side(prompt: str, takes: list[int], fraction: float) -> None:
    split = Split(fraction=fraction)
    assert len({split.holds_out(split.key(f"{prompt}_{take}")) for take in takes}) == 1


@given(st.floats(0.1, 0.9))
def test_holds_out_about_the_fraction(fraction: float) -> None:
    split = Split(fraction=fraction)
    held = np.mean([split.holds_out(f"prompt-{i}") for i in range(1000)])
    assert abs(held - fraction) < 0.08  # five standard deviations of 1,000 draws


def test_read_corpus_splits_by_prompt(tmp_path: Path) -> None:
    touch(tmp_path / "wavs", *(f"prompt-{i:03d}_{take}" for i in range(60) for take in (1, 2)))
    corpus = read_corpus([tmp_path])
    assert len(corpus.training) + len(corpus.validation) == 120
    assert not {c.key for c in corpus.training} & {c.key for c in corpus.validation}
    assert corpus == read_corpus([tmp_path])


def test_read_corpus_holds_out_what_the_pattern_says(tmp_path: Path) -> None:
    touch(tmp_path, "a_1", "a_2", "b_1", "c_1")
    corpus = read_corpus([tmp_path], Split(validation="^b$"))
    assert [c.path.stem for c in corpus.validation] == ["b_1"]
    assert [c.path.stem for c in corpus.training] == ["a_1", "a_2", "c_1"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nowhere", "There is no folder"),
        (lambda folder: folder, "holds no WAV or FLAC"),
        (lambda folder: touch(folder / "one", "only"), "leaves no"),
    ],
)
def test_read_corpus_refuses(tmp_path: Path, make, said: str) -> None:
    with pytest.raises(VcompressError, match=said):
        read_corpus([make(tmp_path)])


@pytest.mark.parametrize("arguments", [{"take_pattern": "("}, {"validation": "["}, {"fraction": 0.0}, {"fraction": 1.0}])
def test_split_refuses_what_cannot_split(arguments: dict) -> None:
    with pytest.raises(VcompressError):
        Split(**arguments)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_read_clip_resamples_mixes_and_levels(tmp_path: Path, rate: int) -> None:
    wave = tone(0.5, rate, 0.02)
    soundfile.write(tmp_path / "a.flac", np.stack([wave, wave], 1), rate)
    clip = read_clip(Clip(tmp_path / "a.flac", "a"), FrontEnd(level_db=-20.0))
    assert clip.dtype == np.float32 and len(clip) % 256 == 0 and abs(len(clip) - 8000) <= 256
    assert 20 * np.log10(np.sqrt(np.mean(clip**2))) == pytest.approx(-20.0, abs=0.3)


def test_read_clip_refuses_less_than_a_frame(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone()[:100], 16000)
    with pytest.raises(VcompressError, match="shorter than one frame"):
        read_clip(Clip(tmp_path / "a.wav", "a"), FrontEnd())


def test_normalisation_brings_the_training_part_to_zero_to_one() -> None:
    waves = [tone(0.5, level=level) for level in (0.05, 0.3)]
    front_end = fit_normalisation(FrontEnd(), waves)
    mels = [front_end.mel(w) for w in waves]
    assert front_end.minimum == 0.0
    assert min(m.min() for m in mels) >= 0.0 and max(m.max() for m in mels) == pytest.approx(1.0)
