"""Sensitivity: what quantizing one thing alone does, in a network that is prepared once."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine
from tiny_bench import FRONT_END, babble, write_clips
from tiny_vocoders import CONFIGS, sampler_of, tiny_checkpoint, tiny_folded, tiny_mels

from vcompress.benchmarks.metrics.spectral import log_mel_l1
from vcompress.benchmarks.report.ranked import write_chart
from vcompress.compress.bits import Bits
from vcompress.compress.calibration import calibrate
from vcompress.compress.fake_quantize import ActivationQuantizer
from vcompress.compress.journal import Journal
from vcompress.compress.judge import Judge, Recording
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.ranking import Damage, Ranking
from vcompress.compress.sensitivity import rank
from vcompress.compress.units import Units
from vcompress.errors import VcompressError
from vcompress.vocoders.checkpoint import save_checkpoint
from vcompress.vocoders.melgan import MelGANConfig
from vcompress.vocoders.registry import find_family

FACTS = {"name": "tiny", "recipe": "fp32", "clips": ["a"], "seconds": 0.25, "log_mel_l1_fp32": 1.0}
EIGHT = Bits.eight(find_family("melgan"), CONFIGS["melgan"])
SMALL = MelGANConfig(base_channels=2, residual_blocks=1, ratios=(256,))


def recordings(count: int = 1) -> list[Recording]:
    waveforms = [babble(0.25, seed)[: 15 * 256] for seed in range(count)]
    return [Recording(FRONT_END.mel(waveform), waveform) for waveform in waveforms]


@cache
def units_of(family: str) -> Units:
    """A tiny network in 8 bits everywhere, calibrated."""
    vocoder = tiny_folded(family)
    prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config, Bits.eight(vocoder.family, vocoder.trained.config))
    calibrate(prepared, sampler_of(vocoder), tiny_mels())
    return Units(prepared)


def judge_of(family: str, journal: Journal | None = None) -> Judge:
    return Judge(units_of(family), sampler_of(tiny_folded(family)), recordings(), FRONT_END.sample_rate, log_mel_l1, journal)


@pytest.mark.parametrize("family", ["melgan", "hifigan", "diffwave"])
def test_every_quantizer_belongs_to_one_unit(family: str) -> None:
    units = units_of(family)
    modules = [m for graph in units.prepared.graphs.values() for m in graph.module.modules() if isinstance(m, ActivationQuantizer)]
    units.quantize(units.tensors, units.weights)
    assert modules and all(module.faking for module in modules)
    for name in units.tensors:
        units.quantize([name], [])
        faking = {id(module) for module in modules if module.faking}
        own = {id(graph.tensors[key]) for graph in units.prepared.graphs.values() for key in units.tensors[name].keys if key in graph.tensors}
        assert faking == own
    keys = [key for tensor in units.tensors.values() for key in tensor.keys]
    assert len(keys) == len(set(keys))


def test_tensors_with_the_same_integers_are_one_unit() -> None:
    units = units_of("hifigan")
    first = units.tensors["stages.0.upsample.convolution:conv1d"]  # reshaped, transposed, reshaped and cut, but the same numbers
    assert first.keys[1:] == tuple(f"stages.0.upsample:{port}" for port in ("reshape", "transpose", "reshape_2", "slice"))
    assert units.name_of("stages.0:div") == "stages.0:add"  # the mean of the blocks: the same integers, another scale
    link = units_of("diffwave")
    assert link.layers["conditioner.projections.0"].output == "conditioner.projections.0:conv1d"  # one tensor at both ends
    assert sum(key == "conditioner.projections.0:conv1d" for tensor in link.tensors.values() for key in tensor.keys) == 1


@pytest.mark.parametrize("family", ["melgan", "diffwave"])
def test_all_units_together_are_the_quantized_network_and_none_the_float_one(family: str) -> None:
    judge = judge_of(family)
    assert judge.measure([], []) == Damage(0.0, None, 0.0)
    everything = judge.measure(judge.units.tensors, judge.units.weights)
    judge.units.prepared.mode(faking=True)
    assert everything == judge.damage_of(judge.units.prepared)
    assert everything.snr is not None and everything.snr < 60 and everything.noise == pytest.approx(10 ** (-everything.snr / 10))


@pytest.mark.parametrize("family", ["hifigan", "diffwave"])
def test_rank_measures_each_alone(family: str) -> None:
    judge = judge_of(family)
    units = judge.units
    vocoder = tiny_folded(family)
    ranking = rank(judge, Bits.of(vocoder.family, vocoder.trained.config), FACTS)
    rows = {(row.kind, row.name): row for row in ranking.rows}
    assert {name for kind, name in rows if kind == "tensor"} == units.tensors.keys()
    for kind in ("weights", "activations", "layer"):
        assert {name for found, name in rows if found == kind} == set(units.weights)
    path = next(iter(units.weights))
    layer = units.layers[path]
    assert rows["weights", path].alone == judge.measure([], [path])
    assert rows["activations", path].alone == judge.measure({layer.input, layer.output}, [])
    assert rows["layer", path].alone == judge.measure({layer.input, layer.output}, [path])
    damages = [row.alone.noise for row in ranking.sorted("tensor")]
    assert damages == sorted(damages, reverse=True) and damages[0] > 0
    wide = {row.name for row in ranking.rows if row.kind == "tensor" and row.now == "16 bits"}
    assert wide and ranking.chosen == judge.measure(units.tensors.keys() - wide, set(units.weights))
    assert ranking.chosen.noise < ranking.everything.noise
    assert rank(judge_of(family), Bits.of(vocoder.family, vocoder.trained.config), FACTS) == ranking  # nothing in it is drawn anew


def test_the_complement_is_everything_but_the_one() -> None:
    judge = judge_of("melgan")
    ranking = rank(judge, EIGHT, FACTS, layers=False, complement=True)
    worst = ranking.sorted("tensor")[0]
    assert worst.others == judge.measure(judge.units.tensors.keys() - {worst.name}, set(judge.units.weights))
    assert {row.kind for row in ranking.rows} == {"tensor", "weights"} and all(row.others is not None for row in ranking.rows)
    assert worst.others is not None and worst.others.noise < ranking.everything.noise


def test_what_is_in_the_journal_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    ranking = rank(judge_of("melgan", Journal(path, FACTS)), EIGHT, FACTS, layers=False)
    path.write_text(path.read_text() + '{"key": "cut o')
    judge = judge_of("melgan", Journal(path, FACTS))
    with monkeypatch.context() as patch:
        patch.setattr(Judge, "damage_of", lambda *_: pytest.fail("it was there"))
        assert rank(judge, EIGHT, FACTS, layers=False) == ranking
    other = Journal(path, {**FACTS, "seconds": 2.0})  # other clips: nothing of the old stands
    assert path.read_text().count("\n") == 1 and other.get("cut o") is None


def test_a_ranking_reads_back_and_refuses_what_is_none(tmp_path: Path) -> None:
    ranking = rank(judge_of("melgan"), EIGHT, FACTS, complement=True)
    path = ranking.save(tmp_path)
    assert Ranking.read(path) == ranking
    path.write_text("{}")
    with pytest.raises(VcompressError, match="is not a sensitivity analysis"):
        Ranking.read(path)


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_chart_is_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    ranking = rank(judge_of("melgan"), EIGHT, FACTS)
    for name in ("one", "two"):
        write_chart(ranking, tmp_path / f"{name}{suffix}", most=5)
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    if suffix == ".svg":
        text = (tmp_path / "one.svg").read_text()
        worst = [row.name for row in ranking.sorted("tensor")]
        assert all(name in text for name in worst[:5]) and "log-mel L1" in text


def test_judge_refuses_silence_and_nothing() -> None:
    units, sampler = units_of("melgan"), sampler_of(tiny_folded("melgan"))
    with pytest.raises(VcompressError, match="is measured on recordings"):
        Judge(units, sampler, [], 16000, log_mel_l1)

    class Silent:
        calls = sampler.calls

        def synthesize(self, run: object, mel: np.ndarray, seed: int = 0, on_step: object = None) -> np.ndarray:
            return np.zeros(256, np.float32)

    with pytest.raises(VcompressError, match="fp32 output is silent"):
        Judge(units, Silent(), recordings(), 16000, log_mel_l1)


# --- the command ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights and recordings; the workspace is `runs` in it."""
    folder = tmp_path_factory.mktemp("sensitivity")
    write_clips(folder / "recordings", 4, 1.0)
    save_checkpoint(folder / "melgan.safetensors", tiny_checkpoint("melgan", SMALL))
    return folder


def options(place: Path, *more: object) -> list[object]:
    data = ["--data", place / "recordings", "--validation", "clip_0"]
    return [*data, "--clips", 1, "--seconds", 0.25, "--calibration-clips", 1, *more]


def of_family(place: Path, *more: object) -> list[object]:
    return ["sensitivity", "melgan", "--weights", place / "melgan.safetensors", *options(place, "--workspace", place / "runs", *more)]


def test_the_command_prints_a_table_and_keeps_ranking_and_chart(vcompress: CommandLine, place: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    answer = vcompress(*of_family(place, "--top", 3))
    assert answer.code == 0, answer.err
    chart = Path(answer.out.splitlines()[-1])
    assert chart.name == "sensitivity.svg" and chart.is_file()
    ranking = Ranking.read(chart.with_name("sensitivity.json"))
    assert all(row.name in answer.out for row in ranking.sorted("tensor")[:3]) and "All in 8 bits" in answer.out
    document = json.loads(vcompress(*of_family(place, "--json", "--no-layers")).out)
    assert Path(document["ranking"]) == chart.with_name("sensitivity.json")
    assert {row["kind"] for row in document["rows"]} == {"tensor", "weights"}
    assert document["everything"] == json.loads(json.dumps(ranking.document()["everything"]))


def test_the_command_takes_an_artifact_and_refuses_one_without_its_run(vcompress: CommandLine, place: Path, tmp_path: Path) -> None:
    quantized = vcompress(
        *("quantize", "melgan", "--weights", place / "melgan.safetensors", "--data", place / "recordings", "--validation", "clip_0"),
        *("--calibration-clips", 1, "--workspace", place / "runs"),
    )
    run = Path(quantized.out.strip())
    artifact = Path(vcompress("export", run, "--workspace", place / "runs").out.strip())
    answer = vcompress("sensitivity", artifact, *options(place, "--json", "--no-layers"))
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["facts"]["recipe"] == "static_w8a8" and Path(document["ranking"]) == run / "sensitivity.json"
    shutil.copytree(artifact, tmp_path / "elsewhere")
    for arguments, said in (
        ([tmp_path / "elsewhere"], "lies outside its run"),
        ([place / "recordings"], "is neither an artifact, nor a run"),
        ([artifact, "--size", "S"], "belong to a family"),
        (["wavenet"], "no vocoder family 'wavenet'"),
        ([artifact, "--chart", "chart.pdf"], "neither .svg nor .png"),
    ):
        refused = vcompress("sensitivity", *arguments, *options(place))
        assert refused.code == 2 and said in refused.err and len(refused.err.splitlines()) == 1, refused
