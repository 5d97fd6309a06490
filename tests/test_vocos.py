"""Vocos: its inverse STFT against torch's, what a causal network may see, and what becomes integers."""

import numpy as np
import pytest
import torch
from tiny_vocoders import calibrated

from vcompress.runtime.samplers import make_sampler
from vcompress.runtime.samplers.istft import inverse_stft
from vcompress.vocoders import istft
from vcompress.vocoders.counting import count
from vcompress.vocoders.registry import find_family, find_size
from vcompress.vocoders.vocos import SIZES, Spectrum, Vocos, VocosConfig, vocos_forms

HOP = 256


def spectrum(n_fft: int, frames: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Random log magnitudes, some above what is possible, and directions of any length."""
    draw = np.random.default_rng(0)
    return draw.normal(0, 3, (n_fft // 2 + 1, frames)).astype(np.float32), draw.normal(0, 2, (n_fft + 2, frames)).astype(np.float32)


@pytest.mark.parametrize("n_fft", [512, 1024])
def test_the_sampler_computes_torchs_istft(n_fft: int) -> None:
    log_magnitude, direction = spectrum(n_fft)
    cosine, sine = torch.from_numpy(direction).split(n_fft // 2 + 1)
    phase = torch.atan2(sine, cosine) + torch.pi * torch.arange(n_fft // 2 + 1)[:, None]  # torch's phases are those at the start of a frame
    magnitude = torch.from_numpy(log_magnitude).clamp(max=np.log(n_fft)).exp()
    window = torch.sin(torch.pi * (torch.arange(n_fft) + 0.5) / n_fft)
    theirs = torch.istft(torch.polar(magnitude, phase), n_fft, HOP, window=window, length=12 * HOP).numpy()
    ours = inverse_stft(log_magnitude, direction, HOP)
    whole = slice(n_fft // 2 - HOP, 12 * HOP - n_fft // 2)  # where no frame is missing
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    assert np.abs(ours - theirs)[whole].max() < 0.02 * theirs[whole].std()  # of directions shorter than 0.01 the magnitude is lost


@pytest.mark.parametrize("n_fft", [512, 1024])
def test_training_goes_through_the_samplers_istft(n_fft: int) -> None:
    log_magnitude, direction = spectrum(n_fft)
    twin = istft.inverse_stft(torch.from_numpy(log_magnitude)[None], torch.from_numpy(direction)[None], HOP)
    assert twin.shape == (1, 1, 12 * HOP)
    np.testing.assert_allclose(twin.numpy().ravel(), inverse_stft(log_magnitude, direction, HOP), atol=1e-5 * float(twin.abs().max()))


def test_the_sampler_drives_the_form_to_what_the_network_computes() -> None:
    torch.manual_seed(0)
    config = VocosConfig(8, 16, 2, n_fft=512)
    network = Vocos(config).eval()
    form = vocos_forms(network, config)[0]

    def run(graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert graph == form.name
        outputs = form.module(torch.from_numpy(inputs["mel"]))
        return {name: output.numpy() for name, output in zip(form.outputs, outputs, strict=True)}

    mel = np.random.default_rng(0).random((80, 9), np.float32)
    with torch.no_grad():
        waveform = make_sampler({"name": "istft"}, HOP).synthesize(run, mel)
        np.testing.assert_allclose(waveform, network(torch.from_numpy(mel)[None]).numpy().ravel(), atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_of_a_causal_network_depends_on_no_later_mel(size: str) -> None:
    torch.manual_seed(0)
    config = SIZES[size]
    network = Vocos(VocosConfig(**{**vars(config), "channels": 8, "hidden": 8})).eval()
    mel = torch.rand(1, 80, 24)
    later = torch.cat([mel[..., :12], torch.rand(1, 80, 12)], dim=2)
    with torch.no_grad():
        before, after = (Spectrum.forward(network, x) for x in (mel, later))
        same = all(torch.equal(a[..., :12], b[..., :12]) for a, b in zip(before, after, strict=True))
        waveforms = [network(x)[..., : 12 * HOP - config.n_fft // 2] for x in (mel, later)]
    assert same == torch.equal(*waveforms) == config.causal
    assert not torch.equal(before[0][..., 12], after[0][..., 12])


def test_nano_fits_a_microcontroller() -> None:
    config, row = SIZES["nano"], count("vocos", "nano")
    assert config.causal and row.parameters_folded <= 90_000
    state = config.layers * (config.kernel - 1) * config.channels + (config.stem - 1) * config.n_mels  # bytes of the past that int8 layers look at
    outputs = 2 * 3 * config.bins  # a frame of the spectrum in 16 bits
    assert state + outputs < 6 * 1024
    assert count("vocos", "S").parameters_folded < 1_500_000


def test_sizes_are_found_however_they_are_written() -> None:
    family = find_family("vocos")
    assert [find_size(family, size) for size in ("NANO", "Nano", "s")] == ["nano", "nano", "S"]


def test_every_layer_is_an_integer_one_and_the_spectrum_has_16_bits() -> None:
    _, prepared, table = calibrated("vocos")
    graph = prepared.graphs["network"]
    assert not graph.skipped
    wide = {key for key, entry in table.entries.items() if entry.bits == 16}
    assert {"log_magnitude:conv1d", "direction:conv1d"} <= wide
    assert all(bits.input == 8 for path, bits in graph.quantized.items() if path.startswith("blocks."))


def test_what_a_relu_clips_is_clipped_by_the_rounding() -> None:
    _, prepared, table = calibrated("vocos")
    expanded = {path for path in prepared.graphs["network"].quantized if path.endswith(".expand")}
    assert expanded and not {f"{path}:conv1d" for path in expanded} & table.entries.keys()
    assert {table.entries[f"{path.removesuffix('.expand')}:relu"].zero_point for path in expanded} == {0}
