"""WaveGlow: a flow that is trained forward and ships its inverse, by one scale table."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from test_scale_table import integers, with_scales
from tiny import tiny_artifact
from tiny_bench import FRONT_END, babble
from tiny_vocoders import CONFIGS, calibrated, sampler_of, tiny_checkpoint, tiny_folded, tiny_mels
from torch import nn

from vcompress.compress.fold import fold as compress_fold
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.qat import FineTuning, fine_tune
from vcompress.compress.recipes import find_recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.compress.static import SCALES
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.export.onnx_graph import export_graph
from vcompress.runtime.backends import load
from vcompress.runtime.random import RandomStream
from vcompress.runtime.samplers import make_sampler
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.folding import fold
from vcompress.vocoders.objectives import LikelihoodObjective
from vcompress.vocoders.plan import TrainingPlan
from vcompress.vocoders.segments import Batch, Segments
from vcompress.vocoders.waveglow import SIZES, Inverse, MelUpsampler, WaveGlow, WaveGlowConfig, forward_form, inverse_form

CONFIG: WaveGlowConfig = CONFIGS["waveglow"]
FRAMES = 6


@pytest.fixture
def network() -> WaveGlow:
    """Random weights, none at zero: the flow changes what it is given."""
    built = tiny_checkpoint("waveglow").build()
    assert isinstance(built, WaveGlow)
    return built


def waveform_and_mel(batch: int = 2, frames: int = FRAMES) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(batch, 1, frames * 256, generator=draw), torch.rand(batch, 80, frames, generator=draw)


@torch.no_grad()
def test_the_inverse_gives_the_waveform_back_and_the_forward_flow_the_latent(network: WaveGlow) -> None:
    waveform, mel = waveform_and_mel()
    latent, _ = network(waveform, mel)
    assert latent.shape == waveform.shape and (latent - waveform).abs().max() > 0.1
    inverse = Inverse(network)
    assert (inverse(latent, mel) - waveform).abs().max() < 1e-4
    noise = torch.randn_like(waveform)
    assert (network(inverse(noise, mel), mel)[0] - noise).abs().max() < 1e-4


@pytest.mark.parametrize("size", SIZES)
def test_channels_leave_where_they_do_in_the_paper(size: str) -> None:
    config = SIZES[size]
    assert [config.width(k) for k in range(config.flows)] == [8] * 4 + [6] * 4 + [4] * 4


def test_the_flow_begins_as_a_rotation() -> None:
    torch.manual_seed(0)
    network = WaveGlow(CONFIG)
    waveform, mel = waveform_and_mel()
    latent, determinants = network(waveform, mel)
    assert determinants.sum().abs() < 1e-3
    torch.testing.assert_close(latent.square().sum(), waveform.square().sum())
    assert all(torch.linalg.det(flow.mix.weight.squeeze(-1)) > 0 for flow in network.flows)


def test_the_log_determinant_is_that_of_the_jacobian(network: WaveGlow) -> None:
    network.double()
    waveform, mel = (tensor.double() for tensor in waveform_and_mel(1, 1))
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x, mel)[0], waveform).reshape(256, 256)
    assert network(waveform, mel)[1].sum().item() == pytest.approx(torch.linalg.slogdet(jacobian).logabsdet.item(), rel=1e-6)


def test_the_objective_is_the_likelihood_of_the_latent_less_its_constant(network: WaveGlow) -> None:
    waveform, mel = waveform_and_mel()
    latent, determinants = network(waveform, mel)
    for sigma in (1.0, 0.5):
        normal = torch.distributions.Normal(0.0, sigma)
        constant = np.log(sigma * np.sqrt(2 * np.pi))
        expected = -(normal.log_prob(latent).sum() + determinants.sum()) / waveform.numel() - constant
        found = LikelihoodObjective(sigma).loss(network, Batch(mel, waveform, 0))
        assert found.item() == pytest.approx(expected.item(), rel=1e-4)


@torch.no_grad()
def test_an_inverse_is_that_of_the_weights_it_is_made_of(network: WaveGlow) -> None:
    """The public code keeps the first inverse it computed; here another weight is another inverse."""
    waveform, mel = waveform_and_mel()
    Inverse(network)
    for flow in network.flows:
        flow.mix.weight += 0.05 * torch.randn_like(flow.mix.weight)
    latent, _ = network(waveform, mel)
    assert (Inverse(network)(latent, mel) - waveform).abs().max() < 1e-4


def test_the_inverse_has_no_state_of_its_own(network: WaveGlow) -> None:
    state = network.state_dict()
    of_inverse = Inverse(network).state_dict()
    assert of_inverse.keys() == {key for key in state if ".mix." not in key}
    assert all(of_inverse[key].data_ptr() == state[key].data_ptr() for key in of_inverse)


def test_the_upsampler_does_not_grow_in_polyphase_form() -> None:
    upsampler = MelUpsampler(SIZES["S"])
    mel = torch.rand(1, 80, FRAMES)
    with torch.no_grad():
        expected = upsampler(mel)
        convolution = compress_fold(upsampler).transposed.convolution
        torch.testing.assert_close(upsampler(mel), expected, atol=1e-5, rtol=1e-5)
    assert expected.shape == (1, 640, 32 * FRAMES)
    assert convolution.weight.numel() == 80 * 80 * 1024 and convolution.kernel_size == (4,)


# --- one table, two forms ---------------------------------------------------------------------------------------------------


def test_one_table_gives_both_forms_the_integers_of_the_shared_layers() -> None:
    """At the flow's ends: what the last flow and the upsampler see is the same in both directions, given the same input."""
    _, _, table = calibrated("waveglow")
    vocoder = tiny_folded("waveglow")
    (shipped,), (trained,) = inverse_form(vocoder.network, CONFIG), forward_form(vocoder.network, CONFIG)
    backward, forward = with_scales(vocoder, shipped, table), with_scales(vocoder, trained, table, batched=True)
    assert backward.tensors.keys() == forward.tensors.keys() == table.entries.keys()
    assert backward.quantized == forward.quantized and backward.skipped == forward.skipped
    mel = torch.rand(1, 80, FRAMES)
    found = integers(forward, {"waveform": 0.1 * torch.randn(1, 1, 256 * FRAMES), "mel": mel})
    starts = {key: value for key, value in found.items() if key.endswith("wavenet.start:conv1d")}
    again = integers(backward, {"latent": torch.randn(1, 1, 256 * FRAMES), "mel": mel}, starts)  # each WaveNet is given what it was given there
    shared = [key for key in found if key.startswith(("upsampler", "flows."))]
    assert len(starts) == CONFIG.flows and set(again) == set(found) and len(shared) > 20 * CONFIG.flows
    for key in shared:
        assert found[key].dtype == again[key].dtype
        assert torch.equal(found[key], again[key]), key


@torch.no_grad()
def test_both_calibrated_forms_compute_what_the_network_does_until_they_fake() -> None:
    vocoder, prepared, _ = calibrated("waveglow")
    waveform, mel = waveform_and_mel(1)
    latent, _ = vocoder.network(waveform, mel)
    shipped = prepared.graphs["network"].module
    assert (shipped(latent, mel) - waveform).abs().max() < 1e-4
    prepared.mode(faking=True)
    rounded = shipped(latent, mel)
    prepared.mode()
    assert 0 < (rounded - waveform).square().mean() / waveform.square().mean() < 0.1


def test_qat_trains_the_forward_flow_and_ships_the_table_of_the_inverse(tmp_path: Path) -> None:
    vocoder = FoldedVocoder.of(tiny_checkpoint("waveglow", WaveGlowConfig(channels=2, layers=1, flows=2, early_every=1, upsample_kernel=256)))
    start = copy.deepcopy(vocoder.network.state_dict())
    plan = TrainingPlan(steps=4, batch_size=2, frames=4, every=2, warmup=1, learning_rate=1e-3, accelerator="cpu")
    clips = Segments([babble(0.5), babble(0.4, 1)], FRONT_END, plan.frames)
    result = fine_tune(vocoder, FineTuning(plan, clips, clips, tiny_mels()), True, tmp_path)
    assert result.complete and result.validation_loss is not None and np.isfinite(result.validation_loss)
    trained, table = FoldedVocoder.read(tmp_path), ScaleTable.read(tmp_path / SCALES)
    state = trained.network.state_dict()
    assert state.keys() == start.keys()
    assert all(not torch.equal(state[key], start[key]) for key in state if key.endswith("mix.weight"))
    artifact = write_artifact(trained, find_recipe("qat_w8a8"), "tiny", tmp_path / "artifact", table)
    mel, session = tiny_mels(1)[0], load("onnxruntime", artifact, 1)
    waveform, narrower, as_it_is = (synthesize(artifact, session, mel, sigma=sigma) for sigma in (None, 0.6, 1.0))
    assert np.isfinite(waveform).all() and np.array_equal(waveform, as_it_is)
    assert 0 < narrower.std() < waveform.std()


# --- the exported graph and its sampler -------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_onnx_graph_equals_torch(tmp_path: Path) -> None:
    vocoder = tiny_folded("waveglow")
    (form,) = inverse_form(vocoder.network, CONFIG)
    export_graph(form.module, form, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    assert [port.name for port in session.get_inputs()] == ["latent", "mel"]
    for frames in (4, 9):
        latent, (_, mel) = torch.randn(1, 1, 256 * frames), waveform_and_mel(1, frames)
        (found,) = session.run(None, {"latent": latent.numpy(), "mel": mel.numpy()})
        np.testing.assert_allclose(found, form.module(latent, mel).numpy(), atol=1e-4)


def test_an_untrained_flow_can_be_exported_and_its_layers_told_apart(tmp_path: Path) -> None:
    """The last layers of its WaveNets are zeros, which become one tensor; each keeps its name."""
    config = WaveGlowConfig(channels=4, layers=2, flows=2, upsample_kernel=512)
    (form,) = inverse_form(fold(WaveGlow(config)), config)
    export_graph(form.module, form, tmp_path / "network.onnx")
    onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    layers = [node.name for node in onnx.load(tmp_path / "network.onnx").graph.node if node.op_type == "Conv"]
    assert sorted(layers) == sorted(path for path, module in form.module.named_modules() if isinstance(module, nn.Conv1d))


def test_the_sampler_draws_normal_noise_of_its_sigma_and_calls_once() -> None:
    mel, given = np.zeros((80, 5), np.float32), []

    def run(graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        given.append((graph, inputs))
        return {"waveform": 0.5 * inputs["latent"]}

    for sigma in (1.0, 0.6):
        sampler = make_sampler({"name": "waveglow", "sigma": sigma}, 256)
        waveform = sampler.synthesize(run, mel, seed=3)
        noise = np.float32(sigma) * RandomStream(3).normal((1, 1, 1280))
        graph, inputs = given[-1]
        assert graph == "network" and np.array_equal(inputs["latent"], noise) and np.array_equal(inputs["mel"], mel[None])
        assert np.array_equal(waveform, np.clip(0.5 * noise.reshape(-1), -1, 1))
    assert len(given) == 2 and sampler.calls == {"network": 1}


@pytest.mark.parametrize("sigma", [-1.0, float("inf"), float("nan"), "x", None])
def test_a_sigma_that_is_none_is_refused(sigma: Any) -> None:
    with pytest.raises(VcompressError, match="settings of the waveglow sampler are damaged"):
        make_sampler({"name": "waveglow", "sigma": sigma}, 256)


def test_a_vocoder_without_such_noise_takes_no_sigma(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path)
    with pytest.raises(VcompressError, match="leave out --sigma"):
        synthesize(artifact, load("onnxruntime", artifact), tiny_mels(1)[0], sigma=0.6)


def test_every_seed_is_another_reading() -> None:
    vocoder, prepared, _ = calibrated("waveglow")
    first, again, other = (sampler_of(vocoder).synthesize(prepared.run, tiny_mels(1)[0], seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_folding_leaves_the_mixing_matrices_alone(network: WaveGlow) -> None:
    before = [flow.mix.weight.clone() for flow in network.flows]
    folded: nn.Module = fold(network)
    assert all(torch.equal(flow.mix.weight, weight) for flow, weight in zip(folded.flows, before, strict=True))
