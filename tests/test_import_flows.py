"""Flows of public code bases: saved as whole modules or as state dicts, forward and inverse are those of the public network."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from public_networks import WN, Invertible1x1Conv, L0sgWaveFlow, WaveGlow, seeded
from torch import nn

from vcompress.errors import VcompressError
from vcompress.vocoders.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from vcompress.vocoders.family import Family
from vcompress.vocoders.importers import import_checkpoint
from vcompress.vocoders.importers.public import Said
from vcompress.vocoders.importers.settings import Settings
from vcompress.vocoders.registry import find_family

DATA_CONFIG = {"sampling_rate": 16000, "filter_length": 1024, "hop_length": 256, "win_length": 800, "mel_fmin": 20.0, "mel_fmax": 7600.0}
WAVEGLOW = Said(Settings({"data_config": DATA_CONFIG}, "config.json"))


@pytest.fixture
def glow(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `glow`, as it is where such a file is written."""
    module = ModuleType("glow")
    for own in (WaveGlow, WN, Invertible1x1Conv):
        monkeypatch.setattr(own, "__module__", "glow")
        setattr(module, own.__name__, own)
    monkeypatch.setitem(sys.modules, "glow", module)
    return module


def waveglow() -> WaveGlow:
    """A small one whose flows neither shrink nor grow much."""
    network = seeded(WaveGlow())
    with torch.no_grad():
        for mix, wavenet in zip(network.convinv, network.WN, strict=True):
            mix.conv.weight.copy_(torch.linalg.qr(mix.conv.weight.squeeze(-1)).Q.unsqueeze(-1))
            wavenet.end.weight.mul_(0.2)
    return network


def saved(folder: Path, content: Any, legacy: bool = False) -> Path:
    torch.save(content, folder / "waveglow_1000", _use_new_zipfile_serialization=not legacy)
    return folder / "waveglow_1000"


def again(folder: Path, checkpoint: Checkpoint) -> tuple[Checkpoint, Family]:
    read = read_checkpoint(save_checkpoint(folder / "weights.safetensors", checkpoint), checkpoint.family)
    return read, find_family(read.family)


def assert_is_waveglow(folder: Path, checkpoint: Checkpoint, network: WaveGlow) -> None:
    read, family = again(folder, checkpoint)
    torch.manual_seed(1)
    mel, audio = torch.randn(2, 80, 3), 0.3 * torch.randn(2, 768)
    with torch.no_grad():
        expected, logs = network(mel, audio)
        expected = expected.transpose(1, 2).reshape(2, 1, -1)
        latent, determinants = read.build()(audio[:, None], mel)
        assert (latent - expected).abs().max() < 1e-5
        mixing = sum(torch.linalg.slogdet(mix.conv.weight.squeeze(-1)).logabsdet * 2 * 96 for mix in network.convinv)
        torch.testing.assert_close(determinants.sum(), logs + mixing, rtol=1e-4, atol=1e-2)
        (form,) = family.forms(read.build(folded=True), read.config)
        for index in range(2):
            waveform = form.module(expected[index : index + 1], mel[index : index + 1])
            assert (waveform - audio[None, index : index + 1]).abs().max() < 1e-3


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_waveglow_from_a_whole_module(tmp_path: Path, glow: ModuleType, monkeypatch: pytest.MonkeyPatch, legacy: bool) -> None:
    network = waveglow()
    path = saved(tmp_path, {"model": network, "iteration": 1000, "optimizer": {}, "learning_rate": 1e-4}, legacy)
    monkeypatch.delitem(sys.modules, "glow")
    checkpoint, _ = import_checkpoint(path, "waveglow", WAVEGLOW)
    config = checkpoint.config
    assert (config.channels, config.layers, config.flows, config.group, config.early_every, config.early_size) == (4, 2, 4, 8, 2, 2)
    assert (checkpoint.training.steps, checkpoint.front_end.sample_rate, checkpoint.front_end.win_length) == (1000, 16000, 800)
    assert_is_waveglow(tmp_path, checkpoint, network)


def older(state: dict[str, torch.Tensor], generation: int) -> dict[str, torch.Tensor]:
    """The same weights as versions of 2018 had them: the conditions apart, in the first also residual and skip."""
    old = {}
    for key, value in state.items():
        if ".cond_layer." in key:
            old |= {key.replace("cond_layer", f"cond_layers.{i}"): part for i, part in enumerate(value.chunk(2))}
        elif generation == 1 and ".res_skip_layers.0." in key:
            residual, skip = value.chunk(2)
            old |= {key.replace("res_skip_layers", "res_layers"): residual, key.replace("res_skip_layers", "skip_layers"): skip}
        elif generation == 1 and ".res_skip_layers.1." in key:
            old[key.replace("res_skip_layers", "skip_layers")] = value
        else:
            old[key] = value
    return old


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_every_generation_of_waveglow(tmp_path: Path, generation: int) -> None:
    network = waveglow()
    state = network.state_dict() if generation == 3 else older(network.state_dict(), generation)
    path = saved(tmp_path, {"config": {}, "state_dict": {f"module.{key}": value for key, value in state.items()}})
    checkpoint, _ = import_checkpoint(path, "waveglow", Said(sample_rate=22050))
    assert checkpoint.front_end.fmax == 8000
    assert_is_waveglow(tmp_path, checkpoint, network)


def test_old_waveglow_class_is_refused(tmp_path: Path, glow: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WaveGlow, "__module__", "glow_old")
    monkeypatch.setitem(sys.modules, "glow_old", glow)
    with pytest.raises(VcompressError, match="class glow_old"):
        import_checkpoint(saved(tmp_path, {"model": waveglow()}), "waveglow", WAVEGLOW)


def test_waveglow_that_does_not_say_its_class_or_mel_is_refused(tmp_path: Path, glow: ModuleType) -> None:
    with pytest.raises(VcompressError, match="of the class glow or of glow_old"):
        import_checkpoint(saved(tmp_path, waveglow().state_dict()), "waveglow", WAVEGLOW)
    with pytest.raises(VcompressError, match="--sample-rate 22050"):
        import_checkpoint(saved(tmp_path, {"model": waveglow()}), "waveglow")
    other = Said(Settings({"data_config": {**DATA_CONFIG, "hop_length": 300}}, "config.json"))
    with pytest.raises(VcompressError, match="makes 256 samples of a frame"):
        import_checkpoint(saved(tmp_path, {"model": waveglow()}), "waveglow", other)


def test_waveglow_with_a_foreign_class_inside_is_refused(tmp_path: Path, glow: ModuleType) -> None:
    network = waveglow()
    network.extra = nn.Bilinear(1, 1, 1)
    with pytest.raises(VcompressError, match=r"names torch.nn.modules.linear.Bilinear, which would have to be run"):
        import_checkpoint(saved(tmp_path, {"model": network}), "waveglow", WAVEGLOW)


def test_waveglow_of_the_thesis(tmp_path: Path) -> None:
    network = seeded(WaveGlow(flows=12, every=4, layers=8, channels=64))
    with torch.no_grad():
        for mix, wavenet in zip(network.convinv, network.WN, strict=True):
            mix.conv.weight.copy_(torch.linalg.qr(mix.conv.weight.squeeze(-1)).Q.unsqueeze(-1))
            wavenet.end.weight.mul_(0.1)
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    torch.save({"pytorch-lightning_version": "1.5.9", "global_step": 3, "state_dict": state}, tmp_path / "a.ckpt")
    checkpoint, _ = import_checkpoint(tmp_path / "a.ckpt", "waveglow", Said(mel_maximum=5.0))
    assert (checkpoint.size, checkpoint.front_end.maximum, checkpoint.front_end.sample_rate) == ("S", 5.0, 16000)
    torch.manual_seed(1)
    mel, audio = torch.rand(1, 80, 2), 0.3 * torch.randn(1, 512)
    with torch.no_grad():
        expected = network(mel, audio)[0].transpose(1, 2).reshape(1, 1, -1)
        assert (checkpoint.build()(audio[:, None], mel)[0] - expected).abs().max() < 1e-4


WAVEFLOW = {"cin_channels": 80, "res_channels": 4, "n_height": 8, "n_layer": 2, "n_flow": 3, "n_layer_per_cycle": 1, "coupling_type": "waveflow"}


def waveflow_said(data: dict[str, Any] | None = None, **more: Any) -> Said:
    return Said(Settings({"waveflow_config": {**WAVEFLOW, **more}, "data_config": {**DATA_CONFIG, **(data or {})}}, "waveflow.json"))


def waveflow(**sizes: int) -> L0sgWaveFlow:
    network = seeded(L0sgWaveFlow(**sizes))
    with torch.no_grad():
        for flow in network.flows:
            flow.coupling.proj_log_s_t.conv.weight.mul_(0.2)
    return network


def assert_is_waveflow(checkpoint: Checkpoint, network: L0sgWaveFlow) -> None:
    torch.manual_seed(1)
    mel, audio = torch.randn(2, 80, 2), 0.3 * torch.randn(2, 512)
    with torch.no_grad():
        expected, logs = network(audio, mel)
        latent, determinants = checkpoint.build()(audio[:, None], mel)
    expected = expected.transpose(2, 3).reshape(2, 1, -1)
    assert (latent - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(determinants.sum(), logs, rtol=1e-4, atol=1e-3)


def test_waveflow(tmp_path: Path) -> None:
    network = waveflow()
    state = {**{f"module.{key}": value for key, value in network.state_dict().items()}, "module.flows.0.coupling.h_cache": torch.zeros(3)}
    path = saved(tmp_path, {"model": state, "iteration": 1000, "optimizer": {}, "scheduler": {}, "learning_rate": 2e-4})
    checkpoint, _ = import_checkpoint(path, "waveflow", waveflow_said())
    assert (checkpoint.config.height, checkpoint.training.steps, checkpoint.front_end.sample_rate) == (8, 1000, 16000)
    assert_is_waveflow(again(tmp_path, checkpoint)[0], network)


def test_waveflow_of_the_thesis(tmp_path: Path) -> None:
    network = waveflow(channels=64, height=8, flows=8, layers=8)
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    torch.save({"pytorch-lightning_version": "1.5.9", "state_dict": state}, tmp_path / "a.ckpt")
    checkpoint, _ = import_checkpoint(tmp_path / "a.ckpt", "waveflow", Said(mel_maximum=5.0))
    assert (checkpoint.size, checkpoint.config.height) == ("S", 8)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said(), "height and mel"),
        (waveflow_said(coupling_type="waveflow_bipartize"), "permutations of half the rows"),
        (waveflow_said(n_layer_per_cycle=3), "dilated in height"),
        (waveflow_said(n_height=7), "does not divide a hop of 256"),
        (waveflow_said({"use_dbmel": True}), "its mel is another"),
        (waveflow_said({"hop_length": 300}), "always makes 256"),
        (waveflow_said(n_flow=4), "flows.3.coupling.net.front_conv.0.conv.bias is missing"),
    ],
)
def test_waveflow_is_refused(tmp_path: Path, said: Said, words: str) -> None:
    path = saved(tmp_path, {"model": waveflow().state_dict(), "iteration": 1})
    with pytest.raises(VcompressError, match=words):
        import_checkpoint(path, "waveflow", said)


def test_waveflow_that_was_fused_is_refused(tmp_path: Path) -> None:
    state = {**waveflow().state_dict(), "flows.0.coupling.net.fused_filter_gate_conv_c.bias": torch.zeros(16)}
    with pytest.raises(VcompressError, match="fused for synthesis"):
        import_checkpoint(saved(tmp_path, {"model": state}), "waveflow", waveflow_said())
