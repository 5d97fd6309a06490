"""Vocoders for another sample rate than 16 kHz: trained with a front end that is fitted to it, or refused with a sentence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from conftest import CommandLine
from tiny import tone
from tiny_bench import write_clips

from vcompress.errors import VcompressError
from vcompress.runtime.mel import FrontEnd
from vcompress.vocoders.catalogue import at_rate, catalogue
from vcompress.vocoders.checkpoint import read_checkpoint
from vcompress.vocoders.corpus import Split
from vcompress.vocoders.plan import TrainingPlan
from vcompress.vocoders.registry import find_family
from vcompress.vocoders.trainer import check_rate, train_vocoder

PLAN = TrainingPlan(steps=1, batch_size=1, frames=4, accelerator="cpu")


def test_a_front_end_at_another_rate_keeps_its_hop_and_hears_up_to_half_of_it() -> None:
    assert FrontEnd().at_rate(24000) == FrontEnd(sample_rate=24000, fmax=12000.0)
    assert FrontEnd(22050, fmax=8000.0).at_rate(24000).fmax == 8000.0
    with pytest.raises(VcompressError, match="do not fit a sample rate"):
        FrontEnd(22050, fmax=8000.0).at_rate(8000)


def test_weights_of_24_khz_are_trained_and_gone_on_from(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("one", "two"):
        soundfile.write(tmp_path / "data" / f"{name}.wav", tone(0.4), 16000)
    arguments = ("wavernn", "S", [tmp_path / "data"])
    trained = train_vocoder(*arguments, tmp_path / "run", PLAN, Split(validation="one"), sample_rate=24000)
    found = read_checkpoint(trained.path).front_end
    assert isinstance(found, FrontEnd) and found == replace(FrontEnd(), sample_rate=24000, fmax=12000.0, level_db=-20.0, maximum=found.maximum)
    for rate in (None, 24000):
        again = train_vocoder(*arguments, tmp_path / f"on-{rate}", PLAN, Split(validation="one"), start=trained.path, sample_rate=rate)
        assert read_checkpoint(again.path).front_end == found
    with pytest.raises(VcompressError, match="are of 24000 Hz; leave out --sample-rate"):
        train_vocoder(*arguments, tmp_path / "other", PLAN, Split(validation="one"), start=trained.path, sample_rate=16000)


@pytest.mark.parametrize("family", ["wavernn", "subscale", "hifigan", "melgan", "vocos", "diffwave", "wavegrad", "waveflow", "waveglow"])
def test_families_that_are_given_a_mel_can_have_it_at_another_rate(family: str) -> None:
    found = find_family(family)
    for size, config in found.sizes.items():
        check_rate(found, size, 24000)
        own = found.front_end(config)
        assert isinstance(own, FrontEnd)
        found.objective(config, own.at_rate(24000))
    with pytest.raises(VcompressError, match="from 8000 to 48000"):
        check_rate(found, "S", 96000)


def test_notes_have_the_rate_of_their_data_set() -> None:
    check_rate(find_family("sing"), "S", 16000)
    with pytest.raises(VcompressError, match="SING is given notes"):
        check_rate(find_family("sing"), "S", 24000)


def test_the_list_says_what_they_cost_there(vcompress: CommandLine) -> None:
    rows = {(row.family, row.size): row for row in catalogue()}
    assert at_rate(rows["wavernn", "L"], 24000).gflops_per_second == pytest.approx(1.5 * rows["wavernn", "L"].gflops_per_second)
    answer = vcompress("list", "--sample-rate", 24000, "--json")
    listed = json.loads(answer.out)
    assert answer.code == 0 and {row["sample_rate"] for row in listed} == {24000} and "sing" not in {row["family"] for row in listed}


def test_from_the_command_line_it_has_a_name_of_its_own(vcompress: CommandLine, tmp_path: Path) -> None:
    write_clips(tmp_path / "data", 2, 0.3)
    common = ("train", "subscale", "--size", "S8", "--data", tmp_path / "data", "--validation", "clip_0", "--workspace", tmp_path / "runs")
    answer = vcompress(*common, "--sample-rate", 24000, "--steps", 1, "--batch-size", 1, "--accelerator", "cpu")
    assert answer.code == 0 and "/subscale-s8-24000hz/fp32/" in answer.out, answer.err
    answer = vcompress(*common, "--sample-rate", 96000)
    assert answer.code == 2 and "96000 Hz" in answer.err
