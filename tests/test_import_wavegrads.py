"""WaveGrads of public code bases: each its own arithmetic, schedule and mel; the ambiguous ones are refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from public_networks import seeded
from public_wavegrads import DILATIONS, DOWN, FACTORS, UP, IvanvovkWaveGrad, LmntWaveGrad

from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder
from vcompress.errors import VcompressError
from vcompress.runtime.mel import FrontEnd
from vcompress.runtime.samplers import make_sampler
from vcompress.vocoders.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from vcompress.vocoders.importers import import_checkpoint
from vcompress.vocoders.importers.public import Said
from vcompress.vocoders.importers.settings import Settings
from vcompress.vocoders.importers.thesis import wavegrad_layers
from vcompress.vocoders.objectives import NoiseLevelObjective
from vcompress.vocoders.registry import find_family

BETAS = np.linspace(1e-6, 1e-2, 1000)
SHORT = [1e-4, 1e-2, 0.3]
DATA = {"sample_rate": 22050, "n_fft": 1024, "win_length": 1024, "hop_length": 300, "f_min": 80.0, "f_max": 8000, "n_mels": 16}
MODEL = {
    "factors": list(FACTORS),
    "upsampling_preconv_out_channels": UP[0],
    "upsampling_out_channels": list(UP[1:]),
    "upsampling_dilations": [list(d) for d in DILATIONS],
    "downsampling_preconv_out_channels": DOWN[0],
    "downsampling_out_channels": list(DOWN[1:]),
    "downsampling_dilations": [[1, 2, 4]] * 4,
}
TRAINING = {"training_noise_schedule": {"n_iter": 1000, "betas_range": [1e-6, 0.01]}}


def schedule(folder: Path, kind: str = ".json") -> Path:
    path = folder / f"schedule{kind}"
    if kind == ".json":
        path.write_text(json.dumps(SHORT))
    elif kind == ".npy":
        np.save(path, np.array(SHORT))
    else:
        torch.save(torch.tensor(SHORT, dtype=torch.float64), path)
    return path


def lmnt(folder: Path, **params: Any) -> tuple[Any, Path, Said]:
    network = seeded(LmntWaveGrad())
    params = {"sample_rate": 24000, "hop_samples": 300, "noise_schedule": BETAS.tolist(), "crop_mel_frames": 24, **params}
    torch.save({"step": 5, "model": network.state_dict(), "optimizer": {}, "params": params, "scaler": {}}, folder / "weights.pt")
    return network, folder / "weights.pt", Said(schedule=schedule(folder))


def ivanvovk(folder: Path, buffer: str = "sqrt_alphas_cumprod_m1", model: dict[str, Any] | None = None) -> tuple[Any, Path, Said]:
    network = seeded(IvanvovkWaveGrad())
    state = {f"nn.{key}": value for key, value in network.state_dict().items()}
    torch.save({"iteration": 9, "model": {"betas": torch.zeros(50), buffer: torch.ones(50), **state}, "optimizer": {}}, folder / "checkpoint_9.pt")
    config = Settings({"model_config": model or MODEL, "data_config": DATA, "training_config": TRAINING}, "config.json")
    return network, folder / "checkpoint_9.pt", Said(config, schedule=schedule(folder))


def imported(folder: Path, path: Path, said: Said) -> Checkpoint:
    checkpoint, _ = import_checkpoint(path, "wavegrad", said)
    return read_checkpoint(save_checkpoint(folder / "weights.safetensors", checkpoint), "wavegrad")


@pytest.mark.parametrize("make", [lmnt, ivanvovk])
def test_wavegrad_computes_what_the_public_network_does(tmp_path: Path, make: Callable) -> None:
    network, path, said = make(tmp_path)
    checkpoint = imported(tmp_path, path, said)
    torch.manual_seed(1)
    audio, mel, level = torch.randn(2, 900), torch.randn(2, 16, 3), torch.tensor([2.0**-5, 2.0**-7])  # at 5000 radians float32 has few digits left
    with torch.no_grad():
        expected = network(audio, mel, level) if make is lmnt else network(mel, audio, level)[:, None]
        found = checkpoint.build()(audio[:, None], level[:, None], mel)
        folded = FoldedVocoder.of(checkpoint).network(audio[:, None], level[:, None], mel)
    assert expected.abs().mean() > 0.05
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert (folded - expected).abs().max() < 1e-4 * expected.abs().max()


def test_schedule_and_mel_are_their_own(tmp_path: Path) -> None:
    _, path, said = lmnt(tmp_path)
    of_lmnt = imported(tmp_path, path, said)
    assert of_lmnt.sampler_settings["betas"] == SHORT and of_lmnt.training.steps == 5
    front_end = FrontEnd(24000, 2048, 300, 16, 20.0, 12000.0, -4.0, 1.0, win_length=1200, power=1, normalized=True, mel_scale="htk", mel_norm="none")
    assert of_lmnt.front_end == replace(front_end, logarithm="log10", log_floor=1e-5, clip=True)
    whole = imported(tmp_path, path, Said())
    assert whole.sampler_settings["betas"] == BETAS.tolist() == list(whole.training.betas)
    objective = whole.objective()
    assert isinstance(objective, NoiseLevelObjective)
    assert objective._levels[-1] == pytest.approx(np.sqrt(np.prod(1 - BETAS)))  # trained down to 0.08, the family's own to 0.88
    _, path, said = ivanvovk(tmp_path)
    of_ivanvovk = imported(tmp_path, path, said)
    assert of_ivanvovk.front_end == FrontEnd(22050, 1024, 300, 16, 80.0, 8000.0, win_length=1024, mel_scale="htk", mel_norm="none", logarithm="log10")
    assert len(of_ivanvovk.training.betas) == 1000 and of_ivanvovk.training.betas[-1] == pytest.approx(0.01)


@pytest.mark.parametrize("kind", [".npy", ".json", ".pt"])
def test_schedule_is_read(tmp_path: Path, kind: str) -> None:
    _, path, said = ivanvovk(tmp_path)
    checkpoint, _ = import_checkpoint(path, "wavegrad", replace(said, schedule=schedule(tmp_path, kind)))
    assert checkpoint.sampler is not None and checkpoint.sampler["betas"] == SHORT


@pytest.mark.parametrize("make", [lmnt, ivanvovk])
def test_calibration_goes_through_the_imported_network(tmp_path: Path, make: Callable) -> None:
    _, path, said = make(tmp_path)
    vocoder = FoldedVocoder.of(imported(tmp_path, path, said))
    prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config)
    mel = np.random.default_rng(0).random((16, 4), np.float32)
    sampler = make_sampler(vocoder.sampler, vocoder.front_end.hop_length)
    calibrate(prepared, sampler, [mel])
    assert sampler.calls == {"conditioner": 1, "step": 3}
    assert all(graph.quantized for graph in prepared.graphs.values())


def dilations(*rows: tuple[int, ...]) -> dict[str, Any]:
    return {**MODEL, "upsampling_dilations": [list(row) for row in (*rows, *DILATIONS[len(rows) :])]}


REFUSED: dict[str, tuple[Callable[[Path], tuple[Any, Path, Said]], dict[str, Any], str]] = {
    "lmnt hop": (lambda folder: lmnt(folder, hop_samples=256), {}, "a hop of 256"),
    "lmnt no schedule": (lambda folder: lmnt(folder, noise_schedule=None), {}, "does not say noise_schedule"),
    "second generation": (lambda folder: ivanvovk(folder, "sqrt_recipm1_alphas_cumprod"), {}, "before 2020-11-20"),
    "first generation": (lambda folder: ivanvovk(folder, "nn.films.0.positional_encoding.pe"), {}, "before 2020-11-20"),
    "unknown generation": (lambda folder: ivanvovk(folder, "posterior_mean_coef1"), {}, "its generation cannot be told"),
    "no config": (ivanvovk, {"config": None}, "config.json of its log folder"),
    "no schedule": (ivanvovk, {"schedule": None}, "--schedule"),
    "missing schedule": (ivanvovk, {"schedule": Path("none.npy")}, "There is no schedule none.npy"),
    "dilations": (lambda folder: ivanvovk(folder, model=dilations((1, 3, 9, 27))), {}, "upsampling_dilations .1, 3, 9, 27."),
    "other dilations fit no worse": (lambda folder: ivanvovk(folder, model={**MODEL, "factors": [5, 5, 3, 4, 2]}), {}, "multiply to 600 and a hop of 300"),
    "widths": (lambda folder: ivanvovk(folder, model={**MODEL, "upsampling_out_channels": [6, 6, 4, 4, 4]}), {}, r"\[2, 4, 3\] where .* \[4, 4, 3\]"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_import_refuses(tmp_path: Path, what: str) -> None:
    make, words, said = REFUSED[what]
    _, path, beside = make(tmp_path)
    with pytest.raises(VcompressError, match=said) as caught:
        import_checkpoint(path, "wavegrad", replace(beside, **words))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["[2.0]", "[]", "{}", "x"])
def test_schedule_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    _, path, said = ivanvovk(tmp_path)
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(VcompressError, match=r"noise schedule"):
        import_checkpoint(path, "wavegrad", replace(said, schedule=tmp_path / "other.json"))


def test_wavegrad_of_the_thesis(tmp_path: Path) -> None:
    """Its layers lie in lists between layers without weights; the code's exponents are stored with them."""
    family = find_family("wavegrad")
    torch.manual_seed(0)
    network = family.network(family.sizes["S"]).eval()
    theirs = {here: there for there, here in wavegrad_layers(family.sizes["S"]).items()}
    assert {theirs["conditioner.entry.main"], theirs["denoiser.downs.0.convolutions.2"]} == {"upnet.0.block1.2", "dnet.1.block1.6"}
    assert {theirs["denoiser.blocks.4.convolutions.2"], theirs["denoiser.films.2.shift"]} == {"upnet.4.block3.5", "films.2.convs.2"}
    state = {f"net.{theirs[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in network.state_dict().items()}
    state |= {"net.films.0.positional_encoding.exponents": torch.zeros(32), "betas": torch.zeros(50), "post_logvar": torch.zeros(50)}
    torch.save({"pytorch-lightning_version": "1.5.9", "state_dict": state}, tmp_path / "a.ckpt")
    checkpoint, _ = import_checkpoint(tmp_path / "a.ckpt", "wavegrad", Said(mel_maximum=6.0))
    assert (checkpoint.size, checkpoint.front_end) == ("S", FrontEnd(hop_length=512, maximum=6.0))
    audio, level, mel = torch.randn(1, 1, 1024), torch.full((1, 1), 0.9), torch.rand(1, 80, 2)
    with torch.no_grad():
        assert torch.equal(checkpoint.build()(audio, level, mel), network(audio, level, mel))
