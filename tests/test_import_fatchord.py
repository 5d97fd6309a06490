"""The WaveRNN of fatchord/WaveRNN: imported, it computes and draws what the public network does; what is not sure is refused."""

import json
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
