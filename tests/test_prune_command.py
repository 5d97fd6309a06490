"""`vcompress prune`, and what the other commands make of its runs, on a vocoder of a few kilobytes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CommandLine
from test_pipeline import SHORT, Place, files

from vcompress.compress.folded import FoldedVocoder
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.workspace import Run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("pruned"))


@pytest.fixture(scope="module")
def runs(place: Place) -> dict[str, Run]:
    """By their recipes, the runs of one command."""
    answer = place.make("prune", "melgan", "--structured", "--int8", *SHORT, "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["run"] == document["runs"][-1]["run"]
    return {run["recipe"]: place.workspace.open_run(run["run"]) for run in document["runs"]}


def test_one_command_makes_int8_of_a_pruned_vocoder_and_the_controls_of_both(place: Place, runs: dict[str, Run]) -> None:
    assert list(runs) == ["control_channels50_fp32", "channels50_fp32", "control_channels50_qat_w8a8", "channels50_qat_w8a8"]
    assert all(run.complete for run in runs.values())
    sources = {recipe: run.facts["training"]["source"].split("/")[1] for recipe, run in runs.items()}
    assert sources == {
        "control_channels50_fp32": "fp32", "channels50_fp32": "fp32",
        "control_channels50_qat_w8a8": "control_channels50_fp32", "channels50_qat_w8a8": "channels50_fp32",
    }  # fmt: skip
    widths = {recipe: len(FoldedVocoder.read(run.folder).network.get_submodule("stem").weight) for recipe, run in runs.items()}
    assert widths == dict(zip(runs, (4, 2, 4, 2), strict=True))


def test_the_same_command_uses_what_is_there(place: Place, runs: dict[str, Run]) -> None:
    answer = place.make("prune", "melgan", "--structured", "--int8", *SHORT)
    assert Path(answer.out.strip()) == runs["channels50_qat_w8a8"].folder


def test_the_newest_quantized_run_may_be_a_pruned_one(place: Place, runs: dict[str, Run]) -> None:
    answer = place.export("--int8")
    artifact = Artifact.open(Path(answer.out.strip()))
    assert artifact.manifest.recipe == "channels50_qat_w8a8" and artifact.folder.parent == runs["channels50_qat_w8a8"].folder
    assert "head is float" in answer.err


def test_quantize_goes_on_from_a_pruned_run(place: Place, runs: dict[str, Run], vcompress: CommandLine) -> None:
    answer = vcompress("quantize", "melgan", "--from", runs["channels50_fp32"].folder, *place.data, "--calibration-clips", 2)
    run = place.workspace.open_run(answer.out.strip())
    assert run.facts["recipe"] == "channels50_static_w8a8" and (run.folder / "scales.json").is_file()
    assert run.facts["source"] == runs["channels50_fp32"].folder.relative_to(place.workspace.root).as_posix()


REFUSED: dict[str, tuple[Callable[[Place, dict[str, Run]], tuple[object, ...]], str]] = {
    "nothing": (lambda place, runs: ("prune", "melgan", "--sparsity", 0), "A sparsity of 0 is none"),
    "everything": (lambda place, runs: ("prune", "melgan", "--sparsity", 1), "A sparsity of 1 is none"),
    "less than nothing": (lambda place, runs: ("prune", "melgan", "--sparsity", -0.5), "A sparsity of -0.5 is none"),
    "no block": (lambda place, runs: ("prune", "melgan", "--block", "16"), "'16' is no block of weights; give rows x columns"),
    "channels in blocks": (lambda place, runs: ("prune", "melgan", "--structured", "--block", "16x1"), "leave out --block and --only, or --structured"),
    "no such layer": (
        lambda place, runs: ("prune", "melgan", "--only", "recurrent", "--weights", place.weights("melgan")), "MelGAN has no layers called recurrent; choose"
    ),
    "no number": (lambda place, runs: ("prune", "melgan", "--sparsity", "nan"), "A sparsity of nan is none"),
    "no channel": (
        lambda place, runs: ("prune", "melgan", "--structured", "--sparsity", 0.01, "--weights", place.weights("melgan")), "no channels to take away"
    ),
    "a pruned run's weights": (
        lambda place, runs: ("prune", "melgan", "--weights", runs["channels50_fp32"].folder / "folded.safetensors"), "give the checkpoint that belongs"
    ),
    "a control": (lambda place, runs: ("quantize", "melgan", "--from", runs["control_channels50_fp32"].folder), "Nothing is pruned in the run"),
    "a quantized run": (lambda place, runs: ("qat", "melgan", "--from", runs["channels50_qat_w8a8"].folder), "not a finished pruned run in fp32"),
    "another family": (lambda place, runs: ("qat", "hifigan", "--from", runs["channels50_fp32"].folder), "is melgan S; give that family and size"),
    "two sources": (
        lambda place, runs: ("qat", "melgan", "--from", runs["channels50_fp32"].folder, "--weights", place.weights("melgan")), "leave out --weights"
    ),
    "no run": (lambda place, runs: ("quantize", "melgan", "--from", place.folder), "is not a run of this workspace"),
    "no control": (lambda place, runs: ("qat", "melgan", "--from", lonely(place, runs)), "has not been trained; give its vcompress prune command again"),
}  # fmt: skip


def lonely(place: Place, runs: dict[str, Run]) -> Path:
    """A pruned run whose control is not there."""
    pruned = runs["channels50_fp32"]
    facts = {key: pruned.facts[key] for key in ("training", "steps")}
    run = place.workspace.new_run("melgan", "S", "channels50_fp32", "lonely", **facts).update(complete=True)
    (run.folder / "folded.safetensors").write_bytes((pruned.folder / "folded.safetensors").read_bytes())
    return run.folder


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(place: Place, runs: dict[str, Run], vcompress: CommandLine, what: str) -> None:
    make, said = REFUSED[what]
    arguments = make(place, runs)
    place.workspace.check_writable()
    before = files(place.workspace.root)
    answer = vcompress(*arguments, *place.data)
    assert answer.code == 2 and answer.out == "" and said in answer.err, answer
    assert len(answer.err.splitlines()) == 1 and answer.err.rstrip().endswith(".")
    assert files(place.workspace.root) - before <= {path for path in files(place.workspace.root) if "/fp32/" in str(path)}
