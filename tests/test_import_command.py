"""From a public checkpoint to int8 and a waveform, with the commands that a user types."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import Answer, CommandLine
from public_networks import Descript, Jik876, Lmnt, seeded
from test_importers import PARAMS, H
from tiny_bench import write_clips

from vcompress.runtime.artifact import Artifact
from vcompress.runtime.workspace import Workspace

SMALL = {**H, "upsample_rates": [64], "upsample_kernel_sizes": [128], "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1]], "resblock": "2"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with public checkpoints and recordings, to work in."""
    monkeypatch.chdir(tmp_path)
    torch.save({"generator": seeded(Jik876(SMALL)).state_dict()}, "g_00000007")
    Path("config.json").write_text(json.dumps(SMALL))
    params = {**PARAMS, "residual_layers": 2, "inference_noise_schedule": [1e-4, 0.05, 0.5]}
    torch.save({"step": 7, "model": seeded(Lmnt(4, 2, 2)).state_dict(), "params": params}, "weights.pt")
    torch.save(seeded(Descript(32, 3)).state_dict(), "netG.pt")
    write_clips(tmp_path / "recordings", 2, 0.5)
    return tmp_path


def said(answer: Answer) -> str:
    assert answer.code == 0, answer.err
    return answer.out.strip()


DATA = ("--data", "recordings", "--validation", "clip_0", "--calibration-clips", 1)


def test_hifigan_goes_on_by_its_name_at_its_own_rate(vcompress: CommandLine, place: Path) -> None:
    document = json.loads(said(vcompress("import", "hifigan", "g_00000007", "--config", "config.json", "--json")))
    assert (document["name"], document["size"], document["complete"]) == ("hifigan-jik876", "OWN", True)
    assert (document["sample_rate"], document["hop_length"], document["steps"]) == (24000, 64, 7)
    run = Workspace("runs").open_run(said(vcompress("quantize", "hifigan", "--name", "hifigan-jik876", *DATA)))
    assert (run.facts["name"], run.facts["size"], run.facts["recipe"]) == ("hifigan-jik876", "OWN", "static_w8a8")
    fp32, int8 = (Artifact.open(said(vcompress("export", *more))) for more in (("--name", "hifigan-jik876"), ("--int8",)))
    assert fp32.manifest.front_end == int8.manifest.front_end and int8.manifest.graphs["network"].kernels["QLinearConv"] > 0
    assert fp32.manifest.training == "imported from jik876/hifi-gan (g_00000007) after 7 steps"
    outputs = []
    for artifact in (fp32, int8):
        said(vcompress("synth", artifact.folder, "recordings/clip_1.wav", "-o", "out.wav"))
        samples, rate = soundfile.read("out.wav")
        assert rate == 24000 and len(samples) == 12000 // 64 * 64
        outputs.append(samples)
    assert np.mean((outputs[0] - outputs[1]) ** 2) < 0.05 * np.mean(outputs[0] ** 2)
    figures = json.loads(said(vcompress("bench", "--measure", "size", "--measure", "flops", "--data", "recordings", "--validation", "clip_0", "--json")))
    assert {figure["name"] for figure in figures["figures"]} == {"hifigan-jik876"} and len(figures["figures"]) > 2


def test_diffwave_keeps_its_schedule(vcompress: CommandLine, place: Path) -> None:
    said(vcompress("import", "diffwave", "weights.pt", "--name", "mine"))
    artifact = Artifact.open(said(vcompress("export", "--name", "mine")))
    assert artifact.manifest.name == "mine" and artifact.manifest.front_end.sample_rate == 16000
    assert artifact.manifest.sampler["betas"] == [1e-4, 0.05, 0.5] and artifact.manifest.sampler["clamp"] is True
    said(vcompress("synth", artifact.folder, "recordings/clip_1.wav", "-o", "out.wav"))
    assert soundfile.info("out.wav").samplerate == 16000


def test_size_of_the_paper_is_found_by_its_weights(vcompress: CommandLine, place: Path) -> None:
    run = Workspace("runs").open_run(said(vcompress("import", "melgan", "netG.pt")))
    assert (run.facts["size"], run.facts["name"]) == ("M", "melgan-descriptinc")
    newest = Workspace("runs").open_run(said(vcompress("quantize", "melgan", "--size", "M", "--dynamic")))
    assert newest.facts["source"].startswith("melgan-descriptinc/fp32/") and newest.facts["name"] == "melgan-descriptinc"


class Trap:
    """Unpickling this makes a file."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("executed",)


def test_what_is_refused_leaves_nothing(vcompress: CommandLine, place: Path) -> None:
    torch.save({"generator": Trap()}, "g_hostile")
    Path("g_cut").write_bytes(Path("g_00000007").read_bytes()[:-500])
    for arguments, words in (
        (("hifigan", "g_00000007"), "--config"),
        (("hifigan", "g_hostile", "--config", "config.json"), "would have to be run"),
        (("hifigan", "g_cut", "--config", "config.json"), "truncated"),
        (("hifigan", "none", "--config", "config.json"), "There is no checkpoint"),
        (("hifigan", "g_00000007", "--config", "none.json"), "cannot be read"),
        (("melgan", "g_00000007", "--config", "config.json"), "vcompress import hifigan"),
        (("wavenet", "g_00000007"), "no vocoder family"),
        (("hifigan", "g_00000007", "--config", "config.json", "--name", "a/b"), "cannot be a run's name"),
    ):
        answer = vcompress("import", *arguments)
        assert (answer.code, answer.out) == (2, ""), arguments
        assert len(answer.err.strip().splitlines()) == 1 and words in answer.err, answer.err
    assert not list(Path(".").glob("runs/*")) and not Path("executed").exists()
    refused = vcompress("quantize", "hifigan", "--size", "own")
    assert refused.code == 2 and "vcompress import hifigan CHECKPOINT" in refused.err
