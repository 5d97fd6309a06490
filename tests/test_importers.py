"""Checkpoints of public code bases: imported, they compute what the public network computes; what is not sure is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from public_networks import Descript, Jik876, KanBayashiHiFiGAN, KanBayashiMelGAN, Lmnt, Seungwonpark, seeded
from torch import nn

from vcompress.errors import VcompressError
from vcompress.runtime.mel import FrontEnd
from vcompress.runtime.random import RandomStream
from vcompress.runtime.schedule import align, step_code
from vcompress.vocoders.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from vcompress.vocoders.importers import import_checkpoint
from vcompress.vocoders.importers.public import Said
from vcompress.vocoders.importers.settings import Settings, parse_settings
from vcompress.vocoders.objectives import DenoisingObjective
from vcompress.vocoders.segments import Batch

H = {
    "resblock": "1",
    "upsample_rates": [8, 4, 2],
    "upsample_kernel_sizes": [16, 8, 4],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
    "num_mels": 80,
    "n_fft": 512,
    "hop_size": 64,
    "win_size": 512,
    "sampling_rate": 24000,
    "fmin": 20,
    "fmax": 11000,
    "learning_rate": 0.0002,
}
PARAMS = {
    "residual_layers": 3,
    "residual_channels": 4,
    "dilation_cycle_length": 2,
    "n_mels": 80,
    "n_fft": 1024,
    "hop_samples": 256,
    "sample_rate": 16000,
    "unconditional": False,
    "noise_schedule": np.linspace(1e-4, 0.05, 50).tolist(),
    "inference_noise_schedule": [1e-4, 1e-2, 0.05, 0.5],
    "audio_len": 110250,
}
HIFIGAN_PARAMS = {
    "in_channels": 80,
    "out_channels": 1,
    "channels": 16,
    "kernel_size": 7,
    "upsample_scales": [5, 3],
    "upsample_kernel_sizes": [10, 6],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilations": [[1, 3], [1, 2]],
    "use_additional_convs": True,
    "bias": True,
    "nonlinear_activation": "LeakyReLU",
    "nonlinear_activation_params": {"negative_slope": 0.15},
    "use_weight_norm": True,
}
MELGAN_PARAMS = {
    "in_channels": 80,
    "out_channels": 1,
    "kernel_size": 7,
    "channels": 16,
    "upsample_scales": [5, 3],
    "stack_kernel_size": 5,
    "stacks": 2,
    "use_weight_norm": True,
    "use_causal_conv": False,
    "nonlinear_activation_params": {"negative_slope": 0.25},
}
YML = {"sampling_rate": 24000, "fft_size": 2048, "hop_size": 15, "win_length": 1200, "window": "hann", "num_mels": 80, "fmin": 80, "fmax": 7600}
HP = "data:\n  train: ''\n---\naudio:\n  n_mel_channels: 80\n  filter_length: 1024\n  hop_length: 256\n  win_length: 1024\n  sampling_rate: 22050\n"
HP += "  mel_fmin: 0.0\n  mel_fmax: 8000.0\n---\nmodel:\n  feat_match: 10.0\n"


def settings(values: dict[str, Any], name: str = "config.json") -> Settings:
    return Settings(values, name)


def statistics(folder: Path) -> Path:
    np.save(folder / "stats.npy", np.stack([np.linspace(-3, -1, 80), np.linspace(0.5, 1.5, 80)]))
    return folder / "stats.npy"


def yml(kind: str, params: dict[str, Any], **more: Any) -> Settings:
    return settings({**YML, "generator_type": kind, "generator_params": params, **more}, "config.yml")


def written(folder: Path, content: Any, name: str, legacy: bool = False) -> Path:
    torch.save(content, folder / name, _use_new_zipfile_serialization=not legacy)
    return folder / name


# Each gives the public network, what its trainer writes, and what has to be said beside it.
Public = tuple[nn.Module, str, Any, Said]


def jik876(folder: Path, kind: str = "1") -> Public:
    h = {**H, "resblock": kind}
    network = seeded(Jik876(h))
    return network, "g_00012000", {"generator": network.state_dict()}, Said(settings(h))


def descript(folder: Path) -> Public:
    network = seeded(Descript(2, 2))
    return network, "best_netG.pt", network.state_dict(), Said()


def seungwonpark(folder: Path) -> Public:
    network = seeded(Seungwonpark())
    content = {"model_g": network.state_dict(), "model_d": {"a": torch.zeros(1)}, "step": 900, "epoch": 25, "hp_str": HP, "githash": "abcdef0"}
    return network, "x_abcdef0_0025.pt", content, Said()


def kan_bayashi(folder: Path, network: nn.Module, kind: str, params: dict[str, Any]) -> Public:
    seeded(network)
    content = {"model": {"generator": network.state_dict(), "discriminator": {"a": torch.zeros(1)}}, "optimizer": {}, "steps": 400, "epochs": 2}
    return network, "checkpoint-400steps.pkl", content, Said(yml(kind, params), statistics=statistics(folder))


def kan_bayashi_hifigan(folder: Path, additional: bool = True) -> Public:
    params = {**HIFIGAN_PARAMS, "use_additional_convs": additional}
    return kan_bayashi(folder, KanBayashiHiFiGAN(params), "HiFiGANGenerator", params)


def kan_bayashi_melgan(folder: Path) -> Public:
    return kan_bayashi(folder, KanBayashiMelGAN(16, (5, 3), 2, 5, 0.25), "MelGANGenerator", MELGAN_PARAMS)


def lmnt(folder: Path) -> Public:
    network = seeded(Lmnt(4, 3, 2))
    return network, "weights-7.pt", {"step": 7, "model": network.state_dict(), "optimizer": {}, "params": PARAMS, "scaler": {}}, Said()


GANS: dict[str, tuple[str, Callable[[Path], Public], FrontEnd | None]] = {
    "jik876 ResBlock1": ("hifigan", jik876, None),
    "jik876 ResBlock2": ("hifigan", lambda folder: jik876(folder, "2"), None),
    "descript": ("melgan", descript, None),
    "seungwonpark": ("melgan", seungwonpark, FrontEnd(minimum=-5.0, maximum=0.0)),
    "kan-bayashi HiFi-GAN": ("hifigan", kan_bayashi_hifigan, None),
    "kan-bayashi HiFi-GAN without additional": ("hifigan", lambda folder: kan_bayashi_hifigan(folder, False), None),
    "kan-bayashi MelGAN": ("melgan", kan_bayashi_melgan, None),
}


def imported(folder: Path, family: str, public: Public, legacy: bool = False) -> Checkpoint:
    """Imported, saved as a checkpoint here, and read again."""
    _, name, content, said = public
    checkpoint, _ = import_checkpoint(written(folder, content, name, legacy), family, said)
    read = read_checkpoint(save_checkpoint(folder / "weights.safetensors", checkpoint), family)
    assert replace(read, weights={}) == replace(checkpoint, weights={})
    return read


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", GANS)
def test_gan_computes_what_the_public_network_does(tmp_path: Path, name: str, legacy: bool) -> None:
    family, make, normalisation = GANS[name]
    public = make(tmp_path)
    checkpoint = imported(tmp_path, family, public, legacy)
    torch.manual_seed(1)
    mel = torch.randn(2, 80, 13)  # as the public network takes it
    taken = mel if normalisation is None else (mel - normalisation.minimum) / (normalisation.maximum - normalisation.minimum)
    with torch.no_grad():
        expected = public[0](mel)
        assert expected.abs().mean() > 0.01 and expected.shape[2] == 13 * checkpoint.front_end.hop_length
        for folded in (True, False):
            assert (checkpoint.build(folded)(taken) - expected).abs().max() < 1e-5


def test_diffwave_computes_what_the_public_network_does(tmp_path: Path) -> None:
    public = lmnt(tmp_path)
    checkpoint = imported(tmp_path, "diffwave", public)
    torch.manual_seed(1)
    audio, mel, steps = torch.randn(2, 1280), torch.rand(2, 80, 5), torch.tensor([0.0, 17.25])
    with torch.no_grad():
        expected = public[0](audio, steps, mel)
        found = checkpoint.build()(audio[:, None], torch.from_numpy(step_code(steps.numpy())), mel)
    assert expected.abs().mean() > 0.01
    assert (found - expected).abs().max() < 1e-5
    schedule = align((1e-4, 1e-2, 0.05, 0.5))
    assert checkpoint.sampler_settings["betas"] == list(schedule.betas) and checkpoint.sampler_settings["steps"] == list(schedule.steps)
    assert checkpoint.sampler_settings["clamp"] is True and checkpoint.front_end.sample_rate == 16000


def test_diffwave_of_another_training_schedule(tmp_path: Path) -> None:
    network, name, content, said = lmnt(tmp_path)
    betas = np.linspace(1e-4, 0.02, 200)
    checkpoint = imported(tmp_path, "diffwave", (network, name, {**content, "params": {**PARAMS, "noise_schedule": betas.tolist()}}, said))
    assert checkpoint.training.betas == tuple(betas) and checkpoint.sampler is not None
    assert checkpoint.sampler["steps"] == list(align((1e-4, 1e-2, 0.05, 0.5), tuple(betas)).steps) and max(checkpoint.sampler["steps"]) > 100
    objective = checkpoint.objective()
    assert isinstance(objective, DenoisingObjective)
    torch.manual_seed(1)
    batch = Batch(torch.rand(3, 80, 4), torch.randn(3, 1, 1024), 7)
    levels, told = objective.draw_levels(RandomStream(7), 3)
    steps = [int(np.argmin(np.abs(np.cumprod(1 - betas) - level))) for level in levels]
    np.testing.assert_allclose(told, step_code(np.array(steps)), atol=1e-6)
    assert max(steps) > 50 and torch.isfinite(objective.loss(checkpoint.build(), batch))


def test_front_end_and_facts_are_those_of_the_training(tmp_path: Path) -> None:
    hifigan = imported(tmp_path, "hifigan", jik876(tmp_path))
    expected = FrontEnd(24000, 512, 64, 80, 20.0, 11000.0, win_length=512, padding="hop", power=1, magnitude_floor=1e-9, logarithm="ln", log_floor=1e-5)
    assert hifigan.front_end == replace(expected, peak=0.95)
    assert (hifigan.size, hifigan.training.steps) == ("OWN", 12000)
    assert str(hifigan.training) == "imported from jik876/hifi-gan (g_00012000) after 12000 steps"
    melgan = imported(tmp_path, "melgan", kan_bayashi_melgan(tmp_path))
    assert (melgan.front_end.sample_rate, melgan.front_end.n_fft, melgan.front_end.win_length, melgan.front_end.hop_length) == (24000, 2048, 1200, 15)
    assert melgan.front_end.band_means[0] == -3 and melgan.front_end.band_deviations[-1] == 1.5


@pytest.mark.parametrize("spelling", ["folded", "parametrized", "half", "module."])
def test_other_spellings_of_the_same_weights(tmp_path: Path, spelling: str) -> None:
    network, name, content, said = jik876(tmp_path)
    state = dict(content["generator"])
    if spelling == "folded":
        for layer in network.modules():
            if hasattr(layer, "weight_g"):
                nn.utils.remove_weight_norm(layer)
        state = network.state_dict()
    if spelling == "parametrized":
        names = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
        state = {key.replace(key.rpartition(".")[2], names.get(key.rpartition(".")[2], key.rpartition(".")[2])): value for key, value in state.items()}
    if spelling == "half":
        state = {key: value.half() for key, value in state.items()}
    if spelling == "module.":
        state = {f"module.{key}": value for key, value in state.items()}
    found = imported(tmp_path, "hifigan", (network, name, {"generator": state}, said))
    mel = torch.rand(1, 80, 5)
    with torch.no_grad():
        assert (found.build()(mel) - network(mel)).abs().max() < (1e-2 if spelling == "half" else 1e-5)
    assert {value.dtype for value in found.weights.values()} == {torch.float32}


# --- the thesis's own -----------------------------------------------------------------------------------------------------------


def lightning(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"epoch": 3, "global_step": 1234, "pytorch-lightning_version": "1.5.9", "state_dict": state, "callbacks": {}, "optimizer_states": [], **more}


def thesis(family: str) -> tuple[nn.Module, dict[str, Any]]:
    """The S sizes under the thesis's names: HiFi-GAN S is V2."""
    if family == "hifigan":
        rates = {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4], "upsample_initial_channel": 128}
        blocks = {"resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5]] * 3}
        network = seeded(Jik876({**H, **rates, **blocks}))
        return network, {**{f"generator.{key}": value for key, value in network.state_dict().items()}, "msd.discriminators.0.weight_v": torch.ones(2)}
    if family == "melgan":
        network = seeded(Descript(16, 2))
        names = {key: f"generator.{key.rpartition('.')[0]}.conv.{key.rpartition('.')[2]}" for key in network.state_dict()}
        return network, {names[key]: value for key, value in network.state_dict().items()}
    network = seeded(Lmnt(32, 30, 10))
    return network, {f"model.{key}": value for key, value in network.state_dict().items()}


@pytest.mark.parametrize("family", ["hifigan", "melgan", "diffwave"])
def test_checkpoint_of_the_thesis(tmp_path: Path, family: str) -> None:
    network, state = thesis(family)
    path = written(tmp_path, lightning(state), "last.ckpt")
    with pytest.raises(VcompressError, match="--mel-maximum"):
        import_checkpoint(path, family)
    checkpoint, _ = import_checkpoint(path, family, Said(mel_maximum=5.5))
    assert (checkpoint.size, checkpoint.training.steps, checkpoint.front_end) == ("S", 1234, FrontEnd(maximum=5.5))
    mel = torch.rand(1, 80, 4)
    with torch.no_grad():
        if family == "diffwave":
            audio, step = torch.randn(1, 1024), torch.tensor([3.5])
            found, expected = checkpoint.build()(audio[:, None], torch.from_numpy(step_code(step.numpy())), mel), network(audio, step, mel)
        else:
            found, expected = checkpoint.build()(mel), network(mel)
    assert (found - expected).abs().max() < 1e-5


# --- what is refused ------------------------------------------------------------------------------------------------------------


def changed(make: Callable[[Path], Public], state: Callable[[dict], object] = lambda s: None, **said: Any) -> Callable[[Path], tuple[Any, str, Said]]:
    """The public file with another state, or other words beside it."""

    def build(folder: Path) -> tuple[Any, str, Said]:
        _, name, content, words = make(folder)
        inner = content
        while (key := next((k for k in ("generator", "model_g", "model") if k in inner), None)) is not None:
            inner[key] = dict(inner[key])
            inner = inner[key]
        state(inner)
        return content, name, replace(words, **said)

    return build


def h(**values: Any) -> Settings:
    return settings({key: value for key, value in {**H, **values}.items() if value is not None})


def zero_direction(state: dict) -> None:
    state["conv_pre.weight_v"] = state["conv_pre.weight_v"].clone()
    state["conv_pre.weight_v"][2] = 0


def poison(state: dict) -> None:
    state["conv_pre.bias"] = torch.full_like(state["conv_pre.bias"], float("nan"))


def early_stack(state: dict) -> None:
    for key in [key for key in state if "shortcuts" in key]:
        del state[key]
    state["generator.3.layers.0.1.bias"] = torch.zeros(1)


def with_params(**values: Any) -> Callable[[Path], tuple[Any, str, Said]]:
    def build(folder: Path) -> tuple[Any, str, Said]:
        _, name, content, said = lmnt(folder)
        return {**content, "params": {key: value for key, value in {**PARAMS, **values}.items() if value is not None}}, name, said

    return build


def kan_said(kind: str = "HiFiGANGenerator", top: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    return {"config": yml(kind, {**HIFIGAN_PARAMS, **params}, **(top or {}))}


def stats(folder: Path, rows: Any) -> Path:
    np.save(folder / "other.npy", rows)
    return folder / "other.npy"


REFUSED: dict[str, tuple[str, Callable[[Path], tuple[Any, str, Said]], str]] = {
    "no config": ("hifigan", changed(jik876, config=None), "--config, or .* --size S, M or L"),
    "another family": ("melgan", changed(jik876), "holds a HiFi-GAN of jik876/hifi-gan, not a MelGAN; import it with: vcompress import hifigan"),
    "key missing": ("hifigan", changed(jik876, lambda s: s.pop("ups.1.bias")), "ups.1.bias is missing"),
    "key too many": ("hifigan", changed(jik876, lambda s: s.update({"cond.weight": torch.zeros(1)})), "cond.weight has no place"),
    "a stage less": ("hifigan", changed(jik876, config=h(upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16])), r"ups.1.weight is \[8, 4, 8\] where"),
    "a dilation more": ("hifigan", changed(jik876, config=h(resblock_dilation_sizes=[[1, 3, 5], [1, 2, 4]])), "resblocks.0.convs1.2.bias is missing"),
    "channels": ("hifigan", changed(jik876, config=h(upsample_initial_channel=32)), r"conv_pre.bias is \[16\] where .* \[32\]"),
    "mels": ("hifigan", changed(jik876, config=h(num_mels=100)), r"conv_pre.weight is \[16, 80, 7\] where .* \[16, 100, 7\]"),
    "the other blocks": ("hifigan", changed(jik876, config=h(resblock="2")), "blocks of kind 1"),
    "a number for a name": ("hifigan", changed(jik876, config=h(resblock=1)), "blocks of kind 1"),
    "hop": ("hifigan", changed(jik876, config=h(hop_size=256)), "multiply to 64 and a hop of 256"),
    "odd kernel": ("hifigan", changed(jik876, config=h(upsample_kernel_sizes=[16, 7, 4])), "no whole frames"),
    "no rate": ("hifigan", changed(jik876, config=h(sampling_rate=None)), "does not say sampling_rate"),
    "a word for a rate": ("hifigan", changed(jik876, config=h(sampling_rate="22k")), "not a whole number above 0"),
    "bands above half the rate": ("hifigan", changed(jik876, config=h(fmax=16000)), "do not fit a sample rate"),
    "size": ("hifigan", changed(jik876, size="L"), "holds a HiFi-GAN OWN, not L"),
    "no such size": ("hifigan", changed(jik876, size="XL"), "no size 'XL'"),
    "what it does not heed": ("hifigan", changed(jik876, mel_maximum=3.0), "does not depend on --mel-maximum"),
    "zero direction": ("hifigan", changed(jik876, zero_direction), "channel of zeros in conv_pre.weight_v"),
    "NaN": ("hifigan", changed(jik876, poison), "NaN or infinite weights .conv_pre.bias"),
    "g without v": ("hifigan", changed(jik876, lambda s: s.pop("conv_pre.weight_v")), "conv_pre.weight is missing"),
    "discriminators": ("hifigan", lambda folder: ({"mpd": {}, "msd": {}, "steps": 1}, "do_1", Said()), "give the g_ file"),
    "MelGAN's discriminator": ("melgan", lambda folder: ({"model.disc_0.model.0.1.bias": torch.zeros(1)}, "netD.pt", Said()), "tensors of no known vocoder"),
    "WaveRNN": ("melgan", lambda folder: ({"rnn1.bias_hh_l0": torch.zeros(1)}, "latest_weights.pyt", Said()), "holds a WaveRNN of an unknown kind"),
    "nothing": ("melgan", lambda folder: ({"epoch": 3}, "a.pt", Said()), "no tensors of a generator"),
    "a list": ("melgan", lambda folder: ([torch.zeros(1)], "a.pt", Said()), "no tensors of a generator"),
    "args.yml": ("melgan", changed(descript, config=settings({"ngf": 32}, "args.yml")), "args.yml has ngf 32, and .* has 2"),
    "MelGAN block missing": ("melgan", changed(descript, lambda s: s.pop("model.4.block.2.bias")), "model.4.block.2.bias is missing"),
    "MelGAN hop": ("melgan", lambda folder: (seeded(Descript(2, 1, (8, 8))).state_dict(), "netG.pt", Said()), "64 samples of a frame"),
    "early seungwonpark": ("melgan", changed(seungwonpark, early_stack), "early seungwonpark/melgan"),
    "no stats": ("hifigan", changed(kan_bayashi_hifigan, statistics=None), "--stats"),
    "no yml": ("hifigan", changed(kan_bayashi_hifigan, config=None), "config.yml beside it with --config"),
    "another generator": ("hifigan", changed(kan_bayashi_hifigan, **kan_said("MelGANGenerator")), "is of a MelGANGenerator"),
    "PQMF": ("hifigan", changed(kan_bayashi_hifigan, **kan_said(out_channels=4)), "out_channels 4, and .* filter bank"),
    "causal": ("hifigan", changed(kan_bayashi_hifigan, **kan_said(use_causal_conv=True)), "causal"),
    "unknown parameter": ("hifigan", changed(kan_bayashi_hifigan, **kan_said(wings=2)), "has wings, which vcompress does not know"),
    "base 2": ("hifigan", changed(kan_bayashi_hifigan, **kan_said(top={"log_base": 2.0})), "base 2.0"),
    "gain": ("hifigan", changed(kan_bayashi_hifigan, **kan_said(top={"global_gain_scale": 0.5})), "another level"),
    "kernels": ("hifigan", changed(kan_bayashi_hifigan, **kan_said(upsample_kernel_sizes=[11, 6])), "kernel of 11, not 10"),
    "params": ("diffwave", lambda folder: ({"model": lmnt(folder)[2]["model"]}, "weights.pt", Said()), "does not hold the params"),
    "no cycle": ("diffwave", with_params(dilation_cycle_length=None), "does not say dilation_cycle_length"),
    "cycle of a word": ("diffwave", with_params(dilation_cycle_length="ten"), "not a whole number"),
    "DiffWave layers": ("diffwave", with_params(residual_layers=30), "residual_layers 30"),
    "DiffWave hop": ("diffwave", with_params(hop_samples=300), "a hop of 300"),
    "unconditional": ("diffwave", with_params(unconditional=True), "no vocoder of mels"),
    "schedule": ("diffwave", with_params(noise_schedule=[0.1, 1.2]), "not a row of numbers between 0 and 1"),
    "inference schedule": ("diffwave", with_params(inference_noise_schedule=[0.1, 2.0]), "not a row of numbers between 0 and 1"),
    "first days": ("diffwave", changed(lmnt, lambda s: s.update({"diffusion_embedding.projection1.weight": torch.zeros(4, 4, 1)})), "first days"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_import_refuses(tmp_path: Path, what: str) -> None:
    family, build, said = REFUSED[what]
    content, name, words = build(tmp_path)
    with pytest.raises(VcompressError, match=said) as caught:
        import_checkpoint(written(tmp_path, content, name), family, words)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.ones((2, 40)), "of 40 mel bands"),
        (np.ones((3, 80)), "no mean and scale"),
        (np.zeros((2, 80)), "deviation that is not positive"),
        (np.full((2, 80), np.nan), "of 80 mel bands"),
        (np.array([{}]), "no mean and scale"),
    ],
)
def test_import_refuses_statistics(tmp_path: Path, rows: Any, said: str) -> None:
    _, name, content, words = kan_bayashi_hifigan(tmp_path)
    with pytest.raises(VcompressError, match=said):
        import_checkpoint(written(tmp_path, content, name), "hifigan", replace(words, statistics=stats(tmp_path, rows)))


def test_thesis_hifigan_of_no_size_is_refused(tmp_path: Path) -> None:
    network = seeded(Jik876(H))
    path = written(tmp_path, lightning({f"generator.{key}": value for key, value in network.state_dict().items()}), "last.ckpt")
    with pytest.raises(VcompressError, match="is not a HiFi-GAN of one of the sizes S, M, L"):
        import_checkpoint(path, "hifigan", Said(mel_maximum=5.0))


def test_size_stands_for_the_configuration_of_a_published_hifigan(tmp_path: Path) -> None:
    published = {"upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8], "upsample_initial_channel": 256, "resblock": "2"}
    blocks = {"resblock_kernel_sizes": [3, 5, 7], "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]]}
    network = seeded(Jik876({**H, **published, **blocks}))
    path = written(tmp_path, {"generator": network.state_dict()}, "generator_v3")
    checkpoint, _ = import_checkpoint(path, "hifigan", Said(size="M"))
    assert (checkpoint.size, checkpoint.front_end.sample_rate, checkpoint.front_end.fmax) == ("M", 22050, 8000)
    with pytest.raises(VcompressError, match=r"conv_pre.bias is \[256\] where"):
        import_checkpoint(path, "hifigan", Said(size="S"))


def test_settings_are_read_without_running_them(tmp_path: Path) -> None:
    args = "!!python/object:argparse.Namespace\ndata_path: !!python/object/apply:pathlib.PosixPath\n- data\nngf: 32\n"
    read = parse_settings(args, "args.yml")
    assert read.whole("ngf") == 32 and read.get("data_path") == ["data"]
    mark = tmp_path / "mark"
    evil = parse_settings(f"a: !!python/object/apply:os.system ['touch {mark}']\n", "config.yml")
    assert evil.get("a") == [f"touch {mark}"] and not mark.exists()
    assert parse_settings(HP, "hp_str").part("audio").whole("hop_length") == 256
    for text in ("[1, 2]", "a: [", "", "x"):
        with pytest.raises(VcompressError, match="not a configuration"):
            parse_settings(text, "config.yml")
