"""The WaveRNN of fatchord/WaveRNN: imported, it computes and draws what the public network does; what is not sure is refused."""

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from public_wavernn import FatchordWaveRNN, draw_level, draw_logistic, fatchord
from torch import Tensor

from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import run_form
from vcompress.errors import VcompressError
from vcompress.runtime.mel import FrontEnd
from vcompress.runtime.samplers import make_sampler
from vcompress.vocoders.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from vcompress.vocoders.importers import import_checkpoint, read_settings
from vcompress.vocoders.importers.public import Said
from vcompress.vocoders.importers.settings import Settings

HPARAMS = """
# what a user has beside the weights
wav_path = '/data/'
sample_rate = 16000
n_fft = 512
fft_bins = n_fft // 2 + 1
num_mels = 16
hop_length = 6
win_length: int = 400
fmin = 40
min_level_db = -100
ref_level_db = 20
bits = 9
mu_law = True
peak_norm = False
voc_upsample_factors = (2, 3)
voc_rnn_dims = voc_fc_dims = 10
voc_rnn_dims = 12
voc_seq_len = hop_length * 5
"""
OUTPUTS = {"RAW": 512, "MOL": 30}


def hparams(folder: Path, more: str = "") -> Settings:
    (folder / "hparams.py").write_text(HPARAMS + more)
    return read_settings(folder / "hparams.py")


def network(mode: str) -> FatchordWaveRNN:
    """Small, with what is drawn from neither flat nor all but certain."""
    found = fatchord(OUTPUTS[mode], gain=2.0)
    if mode == "MOL":
        found.fc3.bias.data[20:] -= 5
    return found


def written(folder: Path, state: Any, legacy: bool = False) -> Path:
    torch.save(state, folder / "latest_weights.pyt", _use_new_zipfile_serialization=not legacy)
    return folder / "latest_weights.pyt"


def imported(folder: Path, public: FatchordWaveRNN, said: Said | None = None, legacy: bool = False) -> Checkpoint:
    """Imported, saved as a checkpoint here, and read again."""
    checkpoint, _ = import_checkpoint(written(folder, public.state_dict(), legacy), "wavernn-gru", said or Said(hparams(folder)))
    return read_checkpoint(save_checkpoint(folder / "weights.safetensors", checkpoint), "wavernngru", "own")


def given() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.rand(2, 1, 54, generator=generator) - 1, torch.rand(2, 16, 9, generator=generator)


@torch.no_grad()
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("mode", OUTPUTS)
def test_it_computes_what_the_public_network_does(tmp_path: Path, mode: str, legacy: bool) -> None:
    public, (samples, mel) = network(mode), given()
    checkpoint = imported(tmp_path, public, legacy=legacy)
    expected = public(samples[:, 0], mel)
    assert expected.abs().mean() > 0.1
    for found in (checkpoint.build(), FoldedVocoder.of(checkpoint).network):
        assert (torch.cat(found(samples, mel), 1) - expected).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize(
    "sizes", [{}, {"pad": 1, "factors": (3,)}, {"aux": 14, "factors": (2, 2, 3), "blocks": 1}], ids=["", "one stage", "aux is no multiple"]
)
def test_conditions_and_a_step_are_those_of_the_public_network(tmp_path: Path, sizes: dict[str, Any]) -> None:
    public, (_, mel) = fatchord(512, **sizes), given()
    said = Said(Settings({"mu_law": False, "sample_rate": 8000, "hop_length": public.upsample.hop}, "x"), public_defaults=True)
    network = FoldedVocoder.of(imported(tmp_path, public, said)).network
    upsampled, *conditions = network.conditioner(mel)
    bands, (first, second, third, fourth) = public.conditions(mel)
    units, hop = 12, public.upsample.hop
    readers = (
        (public.I.weight[:, -public.part :], public.I.bias, first),
        (public.rnn2.weight_ih_l0[:, units:], public.rnn2.bias_ih_l0, second),
        (public.fc1.weight[:, units:], public.fc1.bias, third),
        (public.fc2.weight[:, -public.part :], public.fc2.bias, fourth),
    )
    assert upsampled.shape == (2, 16, 9 * hop) and (upsampled - bands).abs().max() < 1e-5
    for found, (weight, bias, part) in zip(conditions, readers, strict=True):
        expected = torch.einsum("oc,bct->bot", weight, part) + bias[:, None]
        if len(found[0]) == 3 * units:
            reset, update, new = expected.chunk(3, 1)
            expected = torch.cat([update, reset, new], 1)
        assert expected.abs().mean() > 0.05 and (found.repeat_interleave(hop, 2) - expected).abs().max() < 1e-5
    generator = torch.Generator().manual_seed(2)
    before, one, two = torch.rand(2, 1, 1, generator=generator), *(torch.rand(2, units, 1, generator=generator) - 0.5 for _ in range(2))
    logits, after_one, after_two = network.step(before, upsampled[:, :, 7:8], [c[:, :, 7 // hop : 7 // hop + 1] for c in conditions], one, two)
    x = public.I(torch.cat([before[:, :, 0], bands[:, :, 7], first[:, :, 7]], 1))[:, None]
    state_one = public.rnn1(x, one[:, :, 0][None])[1][0]
    x = x + state_one[:, None]
    state_two = public.rnn2(torch.cat([x, second[:, None, :, 7]], 2), two[:, :, 0][None])[1][0]
    x = torch.relu(public.fc1(torch.cat([x + state_two[:, None], third[:, None, :, 7]], 2)))
    expected = public.fc3(torch.relu(public.fc2(torch.cat([x, fourth[:, None, :, 7]], 2))))[:, 0]
    for found, wanted in ((logits, expected), (after_one, state_one), (after_two, state_two)):
        assert wanted.abs().mean() > 0.05 and (found[:, :, 0] - wanted).abs().max() < 1e-5


def generated(checkpoint: Checkpoint, mel: Tensor, seed: int) -> np.ndarray:
    vocoder = FoldedVocoder.of(checkpoint)
    forms = {form.name: form for form in vocoder.family.forms(vocoder.network, checkpoint.config)}
    sampler = make_sampler(vocoder.sampler, vocoder.front_end.hop_length)
    return sampler.synthesize(lambda graph, inputs: run_form(forms[graph], forms[graph].module, inputs), mel[0].numpy(), seed)


@torch.no_grad()
def test_from_the_same_uniform_numbers_it_generates_the_same_samples(tmp_path: Path) -> None:
    public, mel = network("MOL"), torch.rand(1, 16, 40, generator=torch.Generator().manual_seed(5))
    found, expected = generated(imported(tmp_path, public), mel, 3), public.generate(mel, draw_logistic(3))
    assert found.shape == (240,) and np.std(expected) > 0.1
    assert np.abs(found - expected).max() < 2e-4  # logarithms of scales are rounded to 2^-10, samples to 16 bits
    assert np.array_equal(found * 32768, np.rint(found * 32768))


@torch.no_grad()
def test_from_the_same_uniform_numbers_it_generates_the_same_levels(tmp_path: Path) -> None:
    public, mel = network("RAW"), torch.rand(1, 16, 40, generator=torch.Generator().manual_seed(5))
    found = generated(imported(tmp_path, public, Said(hparams(tmp_path, "mu_law = False"))), mel, 3)
    levels, expected = ((samples + 1) * 511 / 2 for samples in (found, public.generate(mel, draw_level(3))))
    assert np.abs(levels - np.rint(levels)).max() < 1e-4 and np.std(expected) > 30
    differing = np.abs(levels - expected) > 0.5  # where a uniform number lies between two levels' bounds, as logits are rounded to 2^-8
    assert differing.sum() < 5 and np.abs(levels - expected).max() < 1.01
    expanded = generated(imported(tmp_path, public), mel, 3)
    np.testing.assert_allclose(expanded, np.sign(found) * (512.0 ** np.abs(found.astype(float)) - 1) / 511, rtol=1e-5, atol=1e-7)


def test_the_mel_and_the_facts_are_its_own(tmp_path: Path) -> None:
    checkpoint = imported(tmp_path, network("RAW"))
    mel = FrontEnd(16000, 512, 6, 16, 40.0, 8000.0, -5.0, 0.0, win_length=400, power=1, logarithm="log10", log_floor=1e-5, clip=True)
    assert checkpoint.front_end == mel and checkpoint.config.hop_length == 6
    assert str(checkpoint.training) == "imported from fatchord/WaveRNN (latest_weights.pyt) after 800000 steps"
    assert checkpoint.sampler_settings == {"name": "sample_by_sample", "mode": "RAW", "bits": 9, "mu_law": True}
    loud = imported(tmp_path, network("MOL"), Said(hparams(tmp_path, "peak_norm = True\nmin_level_db = -80\nfmax = 8000\nvoc_mode = 'MOL'")))
    assert loud.front_end == replace(mel, peak=1.0, minimum=-4.0) and loud.sampler_settings == {"name": "sample_by_sample", "mode": "MOL"}


def test_what_the_repository_has_is_taken_where_the_user_says_so(tmp_path: Path) -> None:
    public = fatchord(30, factors=(5, 5, 11), mels=80)
    front_end = imported(tmp_path, public, Said(public_defaults=True)).front_end
    assert (front_end.sample_rate, front_end.hop_length, front_end.n_fft, front_end.window, front_end.fmin) == (22050, 275, 2048, 1100, 40.0)
    other = imported(tmp_path, public, Said(Settings({"n_fft": 1200}, "x"), sample_rate=24000, public_defaults=True)).front_end
    assert (other.sample_rate, other.fmax, other.n_fft, other.window) == (24000, 12000.0, 1200, 1100)


def test_counts_of_batches_and_steps_may_be_missing(tmp_path: Path) -> None:
    public = network("RAW")
    state = {key: value.half() if value.is_floating_point() else value for key, value in public.state_dict().items()}
    old = {f"module.{key}": value for key, value in state.items() if "num_batches" not in key and key != "step"}
    checkpoint, _ = import_checkpoint(written(tmp_path, old), "wavernngru", Said(hparams(tmp_path)))
    whole, _ = import_checkpoint(written(tmp_path, state), "wavernngru", Said(hparams(tmp_path)))
    assert (checkpoint.training.steps, whole.training.steps) == (0, 800_000)
    assert all(torch.equal(value, whole.weights[key]) for key, value in checkpoint.weights.items())


def changed(mode: str = "RAW", more: str = "", **tensors: Tensor | None) -> Callable[[Path], tuple[Any, Said]]:
    """What a file holds and what is said, with some tensors (a double underscore for a dot) changed or, where None, left out."""

    def make(folder: Path) -> tuple[Any, Said]:
        state = dict(network(mode).state_dict())
        for name, value in tensors.items():
            key = name.replace("__", ".")
            if value is None:
                del state[key]
            else:
                state[key] = value
        return state, Said(hparams(folder, more))

    return make


def bare(mode: str = "MOL", **said: Any) -> Callable[[Path], tuple[Any, Said]]:
    return lambda folder: (network(mode).state_dict(), Said(**said))


REFUSED: dict[str, tuple[Callable[[Path], tuple[Any, Said]], str]] = {
    "nothing said": (bare(), "--config, or --public-defaults where"),
    "another hop than the public one": (bare(public_defaults=True), "has hop_length 275, and .* has 6"),
    "no rate": (bare(config=Settings({"min_level_db": -100}, "hp.py")), "does not say sample_rate"),
    "no mu-law": (changed(more="mu_law = None"), "does not say mu_law as True or False"),
    "a rate that is computed": (changed(more="sample_rate = 2 * 8000"), "computes sample_rate, and no configuration is run"),
    "a level that is imported": (changed(more="from other import *"), "computes"),
    "a flag in a condition": (changed(more="if True:\n  mu_law = False"), "does not say mu_law as True or False"),
    "another rate": (lambda folder: (network("MOL").state_dict(), Said(hparams(folder), sample_rate=22050)), "--sample-rate is 22050"),
    "another mode": (changed(more="voc_mode = 'MOL'"), "has voc_mode 'MOL', and .* has the outputs of RAW"),
    "other bits": (changed(more="bits = 10"), "has bits 10, and .* has 9"),
    "other bands": (changed(more="num_mels = 80"), "has num_mels 80, and the network takes 16"),
    "a highest band": (changed(more="fmax = 7600"), "bands up to half the sample rate"),
    "other factors": (changed(more="voc_upsample_factors = (3, 2)"), "other voc_upsample_factors"),
    "a level above": (changed(more="min_level_db = 100"), "has to be negative"),
    "a forked mel": (changed(more="preemphasize = True"), "its mel is another"),
    "a size": (lambda folder: (network("RAW").state_dict(), Said(hparams(folder), size="S")), "does not depend on --size"),
    "a tensor missing": (changed(rnn2__bias_hh_l0=None), "has no rnn2.bias_hh_l0"),
    "a tensor too many": (changed(upsample__resnet__extra=torch.zeros(1)), "has upsample.resnet.extra, which has no place"),
    "another shape": (changed(fc2__weight=torch.zeros(10, 10)), r"fc2.weight of \[10, 10\] .* ask for floats of \[10, 13\]"),
    "axes": (changed(rnn1__weight_hh_l0=torch.zeros(36)), r"rnn1.weight_hh_l0 of \[36\], where such a network has 2 axes"),
    "integers": (changed(fc1__bias=torch.zeros(10, dtype=torch.int64)), "fc1.bias of .*int64"),
    "outputs": (changed(fc3__weight=torch.zeros(31, 10)), "31 outputs, neither a power of two"),
    "padding": (changed(upsample__resnet__conv_in__weight=torch.zeros(8, 16, 4)), "no network of fatchord"),
    "not a number": (changed(fc3__bias=torch.full((512,), torch.nan)), "NaN or infinite weights .fc3.bias."),
    "negative variance": (changed(upsample__resnet__batch_norm__running_var=-torch.ones(8)), "negative variances"),
    "an optimizer": (lambda folder: ({"state": {}, "param_groups": []}, Said(hparams(folder))), "no tensors of a generator"),
    "part of a name": (lambda folder: ({"rnn1.weight_hh_l0": torch.zeros(3, 1)}, Said(hparams(folder))), "a WaveRNN of an unknown kind"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_import_refuses(tmp_path: Path, name: str) -> None:
    make, words = REFUSED[name]
    content, said = make(tmp_path)
    with pytest.raises(VcompressError, match=words):
        import_checkpoint(written(tmp_path, content), "wavernngru", said)


def test_hparams_are_read_and_not_run(tmp_path: Path) -> None:
    settings = hparams(tmp_path, f"import os\nos.mkdir({str(tmp_path / 'run')!r})\nvoc_lr: float\nlevels = (-1, 2.5, 'a', None)\n")
    assert not (tmp_path / "run").exists()
    assert settings.values["voc_rnn_dims"] == 12 and settings.values["voc_fc_dims"] == 10 and settings.values["win_length"] == 400
    assert settings.values["levels"] == (-1, 2.5, "a", None) and {"fft_bins", "voc_seq_len", "os"} <= set(settings.computed)
    for text in ("def :", "x = " + "(" * 5000 + ")" * 5000, "\0"):
        (tmp_path / "hparams.py").write_text(text)
        with pytest.raises(VcompressError, match="not a configuration in Python"):
            read_settings(tmp_path / "hparams.py")


class Trap:
    """Unpickling this makes a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


def test_hostile_cut_and_empty_files_are_refused(tmp_path: Path) -> None:
    whole = written(tmp_path, network("RAW").state_dict()).read_bytes()
    trap = written(tmp_path, {**network("RAW").state_dict(), "extra": Trap(tmp_path / "run")}).read_bytes()
    for content, words in ((trap, "would have to be run"), (whole[:-700], "truncated"), (b"", "is empty"), (b"PK", "truncated")):
        (tmp_path / "latest_weights.pyt").write_bytes(content)
        with pytest.raises(VcompressError, match=words):
            import_checkpoint(tmp_path / "latest_weights.pyt", "wavernngru", Said(public_defaults=True))
    assert not (tmp_path / "run").exists()
    with zipfile.ZipFile(tmp_path / "ljspeech.zip", "w") as archive:
        archive.writestr("latest_weights.pyt", whole)
    with pytest.raises(VcompressError, match=r"is an archive with latest_weights\.pyt in it; unpack it"):
        import_checkpoint(tmp_path / "ljspeech.zip", "wavernngru", Said(public_defaults=True))
