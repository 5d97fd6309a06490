"""Weights that become zero while a vocoder trains, and stay so; recipes with a pruning in their names."""

from pathlib import Path

import lightning
import numpy as np
import onnx
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from onnx import numpy_helper
from synthetic_records import quality, record
from test_qat import PLAN, VOCODER, Recorded, StopAt
from tiny_vocoders import tiny_mels

from vcompress.benchmarks import size
from vcompress.benchmarks.lead import lead
from vcompress.benchmarks.rows import rows_of
from vcompress.benchmarks.subject import BenchSettings, Subject
from vcompress.benchmarks.verdict import Outcome, compressed, judge, quantized
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.pruning import begin, prunable
from vcompress.compress.qat import FineTuned, FineTuning, fine_tune
from vcompress.compress.recipes import PRUNED_METHODS, Pruning, Recipe, find_recipe, pruning_of, unpruned
from vcompress.compress.scale_table import ScaleTable
from vcompress.compress.static import SCALES
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.vocoders.training import Training

HALF = Pruning("prune", 50)
KEYS = prunable(VOCODER)


def train(folder: Path, recipe: Recipe, start: FoldedVocoder, *reports: Callback) -> FineTuned:
    vocoder, keepers = begin(start, recipe)
    return fine_tune(vocoder, FineTuning(PLAN, Recorded(), Recorded(5), tiny_mels()), recipe.method == "qat", folder, (*keepers, *reports))


class Watch(Callback):
    """Part of zeros in the least and the most pruned layer after each step."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def on_train_batch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: object) -> None:
        assert isinstance(module, Training)
        weights = module.network.state_dict()
        zeros = [float((weights[key] == 0).double().mean()) for key in KEYS]
        self.seen.append((min(zeros), max(zeros)))


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Watch]:
    folder, watch = tmp_path_factory.mktemp("pruned"), Watch()
    assert train(folder, Recipe(pruning=HALF), VOCODER, watch).complete
    return folder, watch


def test_every_layer_reaches_the_sparsity_along_the_cubic_schedule(pruned: tuple[Path, Watch]) -> None:
    folder, watch = pruned
    expected = [0.5 * (1 - (1 - min(1, step / 4)) ** 3) for step in range(1, 7)]  # the ramp: 0.75 of 6 steps, to the next even
    for (least, most), part in zip(watch.seen, expected, strict=True):
        assert least == pytest.approx(part, abs=0.13) and most == pytest.approx(part, abs=0.13)  # the smallest layer has 4 weights
    weights = FoldedVocoder.read(folder).network.state_dict()
    assert {float((weights[key] == 0).double().mean()) for key in KEYS} == {0.5}


def test_what_touches_the_waveform_is_not_pruned() -> None:
    assert "head.weight" not in KEYS and "stem.weight" in KEYS


def test_a_pruning_that_was_killed_ends_where_an_uninterrupted_one_does(pruned: tuple[Path, Watch], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):  # a step after the last save
        train(tmp_path, Recipe(pruning=HALF), VOCODER, StopAt(4))
    assert train(tmp_path, Recipe(pruning=HALF), VOCODER).complete
    whole, resumed = (FoldedVocoder.read(folder).network.state_dict() for folder in (pruned[0], tmp_path))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


@pytest.fixture(scope="module")
def quantized_run(pruned: tuple[Path, Watch], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("qat")
    assert train(folder, Recipe("qat", pruning=HALF), FoldedVocoder.read(pruned[0])).complete
    return folder


def test_zeros_stay_zeros_through_qat_and_in_the_file(pruned: tuple[Path, Watch], quantized_run: Path, tmp_path: Path) -> None:
    before, after = (FoldedVocoder.read(folder).network.state_dict() for folder in (pruned[0], quantized_run))
    for key in KEYS:
        assert torch.equal(before[key] == 0, after[key] == 0) and not torch.equal(before[key], after[key])
    recipe = Recipe("qat", pruning=HALF)
    artifact = write_artifact(FoldedVocoder.read(quantized_run), recipe, "tiny", tmp_path / "artifact", ScaleTable.read(quantized_run / SCALES))
    assert artifact.manifest.recipe == "prune50_qat_w8a8"
    constants = [numpy_helper.to_array(tensor) for tensor in onnx.load(artifact.folder / "graphs/network.onnx").graph.initializer]
    kernels = [array for array in constants if array.dtype == np.int8 and array.ndim == 3]
    assert len(kernels) == len(KEYS)
    assert all((array == 0).mean() >= 0.5 for array in kernels)  # rounding may add some
    figures = {planned.metric: planned.measure().value for planned in size.plan(Subject(artifact, BenchSettings()))}
    assert figures["deflated_bytes"] is not None and figures["deflated_bytes"] < 0.9 * (figures["file_bytes"] or 0)


def test_a_control_has_neither_zeros_nor_rounding(tmp_path: Path) -> None:
    vocoder, keepers = begin(VOCODER, Recipe("untouched", pruning=HALF))
    assert vocoder is VOCODER and not keepers
    assert not begin(VOCODER, Recipe("control", pruning=HALF))[1] and not begin(VOCODER, Recipe("qat"))[1]
    small, keepers = begin(VOCODER, Recipe(pruning=Pruning("channels", 50)))
    assert not keepers and len(small.network.get_submodule("stem").weight) < len(VOCODER.network.get_submodule("stem").weight)
    assert begin(small, Recipe("qat", pruning=Pruning("channels", 50)))[0] is small  # not twice


# --- names and tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pruning", [HALF, Pruning("channels", 50), Pruning("prune", 97.5), Pruning("channels", 0.1)])
def test_pruned_recipes_read_back(pruning: Pruning) -> None:
    for method in PRUNED_METHODS:
        for folded in (False, True):
            recipe = Recipe(method, folded, pruning)
            assert find_recipe(recipe.name) == recipe
            assert pruning_of(recipe.name) == str(pruning)
            assert str(pruning) not in unpruned(recipe.name)
    assert Recipe("qat", pruning=HALF).its_control.name == "control_prune50_qat_w8a8"
    assert Recipe("control", pruning=HALF).source.name == Recipe(pruning=HALF).its_control.name == "control_prune50_fp32"


@pytest.mark.parametrize("name", ["prune_fp32", "prune0_fp32", "prune100_fp32", "prune050_fp32", "prune50.0_fp32", "prune50", "control_fp32", "prune50_int4"])
def test_other_names_are_no_recipes(name: str) -> None:
    with pytest.raises(VcompressError, match="There is no recipe"):
        find_recipe(name)


@pytest.mark.parametrize("sparsity", [0.0, 1.0, -0.5, 1.5, float("nan"), float("inf"), 1e-5, 1 - 1e-5])
def test_a_sparsity_that_is_none(sparsity: float) -> None:
    with pytest.raises(VcompressError, match=r"is none; give a number from 0\.001"):
        Pruning.of(sparsity, structured=False)


def test_a_pruned_row_is_held_against_its_control() -> None:
    recipes = ("fp32", "prune50_fp32", "prune50_static_w8a8", "prune50_qat_w8a8", "control_prune50_fp32", "control_prune50_qat_w8a8", "static_w8a8")
    records = [one for recipe in recipes for one in (quality(recipe, "pesq_wb", 2.5), quality(recipe, "log_mel_l1", 0.4), record(recipe, "file_bytes", 1e6))]
    records += [quality("channels50_qat_w8a8", "pesq_wb", 2.5)]
    rows = rows_of(records)
    found = {row.recipe: (row.baseline_recipe, row.reference_recipe) for row in rows}
    assert found["prune50_fp32"] == found["prune50_static_w8a8"] == ("fp32", "control_prune50_fp32")
    assert found["prune50_qat_w8a8"] == ("fp32", "control_prune50_qat_w8a8")
    assert found["control_prune50_fp32"] == ("fp32", "fp32") and found["static_w8a8"] == ("fp32", "fp32")
    assert [row.recipe for row in rows][:3] == ["fp32", "static_w8a8", "channels50_qat_w8a8"]  # what is pruned comes after what is not
    outcomes = {row.recipe: judge(rows, row).outcome for row in rows}
    assert outcomes["control_prune50_fp32"] == outcomes["fp32"] == Outcome.REFERENCE
    assert outcomes["prune50_fp32"] in (Outcome.KEPT, Outcome.UNSURE) and outcomes["channels50_qat_w8a8"] == Outcome.UNKNOWN
    assert {row.recipe for row in quantized(rows)} == {"static_w8a8", "prune50_static_w8a8", "prune50_qat_w8a8", "channels50_qat_w8a8"}
    assert {row.recipe for row in compressed(rows)} - {row.recipe for row in quantized(rows)} == {"prune50_fp32"}
    (news,) = [phrase.text for phrase in lead(rows, ()) if phrase.text.startswith(("Static", "Prune", "Channels"))]
    assert not news.startswith("Channels")  # its control was not measured


def test_a_pruned_row_leads_in_words() -> None:
    records = [record("fp32", "file_bytes", 4e6), record("prune50_qat_w8a8", "file_bytes", 1e6)]
    records += [quality(recipe, "pesq_wb", 2.5, noise=1e-4) for recipe in ("fp32", "prune50_qat_w8a8", "control_prune50_qat_w8a8")]
    records += [quality(recipe, "log_mel_l1", 0.4, noise=1e-4) for recipe in ("fp32", "prune50_qat_w8a8", "control_prune50_qat_w8a8")]
    said = "".join(phrase.text for phrase in lead(rows_of(records), ()))
    assert said.startswith("Prune50 int8 QAT HiFi-GAN S is 4.0") and "against its control" in said
