"""From weights to figures with the commands that a user types, on a vocoder of a few kilobytes."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Answer, CommandLine
from tiny_bench import write_clips
from tiny_vocoders import tiny_checkpoint

from vcompress.__main__ import main
from vcompress.benchmarks import bench
from vcompress.cli import export as export_command
from vcompress.compress.recipes import METHODS, Recipe, find_recipe
from vcompress.errors import VcompressError
from vcompress.export import artifact_writer
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.workspace import Run, Workspace
from vcompress.vocoders.checkpoint import save_checkpoint
from vcompress.vocoders.diffwave import DiffWaveConfig
from vcompress.vocoders.melgan import MelGANConfig
from vcompress.vocoders.segments import Segments

CONFIGS = {
    "melgan": MelGANConfig(base_channels=2, residual_blocks=1, ratios=(256,)),
    "diffwave": DiffWaveConfig(channels=2, layers=2, dilation_cycle=2, upsample_strides=(256,)),
}


def command(*arguments: object) -> Answer:
    """A command line in this process, as the fixture `vcompress` runs it, for what several tests share."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Answer(code, out.getvalue(), err.getvalue())


class Place:
    """Recordings, weights and a workspace; what every command here is given."""

    def __init__(self, folder: Path):
        self.folder, self.workspace = folder, Workspace(folder / "runs")
        write_clips(folder / "recordings", 4, 1.0)
        for family, config in CONFIGS.items():
            save_checkpoint(self.weights(family), tiny_checkpoint(family, config))
        self.data = ["--data", folder / "recordings", "--validation", "clip_0", "--workspace", self.workspace.root]

    def weights(self, family: str) -> Path:
        return self.folder / f"{family}.safetensors"

    def make(self, verb: str, family: str, *more: object) -> Answer:
        return command(verb, family, "--weights", self.weights(family), *self.data, *more)

    def export(self, *more: object) -> Answer:
        return command("export", "--workspace", self.workspace.root, *more)

    def runs(self, **facts: object) -> list[Run]:
        return list(self.workspace.runs(**facts))


SHORT = ("--steps", 2, "--batch-size", 2, "--calibration-clips", 2)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def quantized(place: Place) -> Answer:
    """The static run of the tiny MelGAN, and its artifact as the newest."""
    answer = place.make("quantize", "melgan", "--calibration-clips", 2)
    assert answer.code == 0, answer.err
    return answer


@pytest.fixture(scope="module")
def static(place: Place, quantized: Answer) -> Answer:
    """`export --int8` when there is nothing newer than the static run."""
    return place.export("--int8", "--json")


@pytest.fixture(scope="module")
def trained(place: Place, static: Answer) -> Answer:
    """Both arms of a short QAT."""
    answer = place.make("qat", "melgan", *SHORT, "--json")
    assert answer.code == 0, answer.err
    return answer


@pytest.fixture(scope="module")
def exported(place: Place, trained: Answer) -> Answer:
    """`export --int8` after QAT and a control that is newer still."""
    control = place.workspace.new_run("melgan", "S", "control_qat_w8a8")
    control.update(complete=True)
    place.workspace.new_run("melgan", "S", "qat_w8a8")  # and a run that is not finished
    return place.export("--int8")


def test_quantize_prints_its_run(place: Place, quantized: Answer) -> None:
    run = place.workspace.open_run(quantized.out.strip())
    assert (run.facts["recipe"], run.facts["complete"]) == ("static_w8a8", True)
    assert sorted(path.name for path in run.folder.iterdir() if path.is_file()) == ["folded.safetensors", "run.json", "scales.json"]
    source = place.workspace.open_run(place.workspace.root / run.facts["source"])
    assert source.facts["recipe"] == "fp32" and (source.folder / "weights.safetensors").read_bytes() == place.weights("melgan").read_bytes()


def test_export_makes_an_artifact_of_the_quantized_run(place: Place, quantized: Answer, static: Answer) -> None:
    document = json.loads(static.out)
    assert list(document)[-1] == "artifact"
    assert Path(document["artifact"]) == Path(quantized.out.strip()) / "artifact"
    artifact = Artifact.open(document["artifact"])
    assert document["recipe"] == artifact.manifest.recipe == "static_w8a8" and document["identity"] == artifact.identity
    integer = artifact.manifest.graphs["network"].kernels["QLinearConv"]
    assert f"{integer} of" in static.err and "convolutions run as integer kernels" in static.err
    assert "network: head is float: an 8-bit waveform" in static.err  # nothing is skipped in silence


def test_qat_makes_a_control_and_a_quantized_run(place: Place, trained: Answer) -> None:
    document = json.loads(trained.out)
    control, qat = (place.workspace.open_run(run["run"]) for run in document["runs"])
    assert (control.facts["recipe"], qat.facts["recipe"]) == ("control_qat_w8a8", "qat_w8a8")
    assert document["run"] == str(qat.folder) and qat.complete and control.complete
    assert control.facts["training"] == qat.facts["training"]  # asked for the same
    assert control.facts["steps"] == qat.facts["steps"] == 2
    assert qat.facts["training"]["objective"] == "spectral"
    assert (qat.folder / "scales.json").is_file() and not (control.folder / "scales.json").exists()


def test_export_takes_the_newest_quantized_run_and_never_a_control(place: Place, trained: Answer, exported: Answer) -> None:
    assert exported.code == 0, exported.err
    assert Path(exported.out.strip()) == Path(json.loads(trained.out)["run"]) / "artifact"
    assert Artifact.open(exported.out.strip()).manifest.recipe == "qat_w8a8"


def test_export_without_int8_takes_fp32(place: Place, exported: Answer) -> None:
    answer = place.export()
    assert answer.code == 0, answer.err
    assert Artifact.open(answer.out.strip()).manifest.recipe == "fp32"
    synthesized = place.folder / "out.wav"
    for artifact in (answer.out.strip(), exported.out.strip()):
        said = command("synth", artifact, place.folder / "recordings" / "clip_1.wav", "-o", synthesized)
        assert said.code == 0 and said.out.strip() == str(synthesized)
        samples, rate = soundfile.read(synthesized)
        assert rate == 16000 and len(samples) == 16000 // 256 * 256 and np.abs(samples).max() > 0


def test_export_adds_tflite_files(place: Place, exported: Answer) -> None:
    pytest.importorskip("ai_edge_litert")
    before = Artifact.open(exported.out.strip())
    answer = place.export(before.folder.parent, "--format", "tflite", "--json")
    assert answer.code == 0, answer.err
    artifact = Artifact.open(json.loads(answer.out)["artifact"])
    assert artifact.identity == before.identity and artifact.derived_path("tflite", "network").is_file()
    assert f"XNNPACK runs {len(artifact.manifest.layers)} of {len(artifact.manifest.layers)} convolutions" in answer.err
    synthesized = place.folder / "litert.wav"
    said = command("synth", artifact.folder, place.folder / "recordings" / "clip_1.wav", "-o", synthesized, "--backend", "litert")
    assert said.code == 0 and len(soundfile.read(synthesized)[0]) == 16000 // 256 * 256


def test_export_makes_an_artifact_of_the_run_it_is_given(place: Place, trained: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_command, "newest_run", lambda *_: pytest.fail("a run was named"))
    control = json.loads(trained.out)["runs"][0]["run"]
    refused = place.export(control, "--int8")
    assert refused.code == 2 and "is control_qat_w8a8, not int8" in refused.err
    answer = place.export(control)
    assert answer.code == 0 and Path(answer.out.strip()) == Path(control) / "artifact"
    kernels = Artifact.open(answer.out.strip()).manifest.graphs["network"].kernels
    assert "QLinearConv" not in kernels and "0 of" in answer.err


def test_bench_measures_what_was_made(place: Place, exported: Answer) -> None:
    answer = command("bench", exported.out.strip(), "--workspace", place.workspace.root, "--measure", "size", "--measure", "rtf", "--repeats", 2, "--json")
    assert answer.code == 0, answer.err
    figures = json.loads(answer.out)["figures"]
    graph = Artifact.open(exported.out.strip()).manifest.graphs["network"]
    assert {figure["recipe"] for figure in figures} == {"qat_w8a8"}
    by_metric = {figure["metric"]: figure["value"] for figure in figures}
    assert by_metric["rtf"] > 0 and graph.bytes["file"] in by_metric.values()


def test_qat_that_was_stopped_goes_on_with_the_same_command(place: Place, quantized: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, calls = Segments.batch, []

    def interrupted(segments: Segments, size: int, seed: int) -> object:
        calls.append(seed)
        if len(calls) == 7:  # four batches of validation, then training
            os.kill(os.getpid(), signal.SIGINT)
        return batch(segments, size, seed)

    arguments = ("--steps", 8, "--batch-size", 1, "--calibration-clips", 1, "--no-control", "--name", "stopped", "--json")
    with monkeypatch.context() as patch:
        patch.setattr(Segments, "batch", interrupted)
        stopped = place.make("qat", "melgan", *arguments)
    assert stopped.code == 130
    run = Path(json.loads(stopped.out)["run"])
    assert not place.workspace.open_run(run).complete and 0 < json.loads(stopped.out)["runs"][0]["steps"] < 8
    assert "is not finished" in place.export(run).err
    answer = place.make("qat", "melgan", *arguments)
    assert answer.code == 0 and f"Going on with {run}" in answer.err
    assert Path(json.loads(answer.out)["run"]) == run and place.workspace.open_run(run).facts["steps"] == 8
    again = place.make("qat", "melgan", *arguments)
    assert json.loads(again.out)["run"] == str(run)  # what is finished is not done twice
    assert len(place.runs(name="stopped", recipe="qat_w8a8")) == 1


@pytest.fixture
def sizes_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`run` measures everything; here the bench knows nothing but sizes."""
    monkeypatch.setattr(bench, "FAMILIES", ("size",))
    monkeypatch.setattr(bench, "UNLESS_ASKED", ())
    yield


@pytest.mark.usefixtures("sizes_only")
@pytest.mark.parametrize(
    ("family", "recipes", "made"),
    [("diffwave", "fp32,folded_fp32", ["fp32", "folded_fp32"]), ("melgan", "folded_fp32,static_w8a8,fp32", ["static_w8a8", "fp32"])],
)
def test_run_makes_what_is_missing_and_reuses_the_rest(place: Place, monkeypatch: pytest.MonkeyPatch, family: str, recipes: str, made: list[str]) -> None:
    arguments = ("--recipes", recipes, "--clips", 1, "--json")
    first = place.make("run", family, *arguments)
    assert first.code == 0, first.err
    document = json.loads(first.out)
    assert [Artifact.open(folder).manifest.recipe for folder in document["artifacts"]] == made
    assert ("MelGAN has no schedule to fold: no folded_fp32." in first.err) == (family == "melgan")
    assert Path(document["html"]).is_file() and Path(document["csv"]).is_file()
    before = sorted(path for path in place.workspace.root.rglob("*") if path.is_file())
    monkeypatch.setattr(artifact_writer, "export_graph", lambda *_: pytest.fail("it was there"))
    second = place.make("run", family, *arguments)
    assert json.loads(second.out) == document
    assert sorted(path for path in place.workspace.root.rglob("*") if path.is_file()) == before


# --- what goes wrong --------------------------------------------------------------------------------------------------------


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.mark.parametrize("where", ["vcompress.compress.static.calibrate", "vcompress.compress.folded.FoldedVocoder.save"])
@pytest.mark.parametrize("failure", [VcompressError("There is no more room; make some."), KeyboardInterrupt()], ids=["sentence", "ctrl-c"])
def test_quantize_leaves_nothing_of_a_run_that_fails(
    place: Place, quantized: Answer, monkeypatch: pytest.MonkeyPatch, where: str, failure: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise failure

    before = files(place.workspace.root)
    monkeypatch.setattr(where, fail)
    answer = place.make("quantize", "melgan", "--calibration-clips", 1)
    assert answer.code == (130 if isinstance(failure, KeyboardInterrupt) else 2) and answer.out == ""
    assert files(place.workspace.root) == before


def test_export_leaves_nothing_of_a_folded_run_that_fails(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.make("quantize", "diffwave", "--dynamic", "--name", "folding")
    before = files(place.workspace.root)

    def fail(*_: object) -> None:
        raise VcompressError("There is no more room; make some.")

    monkeypatch.setattr(artifact_writer, "export_graph", fail)
    answer = place.export("--int8", "--fold-schedule", "--name", "folding")
    assert (answer.code, answer.out) == (2, "") and answer.err.startswith("There is no more room")
    assert files(place.workspace.root) == before


REFUSED: dict[str, tuple[Callable[[Place], list[object]], str]] = {
    "no quantized run": (lambda place: ["export", "--int8", "--name", "nothing"], "no finished quantized run"),
    "no run at all": (lambda place: ["export", "--name", "nothing"], "no finished fp32 run"),
    "no run of the size": (lambda place: ["export", "--int8", "--family", "melgan", "--size", "L"], "no finished quantized run"),
    "no such folder": (lambda place: ["export", place.folder / "nowhere"], "is not a run"),
    "a run without its weights": (lambda place: ["export", damaged(place, "folded.safetensors")], "holds no folded.safetensors"),
    "a run without its scales": (lambda place: ["export", damaged(place, "scales.json")], "is not a scale table"),
    "an unknown format": (lambda place: ["export", "--format", "tflit"], "no format 'tflit'"),
    "a schedule that is not there": (lambda place: ["export", "--family", "melgan", "--fold-schedule"], "MelGAN has no schedule to fold"),
    "a folded artifact": (lambda place: ["export", folded(place)], "is what --fold-schedule made of"),
    "an unknown family": (lambda place: ["export", "--family", "wavenet"], "no vocoder family 'wavenet'"),
    "an unknown recipe": (lambda place: ["run", "melgan", "--recipes", "fp32,int3"], "no recipe 'int3'"),
    "no recipe": (lambda place: ["run", "melgan", "--recipes", ","], "names no recipe"),
    "one checkpoint for two families": (lambda place: ["run", "melgan", "diffwave", "--weights", place.weights("melgan")], "belongs to one family"),
    "weights of another family": (lambda place: ["quantize", "hifigan", "--weights", place.weights("melgan")], "holds MelGAN S, not HiFi-GAN"),
    "a learning rate of zero": (lambda place: ["qat", "melgan", "--learning-rate", 0], "learning rate"),
}


def damaged(place: Place, lost: str) -> Path:
    """A copy of the quantized run that has lost a file."""
    run = place.workspace.new_run("melgan", "S", "static_w8a8", "damaged").update(complete=True)
    whole = place.runs(recipe="static_w8a8", name="melgan-s")[0].folder
    for name in {"folded.safetensors", "scales.json"} - {lost}:
        (run.folder / name).write_bytes((whole / name).read_bytes())
    return run.folder


def folded(place: Place) -> Path:
    return place.workspace.new_run("diffwave", "S", "folded_fp32", "folded", source="diffwave-s/fp32/x").update(complete=True).folder


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(place: Place, quantized: Answer, vcompress: CommandLine, what: str) -> None:
    make, said = REFUSED[what]
    arguments = make(place)
    before = files(place.workspace.root)
    answer = vcompress(*arguments, "--workspace", place.workspace.root)
    assert answer.code == 2 and answer.out == "" and said in answer.err, answer
    assert len(answer.err.splitlines()) == 1 and answer.err.rstrip().endswith(".")
    assert files(place.workspace.root) == before


def test_recipes_read_back() -> None:
    for method in METHODS:
        for recipe in (Recipe(method), Recipe(method, folded=True)):
            assert find_recipe(recipe.name) == recipe
    assert Recipe("control").name == "control_qat_w8a8" and not Recipe("control").integer and Recipe("qat").integer


def test_the_tools_behind_say_nothing_when_they_are_imported() -> None:
    program = "import vcompress.compress.qat, vcompress.export.artifact_writer, vcompress.compress.static"
    ended = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, timeout=300)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
