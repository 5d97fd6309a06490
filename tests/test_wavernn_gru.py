"""The WaveRNN of two GRUs after its import: its draws, its likelihood, its integers, and the way from a public file to a recording."""

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import CommandLine
from public_wavernn import fatchord
from tiny_bench import write_clips
from torch import Tensor, nn

from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.draws import draw
from vcompress.runtime.logistic import draw_logistic, draw_mixture, noise_table, scale_table
from vcompress.runtime.mel import FrontEnd
from vcompress.runtime.random import RandomStream
from vcompress.runtime.samplers import make_sampler
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.catalogue import check_entry
from vcompress.vocoders.checkpoint import Checkpoint, TrainingFacts
from vcompress.vocoders.importers.fatchord import config_of, converted
from vcompress.vocoders.importers.public import PublicFile
from vcompress.vocoders.registry import find_family, find_size
from vcompress.vocoders.sample_likelihood import SampleObjective, mixture_log_likelihood
from vcompress.vocoders.segments import Batch

HOP = 6


@cache
def checkpoint(mode: str) -> Checkpoint:
    public = fatchord({"RAW": 512, "MOL": 30}[mode], gain=2.0)
    if mode == "MOL":
        public.fc3.bias.data[20:] -= 5
    state = {key: value for key, value in public.state_dict().items() if value.is_floating_point()}
    config = config_of(PublicFile(Path("weights"), state, state))
    front_end = FrontEnd(16000, 512, HOP, 16)
    return Checkpoint("wavernngru", "OWN", config, front_end, TrainingFacts(), converted(state, config, "weights"))


def mel(frames: int = 8) -> np.ndarray:
    return np.random.default_rng(2).random((16, frames), np.float32)


@cache
def quantized(mode: str) -> tuple[FoldedVocoder, PreparedVocoder, ScaleTable]:
    vocoder = FoldedVocoder.of(checkpoint(mode))
    prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config)
    calibrate(prepared, make_sampler(vocoder.sampler, HOP), [mel()])
    return vocoder, prepared, ScaleTable.of(prepared.graphs.values())


# --- draws ------------------------------------------------------------------------------------------------------------------


def test_a_draw_among_more_than_256_levels_stays_below_32_bits() -> None:
    """By hand: 512 levels that are equally likely weigh 2^22 each, so that the upper 9 bits of a word say which."""
    for seed in range(20):
        assert draw(np.zeros(512, np.int64), RandomStream(seed)) == int(RandomStream(seed).words(1)[0]) >> 55


def test_a_logistic_is_drawn_by_its_inverse_distribution() -> None:
    noise, scales = noise_table(), scale_table()
    assert noise[32768] == round(2**16 * math.log(32768.5 / 32767.5)) and noise[0] == -noise[-1] == round(2**16 * math.log(0.5 / 65535.5))
    assert scales[16 * 1024] == 2**30 and scales[15 * 1024] == round(2**30 / math.e)
    for seed in range(20):
        u = ((int(RandomStream(seed).words(1)[0]) >> 48) + 0.5) / 65536
        expected = 0.25 + math.exp(-3) * math.log(u / (1 - u))
        assert draw_logistic(4096, -3 * 1024, RandomStream(seed)) == pytest.approx(32768 * expected, abs=0.6)


def test_draws_have_the_distribution_of_the_mixture() -> None:
    logits, means, log_scales = np.full(10, -40.0), np.zeros(10), np.full(10, -6.0)
    logits[[2, 7]], means[[2, 7]] = (math.log(3), 0.0), (-0.5, 0.5)
    stream, count = RandomStream(1), 4000
    drawn = np.array([draw_mixture(*(a.astype(np.float32) for a in (logits, means, log_scales)), stream) for _ in range(count)]) / 32768
    assert abs((drawn < 0).mean() - 0.75) < 4 * math.sqrt(0.75 * 0.25 / count)
    assert np.std(drawn[drawn < 0]) == pytest.approx(math.exp(-6) * math.pi / math.sqrt(3), rel=0.1)


def test_extremes_and_what_is_no_number_are_drawn_within_16_bits() -> None:
    for log_scale in (-32767, -16385, 5000, 32767):
        found = [draw_logistic(mean, log_scale, RandomStream(seed)) for mean in (-32767, 0, 32767) for seed in range(5)]
        assert min(found) >= -32767 and max(found) <= 32767
    assert draw_logistic(8192, -32767, RandomStream(0)) == 16384
    nothing = np.full(10, np.nan, np.float32)
    assert -32767 <= draw_mixture(nothing, nothing, nothing, RandomStream(0)) <= 32767


@pytest.mark.parametrize("settings", [{}, {"mode": "RAW"}, {"mode": "RAW", "bits": 17, "mu_law": False}, {"mode": "BITS"}])
def test_damaged_settings_are_refused(settings: dict) -> None:
    with pytest.raises(VcompressError, match="are damaged"):
        make_sampler({"name": "sample_by_sample", **settings}, HOP)


# --- the likelihood ---------------------------------------------------------------------------------------------------------


def test_levels_are_prepared_as_the_code_base_does() -> None:
    x = torch.tensor([[[-1.0, -0.01, 0.0, 0.01, 0.5, 1.0]]])
    assert SampleObjective("RAW", 9).levels(x).tolist() == [[0, 252, 255, 258, 383, 511]]
    compressed = [math.floor((math.copysign(math.log1p(511 * abs(v)) / math.log(512), v) + 1) / 2 * 511 + 0.5) for v in x.flatten().tolist()]
    assert SampleObjective("RAW", 9, True).levels(x).tolist() == [compressed]
    assert SampleObjective("MOL").levels(x).tolist() == [[0, 32439, 32767, 33095, 49151, 65535]]
    seen = SampleObjective("RAW", 9).seen(torch.tensor([[0, 511, 255]]))
    torch.testing.assert_close(seen, torch.tensor([[[0.0, -1.0, 1.0]]]))


def test_the_mixture_is_a_distribution() -> None:
    """The shares of all 65,536 levels add up to 1, those at the ends with what is beyond them; in the middle a share is what the definition says."""
    generator = torch.Generator().manual_seed(0)
    heads = [torch.randn(1, 10, 1, generator=generator), 0.6 * torch.randn(1, 10, 1, generator=generator), torch.randn(1, 10, 1, generator=generator) - 4]
    found = mixture_log_likelihood([head.double().expand(-1, -1, 65536) for head in heads], torch.arange(65536)[None])
    assert found.exp().sum().item() == pytest.approx(1, abs=1e-6)
    logits, means, log_scales = (head.double()[0, :, 0] for head in heads)
    y, half = 2 * 40000 / 65535 - 1, 1 / 65535
    cdf = [torch.sigmoid((y + side - means) * torch.exp(-log_scales)) for side in (half, -half)]
    assert found[0, 40000].item() == pytest.approx(torch.log((torch.softmax(logits, 0) * (cdf[0] - cdf[1])).sum()).item(), rel=1e-6)


@pytest.mark.parametrize("mode", ["RAW", "MOL"])
def test_quantization_aware_training_goes_through_the_step(mode: str) -> None:
    vocoder, prepared, _ = quantized(mode)
    objective, generator = vocoder.trained.objective(), torch.Generator().manual_seed(1)
    batch = Batch(torch.from_numpy(mel(4))[None].repeat(2, 1, 1), 0.3 * torch.randn(2, 1, 4 * HOP, generator=generator).clamp(-1, 1), 0)

    def loss(network: nn.Module) -> Tensor:
        return objective.loss(network, batch)

    plain = loss(checkpoint(mode).build()).item()
    assert loss(prepared).item() == pytest.approx(plain, rel=1e-4)
    prepared.mode(faking=True)
    rounded = loss(prepared)
    prepared.mode()
    assert 0 < abs(rounded.item() - plain) < 0.05 * plain
    rounded.backward()
    trained = dict(prepared.graphs["step"].module.named_parameters())
    assert all(
        trained[f"step.{path}.weight"].grad.any() for path in ("sample", "mel", "rnn1.input", "rnn1.recurrent", "rnn2.recurrent", "hidden1", "heads.logits")
    )
    assert prepared.graphs["conditioner"].module.get_parameter("conditioner.stem.weight").grad.any()
    assert prepared.graphs["step"].tensors["step:relu"].stretch.grad is not None


# --- what is exported -------------------------------------------------------------------------------------------------------


def test_onnx_runtime_gives_the_integers_of_the_fake_quantized_network(tmp_path: Path) -> None:
    vocoder, prepared, table = quantized("MOL")
    artifact = write_artifact(vocoder, Recipe("static"), "tiny", tmp_path / "artifact", table)
    ports = {port.name: port for port in artifact.manifest.graphs["step"].inputs}
    assert {name: port.dtype for name, port in ports.items() if port.dtype != "int16"} == {"sample": "float32"}
    assert ports["state1"].scale == ports["state2"].scale == 2.0**-15
    assert {row.precision[:3] for row in artifact.manifest.layers} == {"w8a"} and artifact.manifest.sampler == vocoder.sampler
    found = synthesize(artifact, load("onnxruntime", artifact), mel(), 3)
    sampler = make_sampler(vocoder.sampler, HOP)
    whole = sampler.synthesize(prepared.run, mel(), 3)
    prepared.mode(faking=True)
    expected = sampler.synthesize(prepared.run, mel(), 3)
    prepared.mode()
    assert found.shape == (8 * HOP,) and np.std(found) > 0.05
    assert (np.abs(found - expected) < 1e-3).mean() > 0.5 and np.abs(found - expected)[:4].max() < 2e-3  # the same draws until a sum is rounded otherwise
    assert np.corrcoef(found, whole)[0, 1] > 0.3


def test_it_has_no_size_but_that_of_an_import() -> None:
    assert check_entry("wavernn-gru", None) == ("wavernngru", "OWN") == check_entry("wavernn_gru", "own")
    for refuse in (lambda: check_entry("wavernngru", "S"), lambda: find_size(find_family("wavernngru"), "S")):
        with pytest.raises(VcompressError, match="comes by import alone"):
            refuse()


def test_from_a_public_file_to_a_recording(vcompress: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(fatchord(512, mels=80, factors=(5,)).state_dict(), "latest_weights.pyt")
    Path("hparams.py").write_text("sample_rate = 8000\nn_fft = 256\nhop_length = 5\nwin_length = 20\nfmin = 40\nmin_level_db = -100\nmu_law = True\n")
    write_clips(tmp_path / "recordings", 2, 0.1)
    answers = [vcompress("import", "wavernn", "latest_weights.pyt"), vcompress("train", "wavernn-gru", "--data", "recordings")]
    assert [answer.code for answer in answers] == [2, 2]
    assert "import it with: vcompress import wavernngru" in answers[0].err and "by import alone" in answers[1].err
    document = vcompress("import", "wavernn-gru", "latest_weights.pyt", "--config", "hparams.py", "--json")
    assert document.code == 0, document.err
    assert {"sample_rate": 8000, "hop_length": 5, "size": "OWN", "steps": 800_000}.items() <= json.loads(document.out).items()
    data = ("--data", "recordings", "--validation", "clip_0", "--calibration-clips", 1)
    answer = vcompress("quantize", "wavernn-gru", *data)
    assert answer.code == 0, answer.err
    for arguments in (("--name", "wavernngru-fatchord"), ("--int8",)):
        answer = vcompress("export", *arguments)
        assert answer.code == 0, answer.err
        artifact = Artifact.open(answer.out.strip())
        assert artifact.manifest.name == "wavernngru-fatchord" and artifact.manifest.training.endswith("after 800000 steps")
        answer = vcompress("synth", artifact.folder, "recordings/clip_1.wav", "-o", "out.wav")
        assert answer.code == 0, answer.err
        samples, rate = soundfile.read("out.wav")
        assert rate == 8000 and len(samples) == 800 and samples.std() > 0.01
    answer = vcompress("bench", "--measure", "size", "--measure", "flops", *data[:4], "--json")
    assert answer.code == 0 and len(json.loads(answer.out)["figures"]) > 4, answer.err
