"""The nine networks, the front end and the schedule, against the figures of the papers."""

import librosa
import numpy as np
import pytest
import torch

from vcompress.errors import VcompressError
from vcompress.runtime.mel import FrontEnd, mel_filters
from vcompress.runtime.samplers import make_sampler
from vcompress.runtime.schedule import FAST_BETAS, align
from vcompress.vocoders.catalogue import catalogue
from vcompress.vocoders.counting import count
from vcompress.vocoders.folding import fold, load_folded
from vcompress.vocoders.registry import family_names, find_family, find_size

# Parameters with weight norm, without, and 2 x MAC / 1e9 for the whole synthesis of a second: counted on the original code (Douwes 2023, Table 8).
PAPER = {
    ("melgan", "S"): (1_030_786, 1_028_609, 1.054),
    ("melgan", "M"): (4_266_050, 4_260_257, 5.646),
    ("melgan", "L"): (18_214_658, 18_200_193, 28.398),
    ("hifigan", "S"): (928_514, 925_985, 2.407),
    ("hifigan", "M"): (1_464_322, 1_462_273, 2.810),
    ("hifigan", "L"): (13_936_130, 13_926_017, 38.382),
    ("diffwave", "S"): (1_227_651, 1_227_651, 77.0),
    ("diffwave", "M"): (2_619_971, 2_619_971, 248.7),
    ("diffwave", "L"): (6_885_315, 6_885_315, 876.3),
    ("wavegrad", "S"): (4_176_513, 4_176_513, 433.3),
    ("wavegrad", "M"): (10_616_449, 10_616_449, 1070.0),
    ("wavegrad", "L"): (17_122_625, 17_122_625, 1705.4),
    ("waveflow", "S"): (5_950_164, 5_925_074, 872.5),
    ("waveflow", "M"): (12_857_300, 12_819_666, 3499.9),
    ("waveflow", "L"): (22_385_876, 22_335_698, 6207.9),
    ("waveglow", "S"): (17_595_752, 17_558_888, 44.692),
    ("waveglow", "M"): (34_830_440, 34_756_712, 113.336),
    ("waveglow", "L"): (87_879_272, 87_731_816, 324.942),
}


def speech_like(seconds: float = 1.0) -> np.ndarray:
    """A gliding harmonic tone under syllables of noise: float32 (T,)."""
    time = np.arange(round(seconds * 16000)) / 16000
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 1.5 * time)) / 16000
    voice = sum(np.sin(k * phase) / k for k in range(1, 30))
    noise = np.random.default_rng(0).standard_normal(len(time))
    return ((0.1 * voice + 0.02 * noise) * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))).astype(np.float32)


@pytest.mark.parametrize(("family", "size"), PAPER)
def test_counts_are_those_of_the_paper(family: str, size: str) -> None:
    row = count(family, size)
    parameters, folded, gflops = PAPER[family, size]
    assert (row.parameters, row.parameters_folded, row.fp32_bytes) == (parameters, folded, 4 * folded)
    assert row.gflops_per_second == pytest.approx(gflops, rel=0.005)
    assert row.network_calls == {"diffwave": 6, "wavegrad": 50}.get(family, 1)
    assert row in catalogue()


def test_catalogue_has_every_configuration() -> None:
    assert [(row.family, row.size) for row in catalogue()] == [(name, size) for name in family_names() for size in find_family(name).sizes]


@pytest.mark.parametrize("name", family_names())
def test_folded_network_computes_what_it_did(name: str) -> None:
    torch.manual_seed(0)
    family = find_family(name)
    config = family.sizes["S"]
    network = family.network(config).eval()
    for parameter in network.parameters():  # some start at zero, which would hide what they do
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.01)  # little, for flows amplify
    inputs = [torch.rand_like(x) for x in family.inputs(config, 5)]
    with torch.no_grad():
        output = network(*inputs)
        first = output[0] if isinstance(output, tuple) else output  # of a flow the latent
        assert first.shape == (1, 256 if name in ("wavernn", "subscale") else 1, 5 * config.hop_length)  # of WaveRNN the logits of the coarse symbols
        again = family.network(config).eval()
        fold(network)
        load_folded(again, network.state_dict())
        torch.testing.assert_close(network(*inputs), output, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(again(*inputs), output, atol=1e-5, rtol=1e-5)


def test_loading_folded_weights_keeps_channels_of_zeros() -> None:
    family = find_family("melgan")
    network = fold(family.network(family.sizes["S"]))
    network.stem.weight.data[3] = 0
    other = family.network(family.sizes["S"])
    load_folded(other, network.state_dict())
    torch.testing.assert_close(other.stem.weight, network.stem.weight)
    assert not other.stem.weight[3].any()


@pytest.mark.parametrize("size", ["S", "M", "L"])
@pytest.mark.parametrize("name", family_names())
def test_every_sampler_can_be_made(name: str, size: str) -> None:
    family = find_family(name)
    config = family.sizes[find_size(family, size.lower())]
    calls = make_sampler(family.sampler(config), config.hop_length).calls
    expected = {"conditioner": 1, "step": 6} if name in ("diffwave", "wavegrad") else {"network": 1}
    if name == "waveflow":
        expected = {"conditioner": 1, **{f"flow_{k}": config.height - 1 for k in range(8)}}
    if name == "sing":
        expected = {"conditioner": 1, "lstm": 1, "decoder": 1}  # the LSTM for each frame
    if name == "wavernn":
        expected = {"conditioner": 1, "coarse": 256, "fine": 256}  # for each frame
    if name == "subscale":
        expected = {"conditioner": 1, "context": 16, "coarse": 16, "fine": 16}  # for each frame, 16 samples a call
    assert calls == expected


def test_registry_lists_what_there_is_when_asked_for_something_else() -> None:
    with pytest.raises(VcompressError, match="melgan, hifigan, diffwave"):
        find_family("wavenet")
    with pytest.raises(VcompressError, match="S, M, L"):
        find_size(find_family("hifi-gan"), "XL")


def test_mel_is_librosas() -> None:
    wave, front_end = speech_like(), FrontEnd()
    # librosa 0.8.1's defaults, which the public code used: reflect padding, power 2; it drops the last frame
    theirs = librosa.feature.melspectrogram(y=wave, sr=16000, n_fft=2048, hop_length=256, n_mels=80, fmin=0, fmax=8000, pad_mode="reflect")
    expected = np.log1p(theirs)[:, : len(wave) // 256]
    assert np.abs(front_end.log_mel(wave) - expected).max() < 1e-4
    assert np.abs(mel_filters(16000, 2048, 80, 0.0, 8000.0) - librosa.filters.mel(sr=16000, n_fft=2048, n_mels=80, fmin=0, fmax=8000)).max() < 1e-6


def test_fast_schedule_lies_at_the_steps_of_the_public_code() -> None:
    schedule = align(FAST_BETAS)
    np.testing.assert_allclose(schedule.steps, [0, 0.8941, 4.0867, 10.4518, 22.9925, 42.9186], atol=5e-5)
    assert schedule.betas == FAST_BETAS
