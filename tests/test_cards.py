"""The files that ship of a trained run."""

import json
from pathlib import Path

import pytest
import soundfile
import torch
from tiny_bench import babble, write_clips
from tiny_vocoders import tiny_checkpoint

from vcompress.benchmarks import cards, quality
from vcompress.benchmarks.metrics import METRICS
from vcompress.runtime.workspace import Workspace
from vcompress.vocoders.checkpoint import read_checkpoint, save_checkpoint


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished training of a tiny MelGAN."""
    monkeypatch.setattr(quality, "METRICS", {name: METRICS[name] for name in cards.SHOWN})
    found = Workspace(tmp_path / "runs").new_run("melgan", "S", "fp32")
    save_checkpoint(found.folder / "weights.safetensors", tiny_checkpoint("melgan"))
    (found.folder / "curve.jsonl").write_text(json.dumps({"step": 5, "seconds": 7, "validation_loss": 0.25}) + "\n")
    return found.folder


def test_weights_in_16_bits_and_a_card_that_judges_them(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clips(tmp_path / "voice", 3)
    asked = [str(run), "--clips", f"a voice={tmp_path / 'voice'}", "--count", "2", "--data", "hum=CC0", "--machine", "a box", "--out", str(tmp_path / "out")]
    assert cards.main(asked) == 0
    weights, text = (Path(line) for line in capsys.readouterr().out.splitlines())
    kept, trained = read_checkpoint(weights).weights, read_checkpoint(run / "weights.safetensors").weights
    assert kept.keys() == trained.keys() and all(torch.equal(kept[key].half(), value.half()) for key, value in trained.items())
    assert weights.stat().st_size < 0.6 * (run / "weights.safetensors").stat().st_size
    card = text.read_text()
    for part in ("# MelGAN S", "| hum | CC0 |", "on a box", "| 5 | 7 s | 0.2500 |", "| metric | a voice |", "| stoi | ", cards.NOT_JUDGED):
        assert part in card
    assert "not measured" not in card


@pytest.mark.parametrize(("change", "said"), [(["--clips", "voice"], "is no pair"), (["--clips", "a=nowhere"], "no folder nowhere")])
def test_what_cannot_be_judged_is_refused_before_anything_is_written(run: Path, tmp_path: Path, change: list[str], said: str, capsys) -> None:
    assert cards.main([str(run), "--out", str(tmp_path / "out"), *change]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cards.main([str(tmp_path)]) == 2
    assert "is not a run" in capsys.readouterr().err


def test_clips_come_from_all_over_the_held_out_part_or_all_of_another_voice(tmp_path: Path) -> None:
    for stem in ("a_1", "b_1", "b_2", "c_1"):
        soundfile.write(tmp_path / f"{stem}.wav", babble(0.2), 16000)
    stems = {pattern: [clip.path.stem for clip in cards.chosen(tmp_path, pattern, 3)] for pattern in ("^b$", "^z$")}
    assert stems == {"^b$": ["b_1", "b_2"], "^z$": ["a_1", "b_2", "c_1"]}
