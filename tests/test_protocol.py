"""The papers' protocol: ten different clips of ten seconds, cut from recordings, timed and metered one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine
from machines import Machine, with_rapl
from test_energy import trial_of
from tiny_bench import FRONT_END, diffusion, gan, write_clips

from vcompress.benchmarks import rtf
from vcompress.benchmarks.bench import bench
from vcompress.benchmarks.energy import figures, rapl
from vcompress.benchmarks.energy.meter import PolledMeter
from vcompress.benchmarks.energy.trial import TrialPlan, Window
from vcompress.benchmarks.references import read_references
from vcompress.benchmarks.rows import rows_of
from vcompress.benchmarks.subject import BenchSettings
from vcompress.benchmarks.utterances import Utterances, cut
from vcompress.errors import VcompressError

PAPERS = replace(BenchSettings(families=("rtf", "efficiency"), warmup=1).following("papers"))


def test_ten_clips_of_ten_seconds_differ_whatever_there_is_to_cut_them_from(tmp_path: Path) -> None:
    for count, seconds in ((2, 1.5), (11, 11.0)):
        references = read_references(write_clips(tmp_path / str(count), count, seconds), FRONT_END)
        mels = Utterances.of_protocol("papers", references, FRONT_END).mels
        assert [mel.shape for mel in mels] == 10 * [(80, 625)]
        assert len({mel.tobytes() for mel in mels}) == 10
        again = Utterances.of_protocol("papers", references, FRONT_END)
        assert again.recordings == references.identity and all(map(np.array_equal, mels, again.mels))


@pytest.mark.parametrize("recorded", [1, 7, 99, 100, 1234])
def test_clips_are_cut_one_behind_the_other_while_there_is_enough(recorded: int) -> None:
    clips = cut([np.arange(recorded // 2, dtype=np.float32), np.arange(recorded // 2, recorded, dtype=np.float32)], 10, 10)
    assert [len(clip) for clip in clips] == 10 * [10]
    if recorded >= 100:
        np.testing.assert_array_equal(np.concatenate(clips), np.arange(100))
    elif recorded >= 10:
        assert len({clip[0] for clip in clips}) == 10
    assert all(after == (before + 1) % recorded for clip in clips for before, after in pairwise(clip))


@pytest.mark.parametrize("backend", ["onnxruntime", "torch-cpu"])
def test_the_bench_times_each_clip_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    heard: list[bytes] = []
    synthesize = rtf.synthesize
    monkeypatch.setattr(rtf, "synthesize", lambda artifact, session, mel, *rest: (heard.append(mel.tobytes()), synthesize(artifact, session, mel, *rest))[1])
    clips = write_clips(tmp_path / "clips")
    found = {record.metric: record for record in bench([gan(tmp_path / "gan")], clips, replace(PAPERS, backend=backend), tmp_path / "records.jsonl")}
    assert len(heard) == 11 and len(set(heard[1:])) == 10  # one to warm up
    figure = found["rtf"]
    assert figure.settings["protocol"] == "papers" and figure.settings["recordings"] and figure.window == 10.0 and len(figure.samples) == 10
    together = found["synthesis_time_100s"]
    assert together.value == pytest.approx(10 * sum(figure.samples)) and together.unit == "s" and together.settings == figure.settings
    assert found["macs_reached"].settings == figure.settings and found["peak_activation_bytes"].settings == {"protocol": "papers"}


def test_other_recordings_make_other_figures_and_usual_ones_stay_in_the_row(tmp_path: Path) -> None:
    artifact, path = gan(tmp_path / "gan"), tmp_path / "records.jsonl"
    settings = replace(PAPERS, families=("rtf",))
    usual = bench([artifact], [], BenchSettings(seconds=0.1, repeats=3, warmup=1, families=("rtf",)), path)
    first = bench([artifact], write_clips(tmp_path / "a"), settings, path)
    other = bench([artifact], write_clips(tmp_path / "b", seconds=2.0), settings, path)
    assert not {record.key for record in first} & {record.key for record in other}
    (row,) = rows_of([*usual, *first, *other])
    assert row.figure("rtf").window == 0.1 and row.value("synthesis_time_100s") > 0


def test_energy_of_the_ten_is_of_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyJoules")
    (tmp_path / "proc").mkdir()
    machine, heard = Machine(tmp_path), []
    with_rapl(machine)

    def trial(run: Callable[[], object], meters: Sequence[PolledMeter], plan: TrialPlan) -> list[Window]:
        run()
        return trial_of(machine, *meters, plan=replace(plan, seconds=10.0))

    monkeypatch.setattr(figures, "all_sources", lambda where: [rapl.find(machine.root, machine.clock)])
    monkeypatch.setattr(figures, "run_trial", trial)
    monkeypatch.setattr(rtf, "synthesize", lambda artifact, session, mel, *rest: heard.append(mel.tobytes()))
    settings = replace(PAPERS, families=("energy",), windows=2, window_seconds=0.05)
    found = {record.metric: record for record in bench([gan(tmp_path / "a")], write_clips(tmp_path / "clips"), settings, tmp_path / "records.jsonl")}
    assert len(heard) == len(set(heard)) == 10  # one run is all ten clips; on this machine it takes a second, at 30 W
    joules = found["synthesis_energy_100s"].value
    assert joules == pytest.approx(30.0, rel=1e-3) and found["synthesis_energy_100s"].unit == "J"
    assert found["energy"].value == pytest.approx(joules / 100) and found["energy_per_utterance"].value == pytest.approx(joules / 10)


def test_diffusion_is_timed_on_recordings_too(tmp_path: Path) -> None:
    found = bench([diffusion(tmp_path / "a")], write_clips(tmp_path / "clips"), replace(PAPERS, families=("rtf",)), tmp_path / "records.jsonl")
    assert {record.metric for record in found if record.value is not None} >= {"rtf", "synthesis_time_100s", "call_ms_step"}


def test_without_recordings_a_sentence_says_so(tmp_path: Path, vcompress: CommandLine) -> None:
    with pytest.raises(VcompressError, match="give some with --data"):
        bench([gan(tmp_path / "gan")], [], PAPERS, tmp_path / "records.jsonl")
    command = ("bench", tmp_path / "gan", "--workspace", tmp_path, "--protocol", "papers")
    assert "give some with --data" in vcompress(*command, "--clips", 0, "--measure", "rtf").err
    answer = vcompress(*command, "--target", "rpi-4b", "--host", "pi@nowhere")
    assert (answer.code, answer.out) == (2, "") and "do not go to a --host" in answer.err
