"""WaveRNN sparse in blocks: matrix by matrix, through int8 into the loop; and wide sparse against narrow dense."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_qat import PLAN, StopAt
from tiny_bench import FRONT_END, babble
from tiny_vocoders import tiny_checkpoint, tiny_mels
from torch import Tensor

from vcompress.benchmarks import wavernn_sparsity, wavernn_speed
from vcompress.benchmarks.wavernn_sparsity import DENSE, SPARSE, Contest, measure, summary
from vcompress.benchmarks.wavernn_speed import random_steps, zeros
from vcompress.compress.blocks import zero_smallest
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.pruning import begin, prunable
from vcompress.compress.qat import FineTuned, FineTuning, fine_tune
from vcompress.compress.recipes import Recipe, find_recipe, pruning_of, unpruned
from vcompress.compress.scale_table import ScaleTable
from vcompress.compress.sparsity import Pruning
from vcompress.compress.static import SCALES, quantize_static
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.export.loop import read_steps
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize
from vcompress.runtime.wavernn.panels import Panels
from vcompress.vocoders.recurrence import recurrent_states
from vcompress.vocoders.segments import Segments
from vcompress.vocoders.wavernn import WaveRNNConfig

CONFIG = WaveRNNConfig(units=32, hidden=16, channels=4, layers=1, hop_length=8)
SHORT = replace(PLAN, frames=4, steps=6)
BLOCKS = Pruning.of(0.9, False, "16x1")


def vocoder() -> FoldedVocoder:
    return FoldedVocoder.of(tiny_checkpoint("wavernn", CONFIG))


def segments(seed: int = 0, hop_length: int = CONFIG.hop_length) -> Segments:
    return Segments([babble(0.1, seed)], replace(FRONT_END, hop_length=hop_length), SHORT.frames)


def prune(folder: Path, recipe: Recipe, start: FoldedVocoder, *reports: StopAt) -> FineTuned:
    begun, keepers = begin(start, recipe)
    return fine_tune(begun, FineTuning(SHORT, segments(), segments(5), tiny_mels()), recipe.method == "qat", folder, (*keepers, *reports))


def zero_blocks(weight: Tensor, rows: int, columns: int = 1) -> Tensor:
    """Of a pointwise layer: which whole blocks are zero."""
    matrix = weight.squeeze(2)
    return (matrix.view(len(matrix) // rows, rows, -1, columns) == 0).all(3).all(1)


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pruned")
    assert prune(folder, Recipe(pruning=BLOCKS), vocoder()).complete
    return folder


# --- masks ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", [0.9, 0.95, 0.975])
@pytest.mark.parametrize("block", ["1x1", "4x4", "16x1"])
def test_as_many_blocks_of_each_matrix_are_zero_as_were_asked_for(sparsity: float, block: str) -> None:
    rows, columns = Pruning.of(sparsity, False, block).block
    weight = torch.randn(96, 80, 1, generator=torch.Generator().manual_seed(1))
    weight[:32] *= 100  # one threshold for all three matrices would take none of these
    kept = weight.clone()
    zero_smallest(kept, sparsity, (rows, columns), stacked=3)
    for part, before in zip(kept.chunk(3), weight.chunk(3), strict=True):
        gone = zero_blocks(part, rows, columns)
        assert int(gone.sum()) == round(sparsity * gone.numel()) and int((part == 0).sum()) == int(gone.sum()) * rows * columns
        means = before.squeeze(2).abs().view(len(gone), rows, -1, columns).mean((1, 3))
        assert means[gone].max() <= means[~gone].min()
        assert torch.equal(part[part != 0], before[part != 0])


def test_blocks_at_the_edge_are_as_large_as_what_is_left() -> None:
    weight = torch.ones(18, 5, 1)
    weight[16:] = 0.5  # a block of two rows, smaller by its mean
    zero_smallest(weight, 0.5, (16, 4))
    assert not weight[16:].any() and bool(weight[:16].all())
    taps = torch.ones(4, 3, 2)
    taps[:, :, 1] = 0.1
    zero_smallest(taps, 0.5, (4, 3))  # inputs of one tap lie side by side
    assert bool(taps[:, :, 0].all()) and not taps[:, :, 1].any()


def test_the_recurrent_matrix_of_each_gate_and_the_layer_behind_it_are_pruned() -> None:
    assert prunable(vocoder()) == {f"{half}.{layer}.weight": n for half in ("coarse", "fine") for layer, n in (("recurrent", 3), ("hidden", 1))}
    assert set(prunable(vocoder(), ["logits"])) == {"coarse.logits.weight", "fine.logits.weight"}
    assert set(prunable(vocoder(), ["fine", "hidden"])) == {*(f"fine.{n}.weight" for n in ("recurrent", "input", "hidden", "logits")), "coarse.hidden.weight"}
    with pytest.raises(VcompressError, match="WaveRNN has no layers called gates; choose from coarse, conditioner, fine, hidden,"):
        prunable(vocoder(), ["gates"])


def test_each_gate_follows_the_cubic_schedule(tmp_path: Path) -> None:
    seen: list[list[float]] = []

    class Watch(StopAt):
        def on_train_batch_end(self, trainer: object, module: object, *_: object) -> None:
            weight = module.network.coarse.recurrent.weight  # type: ignore[attr-defined]
            seen.append([float(zero_blocks(gate, 16).float().mean()) for gate in weight.chunk(3)])

    assert prune(tmp_path, Recipe(pruning=BLOCKS), vocoder(), Watch(0)).complete
    for gates, step in zip(seen, range(1, 7), strict=True):
        part = 0.9 * (1 - (1 - min(1, step / 4)) ** 3)  # the ramp: 0.75 of 6 steps, to the next even
        assert gates == [round(part * 32) / 32] * 3  # blocks of 16 rows of a gate of 16 rows and 32 columns


def test_a_pruning_that_was_killed_ends_where_an_uninterrupted_one_does(pruned: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        prune(tmp_path, Recipe(pruning=BLOCKS), vocoder(), StopAt(4))
    assert prune(tmp_path, Recipe(pruning=BLOCKS), vocoder()).complete
    whole, resumed = (FoldedVocoder.read(folder).network.state_dict() for folder in (pruned, tmp_path))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


# --- int8 and the loop ------------------------------------------------------------------------------------------------------


def same_zeros(before: FoldedVocoder, after: FoldedVocoder) -> bool:
    return all(torch.equal(before.network.get_parameter(key) == 0, after.network.get_parameter(key) == 0) for key in prunable(before))


def test_blocks_of_zeros_reach_the_loop_which_leaves_them_out(pruned: Path, tmp_path: Path) -> None:
    start, recipe = FoldedVocoder.read(pruned), Recipe("static", pruning=BLOCKS)
    quantize_static(start, tiny_mels(1), tmp_path)
    after, table = FoldedVocoder.read(tmp_path), ScaleTable.read(tmp_path / SCALES)
    assert same_zeros(start, after)
    artifact = write_artifact(after, recipe, "tiny", tmp_path / "artifact", table, formats=("onnx", "loop"))
    assert artifact.manifest.recipe == "prune90_16x1_static_w8a8"
    steps = read_steps(artifact.folder, artifact.manifest)
    for half in (steps.coarse, steps.fine):
        panels = Panels.of(half.recurrent, 128)
        held = [int((half.recurrent.weights[16 * gate : 16 * gate + 16] != 0).any(0).sum()) for gate in range(3)]
        assert held == [32 - round(0.9 * 32)] * 3 and panels.columns is not None
        assert panels.weights.nbytes == 3 * 16 * 4 and Panels.of(half.recurrent, 128, dense=True).weights.nbytes == 3 * 16 * 32
        assert Panels.of(half.logits, 0).columns is None
    found = synthesize(artifact, load("onnxruntime", artifact), tiny_mels(1)[0][:, :2], 3)
    assert len(set(found.tolist())) > 4


def test_blocks_of_zeros_stay_through_qat(pruned: Path, tmp_path: Path) -> None:
    start = FoldedVocoder.read(pruned)
    begun, keepers = begin(start, Recipe("qat", pruning=BLOCKS))
    tuning = FineTuning(replace(SHORT, steps=1, batch_size=1, every=5), segments(), segments(5), tiny_mels(1))
    assert fine_tune(begun, tuning, True, tmp_path, keepers).complete
    after = FoldedVocoder.read(tmp_path)
    key = "coarse.recurrent.weight"
    assert same_zeros(start, after) and not torch.equal(start.network.get_parameter(key), after.network.get_parameter(key))


def test_the_speed_of_trained_steps_is_held_against_the_same_without_zeros() -> None:
    if shutil.which("cc") is None:
        pytest.skip("cc (a C compiler) is not installed")
    steps = random_steps(64, 32, 0.95, block=(4, 4))
    assert zeros(steps) == pytest.approx(0.95, abs=0.01)
    recurrent = torch.from_numpy(steps.coarse.recurrent.weights).float()[:, :, None]
    assert int(zero_blocks(recurrent, 4, 4).sum()) == round(0.95 * 24 * 16)
    _, rows = wavernn_speed.measure([], [], 0.02, 1, trained={"own": steps})
    assert [(row.size, row.sparsity) for row in rows] == [("own", 0.0), ("own", zeros(steps))] and rows[1].kilobytes < rows[0].kilobytes


# --- names ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pruning", "name"),
    [
        (Pruning.of(0.95, False, "16x1"), "prune95_16x1_fp32"),
        (Pruning.of(0.975, False, "4X4"), "prune97.5_4x4_fp32"),
        (Pruning.of(0.9, False, "1x1"), "prune90_fp32"),
        (Pruning.of(0.9, False, "16x1", ("recurrent", "hidden", "hidden")), "prune90_16x1.hidden.recurrent_fp32"),
        (Pruning.of(0.9, False, only=("recurrent",)), "prune90.recurrent_fp32"),
    ],
)
def test_blocks_and_layers_are_in_the_name_and_read_back(pruning: Pruning, name: str) -> None:
    recipe = Recipe(pruning=pruning)
    assert recipe.name == name and find_recipe(name) == recipe and pruning_of(name) == name.removesuffix("_fp32")
    for method in ("static", "qat", "control", "untouched"):
        assert find_recipe(Recipe(method, pruning=pruning).name) == Recipe(method, pruning=pruning)
    assert unpruned(Recipe("control", pruning=pruning).name) == "control_qat_w8a8"


@pytest.mark.parametrize("name", ["prune90_1x1_fp32", "prune90_016x1_fp32", "prune90_16_fp32", "prune90.b.a_fp32", "prune90._fp32", "channels0_16x1_fp32"])
def test_other_names_are_no_recipes(name: str) -> None:
    with pytest.raises(VcompressError, match="There is no recipe"):
        find_recipe(name)


@pytest.mark.parametrize("block", ["16", "0x1", "16x", "16x1x1", "65x1", "-4x4", "axb", "", "4,4"])
def test_a_block_that_is_none(block: str) -> None:
    with pytest.raises(VcompressError, match=r"is no block of weights; give rows x columns from 1 to 64 each, such as 16x1\.$"):
        Pruning.of(0.5, False, block)


def test_channels_have_no_blocks() -> None:
    for wrong in ({"block": "16x1"}, {"only": ("recurrent",)}):
        with pytest.raises(VcompressError, match="leave out --block and --only, or --structured"):
            Pruning.of(0.5, True, **wrong)  # type: ignore[arg-type]
    with pytest.raises(VcompressError, match="'a_b' is no part of a layer's name"):
        Pruning.of(0.5, False, only=("a_b",))


# --- the recurrence ---------------------------------------------------------------------------------------------------------


def test_the_recurrence_and_its_gradients_are_those_of_torchs_gru() -> None:
    draw = torch.Generator().manual_seed(3)
    given, matrix, out = (torch.randn(*shape, generator=draw) for shape in ((70, 2, 15), (15, 5), (70, 2, 5)))
    results = []
    for own in (True, False):
        x, weights = given.clone().requires_grad_(), matrix.clone().requires_grad_()
        torchs = [torch.eye(15), weights, torch.zeros(15), torch.zeros(15)]
        states = recurrent_states(x, weights) if own else torch.gru(x, torch.zeros(1, 2, 5), torchs, True, 1, 0.0, True, False, False)[0]
        (states * out).sum().backward()
        results.append((states.detach(), x.grad, weights.grad))
    for own, expected in zip(*results, strict=True):
        torch.testing.assert_close(own, expected, atol=2e-5, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        low = recurrent_states(given, matrix)
    assert low.dtype == torch.float32 and 0 < float((low - results[0][0]).abs().max()) < 0.2


# --- wide and sparse against narrow and dense -----------------------------------------------------------------------------


def test_both_networks_have_as_many_weights_and_a_second_call_trains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contest, plan = Contest(wide=64, narrow=32), replace(SHORT, steps=4, batch_size=1, frames=1)
    data = [Segments([babble(0.1, seed)], FRONT_END, plan.frames) for seed in (0, 5)]
    results = measure(contest, plan, [0, 1], *data, tmp_path)
    narrow, wide = (results[arm][0]["weights"] for arm in (DENSE, SPARSE))
    assert abs(wide / narrow - 1) < 0.02 and 0.5 < contest.sparsity < 0.9
    assert all(5 < one["nats"] < 12 and one["steps"] == 4 for found in results.values() for one in found)
    monkeypatch.setattr(wavernn_sparsity, "train_arm", lambda *_: pytest.fail("trained again"))
    assert measure(contest, plan, [0, 1], *data, tmp_path) == results
    text = summary(contest, results)
    assert "Sparse less dense: " in text and "(95 %, 2 seeds)" in text and "64 units" in text
    with pytest.raises(VcompressError, match="is of other widths or another plan; give another --folder"):
        measure(contest, replace(plan, learning_rate=0.5), [0], *data, tmp_path)
    (tmp_path / "dense-0" / "result.json").write_text("[")
    with pytest.raises(VcompressError, match="is damaged; remove its folder"):
        measure(contest, plan, [0], *data, tmp_path)


@pytest.mark.parametrize("widths", [(32, 64), (64, 64), (64, 31), (64, 0)])
def test_widths_that_are_no_contest(widths: tuple[int, int]) -> None:
    with pytest.raises(VcompressError, match="are no contest; give even numbers"):
        Contest(*widths)
    with pytest.raises(VcompressError, match="is no block of weights"):
        Contest(block="16")
