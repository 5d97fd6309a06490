"""QAT and its control: what the fake quantizers do to gradients, and two arms that differ in nothing else."""

import copy
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from tiny_bench import FRONT_END, babble
from tiny_vocoders import calibrated, sampler_of, tiny_checkpoint, tiny_mels
from torch import Tensor, nn

from vcompress.compress.calibration import calibrate
from vcompress.compress.fake_quantize import LEARNING, ActivationQuantizer, WeightQuantizer
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.qat import FineTuned, FineTuning, fine_tune
from vcompress.compress.scale_table import ScaleTable
from vcompress.compress.static import SCALES
from vcompress.vocoders.adversarial import MelGANAdversary
from vcompress.vocoders.keeper import LAST, read_curve
from vcompress.vocoders.melgan import MelGANConfig
from vcompress.vocoders.plan import TrainingPlan
from vcompress.vocoders.segments import Batch, Segments
from vcompress.vocoders.training import Training, train, validation_batches

PLAN = TrainingPlan(steps=6, batch_size=2, frames=8, every=3, warmup=2, learning_rate=1e-3, accelerator="cpu", seed=3)
CONFIG = MelGANConfig(base_channels=2, residual_blocks=1, ratios=(256,))
VOCODER = FoldedVocoder.of(tiny_checkpoint("melgan", CONFIG))


class Recorded(Segments):
    """Segments that remember which batches were asked for."""

    def __init__(self, seed: int = 0):
        super().__init__([babble(0.5, seed), babble(0.4, seed + 1)], FRONT_END, PLAN.frames)
        self.asked: list[tuple[int, int]] = []

    def batch(self, size: int, seed: int) -> Batch:
        self.asked.append((size, seed))
        return super().batch(size, seed)


class StopAt(Callback):
    """A kill after some steps, at a moment when nothing was saved."""

    def __init__(self, step: int):
        self.step = step

    def on_train_batch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: object) -> None:
        if isinstance(module, Training) and module.steps == self.step:
            raise RuntimeError("killed")


def arm(folder: Path, faking: bool, *reports: Callback, adversary: MelGANAdversary | None = None) -> tuple[FineTuned, Recorded]:
    segments = Recorded()
    return fine_tune(VOCODER, FineTuning(PLAN, segments, Recorded(5), tiny_mels(), adversary), faking, folder, reports), segments


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, FineTuned, Recorded]]:
    """Both arms from the same start."""
    folder = tmp_path_factory.mktemp("arms")
    return {name: (folder / name, *arm(folder / name, name == "qat")) for name in ("control", "qat")}


def weights_of(folder: Path) -> dict[str, Tensor]:
    return FoldedVocoder.read(folder).network.state_dict()


def test_the_control_is_plain_training_of_the_folded_network(arms: dict, tmp_path: Path) -> None:
    folder, result, _ = arms["control"]
    network = copy.deepcopy(VOCODER.network)
    objective = VOCODER.trained.objective()
    training = Training(network, objective, PLAN, validation_batches(Recorded(5), PLAN))
    assert train(training, Recorded(), tmp_path)
    trained, start = weights_of(folder), VOCODER.network.state_dict()
    assert result.complete and result.steps == 6
    assert result.validation_loss == pytest.approx(training.last_validation, rel=1e-4)
    for key, value in network.state_dict().items():
        assert not torch.equal(value, start[key])
        torch.testing.assert_close(trained[key], value, atol=2e-5, rtol=1e-4)


def test_both_arms_see_the_same_data_in_the_same_order(arms: dict) -> None:
    (_, control, by_control), (_, qat, by_qat) = arms["control"], arms["qat"]
    assert by_control.asked == by_qat.asked and len(set(by_control.asked)) == len(by_control.asked) >= 6
    assert control.steps == qat.steps


def test_both_arms_start_from_the_same_weights_and_the_loss_falls(arms: dict) -> None:
    for folder, result, _ in arms.values():
        losses = [point["validation_loss"] for point in read_curve(folder)]
        assert result.validation_loss == losses[-1] < losses[0]


def test_only_qat_has_a_scale_table_and_its_scales_have_learned(arms: dict) -> None:
    folder, _, _ = arms["qat"]
    assert not (arms["control"][0] / SCALES).exists()
    learned = ScaleTable.read(folder / SCALES)
    prepared = PreparedVocoder(VOCODER.family, copy.deepcopy(VOCODER.network), CONFIG)
    calibrate(prepared, sampler_of(VOCODER), tiny_mels())
    calibrated_table = ScaleTable.of(prepared.graphs.values())
    assert learned.entries.keys() == calibrated_table.entries.keys()
    assert all(entry.zero_point == calibrated_table.entries[key].zero_point for key, entry in learned.entries.items())
    ratios = np.array([entry.scale / calibrated_table.entries[key].scale for key, entry in learned.entries.items()])
    assert (np.abs(ratios - 1) > 1e-3).mean() > 0.5  # most moved
    assert np.abs(np.log(ratios)).max() < 0.1  # none far: six steps of at most LEARNING times the learning rate


def test_qat_that_was_killed_ends_where_an_uninterrupted_one_does(arms: dict, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):  # a step after the last save, which is lost
        arm(tmp_path, True, StopAt(4))
    assert (tmp_path / LAST).is_file() and not (tmp_path / SCALES).exists()
    result, segments = arm(tmp_path, True)
    assert result.complete and result.steps == 6
    assert segments.asked == arms["qat"][2].asked[3:]  # from the last save on
    assert ScaleTable.read(tmp_path / SCALES) == ScaleTable.read(arms["qat"][0] / SCALES)
    whole, resumed = weights_of(arms["qat"][0]), weights_of(tmp_path)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_qat_goes_on_against_the_discriminators_where_there_are_some(tmp_path: Path) -> None:
    torch.manual_seed(0)
    adversary = MelGANAdversary(4, 8)
    before = copy.deepcopy(adversary.state_dict())
    result, _ = arm(tmp_path, True, adversary=adversary)
    assert result.complete and (tmp_path / SCALES).is_file()
    assert all(torch.equal(before[key], value) for key, value in adversary.state_dict().items())  # the other arm starts from it too


# --- fake quantizers --------------------------------------------------------------------------------------------------------


def rounding_straight_through(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


@pytest.mark.parametrize(("wide", "scale", "zero_point"), [(False, 0.02, 100), (True, 3e-5, 0)])
def test_gradients_are_those_of_rounding_straight_through(wide: bool, scale: float, zero_point: int) -> None:
    torch.manual_seed(0)
    quantizer = ActivationQuantizer(wide=wide)
    quantizer.set(scale, zero_point)
    quantizer.stretch.requires_grad_(True)
    quantizer.faking = True
    x = (2 * torch.randn(4, 50)).requires_grad_()
    weights = torch.randn(4, 50)
    output = quantizer(x)
    (output * weights).sum().backward()
    found = x.grad, quantizer.stretch.grad

    theirs, stretch = x.detach().clone().requires_grad_(), torch.zeros(1, requires_grad=True)
    learned = scale * torch.exp(LEARNING * stretch)
    low, high = (-32767, 32767) if wide else (0, 255)
    integers = (rounding_straight_through(theirs / learned) + zero_point).clamp(low, high)
    expected = (integers - zero_point) * learned
    (expected * weights).sum().backward()
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found[0], theirs.grad)
    torch.testing.assert_close(found[1], stretch.grad, atol=1e-3, rtol=1e-3)
    clipped = (integers == low) | (integers == high)
    assert 0 < clipped.sum() < clipped.numel() and found[0][clipped].eq(0).sum() >= clipped.sum() - 2


@pytest.mark.parametrize(("zero_point", "low", "high"), [(0, -32767, 32767), (0, -128, 127), (77, 0, 255), (255, 0, 255)])
def test_rounding_is_that_of_torch(zero_point: int, low: int, high: int) -> None:
    quantizer = ActivationQuantizer(wide=high == 32767, symmetric=high == 127)
    quantizer.set(0.013, zero_point)
    quantizer.faking = True
    ties = 0.013 * (torch.arange(-300, 300) + 0.5)
    x = torch.cat([torch.randn(2000), 600 * torch.randn(2000), ties])
    assert torch.equal(quantizer(x), torch.fake_quantize_per_tensor_affine(x, 0.013, zero_point, low, high))


def test_outputs_with_and_without_gradient_are_equal() -> None:
    quantizer = ActivationQuantizer()
    quantizer.set(0.013, 77)
    quantizer.faking = True
    x = torch.randn(1000)
    assert torch.equal(quantizer(x), quantizer(x.clone().requires_grad_()).detach())


@pytest.mark.parametrize("shape", [(3, 2, 5), (4, 1, 3, 3)])
def test_weight_scales_are_the_largest_weight_of_each_channel_over_127(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(shape))
    weight.data[0] = 0  # a pruned channel
    quantizer = WeightQuantizer()
    assert quantizer(weight) is weight
    quantizer.faking = True
    output = quantizer(weight)
    scale, zero_point = quantizer.calculate_qparams()
    expected = weight.detach().abs().flatten(1).amax(1) / 127
    assert scale[0] > 0 and not zero_point.any()
    torch.testing.assert_close(scale[1:], expected[1:])
    integers = output.detach() / scale.reshape(-1, *[1] * (len(shape) - 1))
    torch.testing.assert_close(integers, integers.round(), atol=1e-4, rtol=0)
    assert integers.abs().max() == pytest.approx(127, abs=1e-4)
    output.sum().backward()
    torch.testing.assert_close(weight.grad, torch.ones(shape))


def test_every_weight_and_every_scale_gets_a_gradient() -> None:
    vocoder, prepared, _ = calibrated("diffwave")
    prepared.mode(faking=True)
    inputs = [torch.rand_like(x) for x in vocoder.family.inputs(vocoder.trained.config, 6)]
    prepared(*inputs).square().sum().backward()
    silent = {id(parameter) for parameter in prepared.parameters() if parameter.grad is None}
    assert all(parameter.grad.any() for parameter in prepared.parameters() if parameter.grad is not None and parameter.ndim > 1)
    prepared.zero_grad(set_to_none=True)
    prepared.mode()
    tensors = {key: quantizer for graph in prepared.graphs.values() for key, quantizer in graph.tensors.items()}
    still = {id(quantizer.stretch) for key, quantizer in tensors.items() if quantizer.fixed or key.startswith("input:")}  # nothing is learned before an input
    assert silent == still
