"""Mixed precision: predicted cost, the choice, and what becomes of it in the artifact."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CommandLine
from test_sensitivity import SMALL, judge_of, recordings, units_of
from tiny_bench import write_clips
from tiny_vocoders import CONFIGS, sampler_of, tiny_checkpoint, tiny_folded, tiny_mels

from vcompress.compress.bits import Bits
from vcompress.compress.costs import Costs
from vcompress.compress.mixed import Choice, Goal, choose
from vcompress.compress.mixing import quantize_mixed
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.ranking import Damage, Ranking
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.compress.sensitivity import excepted, rank
from vcompress.compress.static import SCALES, quantize_static
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.checkpoint import save_checkpoint

HOP_SECONDS = 256 / 16000


@cache
def costs_of(family: str) -> Costs:
    return Costs(units_of(family), sampler_of(tiny_folded(family)), 80, HOP_SECONDS)


@cache
def ranking_of(family: str) -> Ranking:
    return rank(judge_of(family), Bits.eight(tiny_folded(family).family, CONFIGS[family]), {"name": family}, layers=False)


def chosen(family: str, goal: Goal) -> Choice:
    return choose(judge_of(family), costs_of(family), ranking_of(family), tiny_folded(family).family.floats(CONFIGS[family]), goal)


def exported(folder: Path, family: str, bits: Bits) -> tuple[Artifact, PreparedVocoder]:
    vocoder = tiny_folded(family)
    prepared = quantize_static(vocoder, tiny_mels(1), folder, bits=bits)
    artifact = write_artifact(vocoder, Recipe("mixed"), "tiny", folder / "artifact", ScaleTable.read(folder / SCALES), bits=Bits.read(folder))
    return artifact, prepared


def test_costs_count_multiplications_and_calls() -> None:
    config: Any = CONFIGS["hifigan"]
    costs = costs_of("hifigan")
    stem = next(operator for operator in costs.operators if operator.layer == "stem")
    assert (stem.macs, stem.elements, stem.windows) == (48 * 80 * 7 * config.channels, 48 * config.channels, 48 * 80 * 7)
    assert stem.tensors == ("input:mel", "stem:conv1d")
    diffwave = {operator.layer: operator.macs for operator in costs_of("diffwave").operators if operator.layer}
    assert diffwave["denoiser.layers.0.output"] == 6 * 48 * 256 * 4 * 8  # six steps, 4 channels to 8
    assert diffwave["conditioner.projections.0"] == 48 * 256 * 80 * 8  # once an utterance


@pytest.mark.parametrize("family", ["hifigan", "diffwave"])
def test_what_one_thing_adds_is_the_difference_of_the_whole(family: str) -> None:
    units, costs = units_of(family), costs_of(family)
    names, paths = list(units.tensors), list(units.weights)
    wide, floats = set(names[::3]), set(paths[::4])
    before = costs.work(wide, floats).seconds()
    for name in names[1::3]:
        assert costs.added(wide, floats, tensor=name) == pytest.approx(costs.work(wide | {name}, floats).seconds() - before, abs=1e-15)
    for path in paths[1::4]:
        assert costs.added(wide, floats, layer=path) == pytest.approx(costs.work(wide, floats | {path}).seconds() - before, abs=1e-15)
    assert costs.work(names, paths).seconds() > before > costs.work((), ()).seconds()


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bits, Artifact, PreparedVocoder]:
    """Every kind of choice at once: bounded tensors in 16 bits, a link in 16 bits, one whose giver is a float layer, a float layer inside."""
    own = Bits.of(tiny_folded("diffwave").family, CONFIGS["diffwave"])
    floats = dict.fromkeys(("conditioner.projections.1", "denoiser.layers.1.output"), "a test")
    wide = dict.fromkeys(("denoiser.layers.0:tanh", "denoiser.layers.0:sigmoid", "conditioner.projections.0:conv1d"), "a test")
    bits = Bits({**own.floats, **floats}, {**own.wide, **wide})
    return bits, *exported(tmp_path_factory.mktemp("everything"), "diffwave", bits)


def test_the_layers_predicted_to_be_integer_are_those_that_onnx_runtime_runs_so(everything: tuple[Bits, Artifact, PreparedVocoder]) -> None:
    bits, artifact, _ = everything
    kernels = [graph.kernels.get("QLinearConv", 0) for graph in artifact.manifest.graphs.values()]
    assert sum(kernels) == costs_of("diffwave").integer_layers(*excepted(units_of("diffwave"), bits))
    assert {row.name: row.reason for row in artifact.manifest.layers if row.precision == "float"} == bits.floats


def test_a_choice_sounds_alike_in_onnx_runtime(everything: tuple[Bits, Artifact, PreparedVocoder]) -> None:
    _, artifact, prepared = everything
    mel = tiny_mels(1)[0]
    prepared.mode(faking=True)
    simulated = sampler_of(tiny_folded("diffwave")).synthesize(prepared.run, mel, seed=0)
    made = synthesize(artifact, load("onnxruntime", artifact), mel, seed=0)
    assert np.corrcoef(simulated, made)[0, 1] > 0.999 and np.abs(simulated - made).max() < 0.1


def test_both_ends_of_a_link_agree(everything: tuple[Bits, Artifact, PreparedVocoder]) -> None:
    graphs = everything[1].manifest.graphs
    given = {tensor.name: (tensor.dtype, tensor.scale) for tensor in graphs["conditioner"].outputs}
    taken = {tensor.name: (tensor.dtype, tensor.scale) for tensor in graphs["step"].inputs}
    assert given["condition_0"] == taken["condition_0"] and given["condition_0"][0] == "int16"
    assert given["condition_1"] == taken["condition_1"] == ("float32", None)


def test_what_is_good_enough_in_8_bits_stays_so() -> None:
    choice = chosen("hifigan", Goal(snr=-50.0, log_mel_l1=100.0))
    assert choice.met and not choice.bits.wide and choice.bits.floats.keys() == {"head"}
    assert choice.seconds == choice.seconds_int8 < choice.seconds_float and choice.integer_layers == choice.layers


@pytest.mark.parametrize("family", ["hifigan", "diffwave"])
def test_a_goal_of_quality_is_met_and_more_quality_takes_more_time(family: str) -> None:
    everything = ranking_of(family).everything
    assert everything.snr is not None
    choices = [chosen(family, Goal(snr=everything.snr + more, log_mel_l1=100.0)) for more in (3.0, 12.0)]
    for choice, more in zip(choices, (3.0, 12.0), strict=True):
        assert choice.met and choice.damage.snr is not None and choice.damage.snr >= everything.snr + more
        assert choice.bits.wide and all("alone" in why for why in choice.bits.wide.values())
        judge = judge_of(family)
        wide, floats = excepted(judge.units, choice.bits)
        assert judge.measure(judge.units.tensors.keys() - wide, set(judge.units.weights) - floats) == choice.damage
        assert choice.measurements[0] == (0, everything)
    assert choices[0].seconds_int8 < choices[0].seconds < choices[1].seconds <= choices[1].seconds_float
    assert choices[0].integer_layers >= choices[1].integer_layers


def test_a_budget_of_time_is_kept_and_more_time_gives_more_quality() -> None:
    choices = [chosen("hifigan", Goal(slower=slower)) for slower in (0.0, 0.1, 0.5)]
    for choice, slower in zip(choices, (0.0, 0.1, 0.5), strict=True):
        assert choice.seconds <= choice.seconds_int8 * (1 + slower) + 1e-12
    assert choices[0].bits.wide == {} and choices[0].damage == ranking_of("hifigan").everything
    assert choices[0].damage.noise > choices[1].damage.noise > choices[2].damage.noise


def test_goals_count_noise_and_log_mel() -> None:
    goal = Goal(20.0, 0.05)
    assert goal.met_by(Damage(0.009, 20.5, 0.049)) and goal.met_by(Damage(0.0, None, 0.0))
    assert not goal.met_by(Damage(0.011, 19.6, 0.01)) and not goal.met_by(Damage(0.001, 30.0, 0.06))
    assert goal.missed(Damage(0.1, 10.0, 0.1)) == (pytest.approx(10.0), pytest.approx(2.0))


def test_a_mixture_is_kept_with_its_reasons_and_measured_with_real_16_bits(tmp_path: Path) -> None:
    vocoder, judge, ranking = tiny_folded("hifigan"), judge_of("hifigan"), ranking_of("hifigan")
    assert ranking.everything.snr is not None
    goal = Goal(snr=ranking.everything.snr + 6, log_mel_l1=100.0)
    mixture = quantize_mixed(vocoder, tiny_mels(), judge, ranking, goal, tmp_path)
    assert mixture.met and goal.met_by(mixture.damage) and mixture.damage.noise < mixture.everything.noise / 3
    assert Bits.read(tmp_path) == mixture.choice.bits
    entries = ScaleTable.read(tmp_path / SCALES).entries
    assert {key for key, entry in entries.items() if entry.bits == 16} == mixture.choice.bits.wide.keys() & entries.keys()
    facts = json.loads(json.dumps(mixture.facts()))
    assert facts["met"] and facts["predicted"]["seconds"] > facts["predicted"]["seconds_int8"] and len(recordings()) == 1
    (tmp_path / "bits.json").write_text("[]")
    with pytest.raises(VcompressError, match="does not say what stays in float"):
        Bits.read(tmp_path)


# --- the command ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """What `quantize` is given besides --mixed."""
    folder = tmp_path_factory.mktemp("mixed")
    write_clips(folder / "recordings", 4, 1.0)
    save_checkpoint(folder / "melgan.safetensors", tiny_checkpoint("melgan", SMALL))
    data = ["--data", folder / "recordings", "--validation", "clip_0", "--calibration-clips", 1]
    return ["quantize", "melgan", "--weights", folder / "melgan.safetensors", *data, "--workspace", folder / "runs"]


def test_the_command_makes_a_run_that_export_takes(vcompress: CommandLine, given: list[object]) -> None:
    answer = vcompress(*given, "--mixed", "--budget", 50, "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["recipe"] == "mixed_w8a8" and document["complete"] and document["goal"]["slower"] == 0.5
    assert document["mixed"]["predicted"]["seconds"] <= 1.5 * document["mixed"]["predicted"]["seconds_int8"]
    assert "tensors have 16 bits" in answer.err and "dB SNR" in answer.err
    bits = Bits.read(Path(document["run"]))
    assert bits is not None and bits.wide and len(bits.wide) >= document["mixed"]["tensors"]
    workspace = given[-1]
    made = vcompress("export", "--int8", "--workspace", workspace)
    assert Path(made.out.strip()) == Path(document["run"]) / "artifact", made.err
    artifact = Artifact.open(made.out.strip())
    assert artifact.manifest.graphs["network"].kernels.get("QLinearConv", 0) == document["mixed"]["integer_layers"]
    assert artifact.manifest.recipe == "mixed_w8a8" and "8 bits of it alone" in made.err
    assert any("8 bits of it alone" in row.reason for row in artifact.manifest.layers)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mixed", "--dynamic"], "exclude each other"),
        (["--mixed", "--quality", 20, "--budget", 5], "exclude each other"),
        (["--budget", 5], "give --mixed too"),
        (["--quality", 20], "give --mixed too"),
    ],
)
def test_the_command_refuses_options_that_contradict(vcompress: CommandLine, given: list[object], options: list[object], said: str) -> None:
    answer = vcompress(*given, *options)
    assert (answer.code, answer.out) == (2, "") and said in answer.err and len(answer.err.splitlines()) == 1
