"""Training: it learns, it can be stopped anywhere, and it goes on as if nothing had been."""

import ctypes
import json
import os
import platform
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from lightning.pytorch.callbacks import Callback
from tiny import tone

from vcompress.errors import VcompressError
from vcompress.runtime.mel import FrontEnd
from vcompress.runtime.schedule import TRAINING_BETAS
from vcompress.vocoders.adversarial import AdversarialTraining, Adversary, HiFiGANAdversary, MelGANAdversary
from vcompress.vocoders.card import card
from vcompress.vocoders.checkpoint import TrainingFacts, new_checkpoint, read_checkpoint, read_discriminators
from vcompress.vocoders.corpus import Split, fit_normalisation
from vcompress.vocoders.diffwave import DiffWave, DiffWaveConfig
from vcompress.vocoders.keeper import CURVE, LAST, read_curve
from vcompress.vocoders.losses import MelLoss, SpectralLoss
from vcompress.vocoders.melgan import MelGAN, MelGANConfig
from vcompress.vocoders.memory import keep_memory
from vcompress.vocoders.objectives import DenoisingObjective, SpectralObjective
from vcompress.vocoders.plan import TrainingPlan, parse_time
from vcompress.vocoders.registry import find_family
from vcompress.vocoders.segments import Segments
from vcompress.vocoders.trainer import train_vocoder
from vcompress.vocoders.training import Training, train, validation_batches

CONFIG = MelGANConfig(base_channels=2, residual_blocks=1)
PLAN = TrainingPlan(steps=8, batch_size=2, frames=8, every=3, warmup=2, accelerator="cpu")
WAVES = [tone(level=0.1), tone(level=0.2), tone(0.3)]


def make_training(plan: TrainingPlan = PLAN, adversary: Adversary | None = None) -> tuple[Training, Segments]:
    torch.manual_seed(plan.seed)
    front_end = fit_normalisation(FrontEnd(), WAVES)
    segments = Segments(WAVES, front_end, plan.frames)
    batches, network = validation_batches(segments, plan, 1), MelGAN(CONFIG)
    checkpoint = replace(new_checkpoint(find_family("melgan"), "S", front_end, TrainingFacts(("tones",), objective="spectral")), config=CONFIG)
    if adversary is not None:
        return AdversarialTraining(network, adversary, SpectralObjective(), plan, batches, checkpoint), segments
    return Training(network, SpectralObjective(), plan, batches, checkpoint), segments


def run(folder: Path, *callbacks: Callback, plan: TrainingPlan = PLAN, adversary: Adversary | None = None) -> tuple[Training, bool]:
    training, segments = make_training(plan, adversary)
    return training, train(training, segments, folder, *callbacks)


class At(Callback):
    """Does something after a step."""

    def __init__(self, step: int, act: Callable[[], object]):
        self.step, self.act = step, act

    def on_train_batch_end(self, trainer, module, *_) -> None:
        if module.steps == self.step:
            self.act()


def kill() -> None:
    raise RuntimeError("killed")


def assert_same_weights(a: Training, b: Training) -> None:
    ours, theirs = a.state_dict(), b.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("adversarial", [False, True])
def test_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, adversarial: bool) -> None:
    def adversary() -> Adversary | None:
        torch.manual_seed(5)
        return MelGANAdversary(4, 8) if adversarial else None

    whole, ended = run(tmp_path / "whole", adversary=adversary())
    assert ended and whole.steps == 8
    with pytest.raises(RuntimeError, match="killed"):  # two steps after the last save, which are lost
        run(tmp_path / "killed", At(5, kill), adversary=adversary())
    stopped, ended = run(tmp_path / "killed", At(4, lambda: os.kill(os.getpid(), signal.SIGTERM)), adversary=adversary())
    assert not ended and stopped.steps == 5
    assert read_checkpoint(tmp_path / "killed" / LAST, "melgan", "S").training.steps == 5
    resumed, ended = run(tmp_path / "killed", adversary=adversary())
    assert ended and resumed.steps == 8
    assert_same_weights(whole, resumed)
    curves = [{p["step"]: p["validation_loss"] for p in read_curve(tmp_path / name)} for name in ("whole", "killed")]
    assert curves[0].items() <= curves[1].items()
    again, ended = run(tmp_path / "killed") if not adversarial else (resumed, True)
    assert ended and again.steps == 8  # a run at its end takes no further step


def test_loss_falls_and_the_curve_tells(tmp_path: Path) -> None:
    training, _ = run(tmp_path, plan=replace(PLAN, steps=40, every=20, learning_rate=1e-2))
    points = list(read_curve(tmp_path))
    assert [p["step"] for p in points] == [0, 20, 40]
    assert points[-1]["validation_loss"] < 0.8 * points[0]["validation_loss"]
    assert training.trained().training == read_checkpoint(tmp_path / LAST).training


def test_curve_passes_over_a_line_cut_short(tmp_path: Path) -> None:
    (tmp_path / CURVE).write_text('{"step": 1, "seconds": 1, "validation_loss": 2}\n{"step": 2, "sec')
    assert [p["step"] for p in read_curve(tmp_path)] == [1]


def test_time_is_a_budget_too(tmp_path: Path) -> None:
    training, ended = run(tmp_path, plan=replace(PLAN, steps=None, time=0.3, every=1000))
    assert ended and training.spent >= 0.3 and training.steps > 0


def test_nan_stops_the_training_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    def spoil() -> None:
        with torch.no_grad():
            next(training.network.parameters()).fill_(float("nan"))

    training, segments = make_training()
    with pytest.raises(VcompressError, match="no longer finite at step 6"):
        train(training, segments, tmp_path, At(4, spoil))
    assert read_checkpoint(tmp_path / LAST).training.steps == 3


@pytest.mark.parametrize("make", [lambda: MelGANAdversary(4, 16), lambda: HiFiGANAdversary(narrower=32)])
def test_adversarial_step_moves_both_sides(tmp_path: Path, make: Callable[[], Adversary]) -> None:
    torch.manual_seed(0)
    adversary = make()
    before = {key: value.clone() for key, value in adversary.state_dict().items()}
    plan = replace(PLAN, steps=2, batch_size=1, schedule="constant", optimizer="adam", clip=0.0, warmup=0)
    training, ended = run(tmp_path, plan=plan, adversary=adversary)
    assert ended and torch.isfinite(training.last_loss)
    moved = [key for key, value in adversary.state_dict().items() if not torch.equal(value, before[key])]
    assert len(moved) > len(before) / 2
    assert read_discriminators(tmp_path / LAST).keys() == before.keys()
    assert training.trained().training.objective == "spectral"  # whoever makes the checkpoint names it


def test_melgan_losses_are_those_of_the_paper() -> None:
    adversary = MelGANAdversary(4, 8)
    one, two = torch.randn(1, 1, 2048), torch.randn(1, 1, 2048)
    maps = adversary.discriminators(one)
    assert [len(m) for m in maps] == [7, 7, 7] and maps[0][-1].shape == (1, 1, 8)
    expected = sum((1 - m[-1]).relu().mean() + (1 + m[-1]).relu().mean() for m in maps)
    torch.testing.assert_close(adversary.discriminator_loss(one, one), expected)
    torch.testing.assert_close(adversary.generator_loss(one, one), -sum(m[-1].mean() for m in maps))  # nothing to match
    assert adversary.generator_loss(two, one) > -sum(m[-1].mean() for m in adversary.discriminators(two))


def test_hifigan_losses_are_those_of_the_paper() -> None:
    adversary = HiFiGANAdversary(narrower=32)
    wave = 0.1 * torch.randn(1, 1, 2048)
    torch.manual_seed(0)
    adversary.eval()  # spectral norm holds still
    maps = adversary.discriminators(wave)
    assert len(maps) == 5 + 3
    torch.testing.assert_close(adversary.generator_loss(wave, wave), sum((1 - m[-1]).square().mean() for m in maps))
    torch.testing.assert_close(adversary.discriminator_loss(wave, wave), sum((1 - m[-1]).square().mean() + m[-1].square().mean() for m in maps))


def test_losses_vanish_on_the_target_and_grow_away_from_it() -> None:
    wave = torch.from_numpy(tone())[None, None]
    for loss in (SpectralLoss(), MelLoss()):
        assert float(loss(wave, wave)) == 0.0
        assert 0 < float(loss(wave * 0.9, wave)) < float(loss(wave * 0.3, wave))


def test_denoising_objective_is_the_distance_to_the_noise() -> None:
    torch.manual_seed(0)
    segments = Segments(WAVES, fit_normalisation(FrontEnd(), WAVES), 2)
    objective, batch = DenoisingObjective(), segments.batch(2, seed=3)
    network = DiffWave(DiffWaveConfig(4, 2))
    assert torch.equal(objective.loss(network, batch), objective.loss(network, batch))  # drawn by the batch's seed
    assert float(objective.loss(network, batch)) == pytest.approx(np.sqrt(2 / np.pi), abs=0.05)  # its output starts at 0: E|N(0, 1)|
    bars = np.cumprod(1 - np.asarray(TRAINING_BETAS))

    def oracle(noisy: torch.Tensor, code: torch.Tensor, mel: torch.Tensor) -> torch.Tensor:
        from vcompress.runtime.schedule import step_code

        step = np.abs(step_code(np.arange(50))[:, None] - code.numpy()).sum(-1).argmin(0)
        level = torch.tensor(bars[step], dtype=torch.float32)[:, None, None]
        return (noisy - level.sqrt() * batch.waveform) / (1 - level).sqrt()

    assert float(objective.loss(oracle, batch)) < 1e-4


def write_corpus(folder: Path) -> Path:
    folder.mkdir()
    for name, level in (("quiet_1", 0.05), ("quiet_2", 0.06), ("loud_1", 0.5)):
        soundfile.write(folder / f"{name}.wav", tone(0.4, level=level), 16000)
    return folder


def test_statistics_come_from_the_training_part_only(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "data")
    plan = replace(PLAN, steps=1, batch_size=1)
    trained = train_vocoder("melgan", "S", [folder], tmp_path / "run", plan, Split(validation="loud"), level_db=None)
    checkpoint = read_checkpoint(trained.path, "melgan", "S")
    wave = soundfile.read(folder / "quiet_2.wav", dtype="float32")[0][: 6400 // 256 * 256]
    assert checkpoint.front_end == fit_normalisation(FrontEnd(), [wave])
    assert trained.complete and checkpoint.training == trained.training
    assert (checkpoint.training.data, checkpoint.training.steps, checkpoint.training.objective) == (("data",), 1, "spectral")
    # going on from it keeps its normalisation and counts on
    more = train_vocoder("melgan", "S", [folder], tmp_path / "more", plan, Split(validation="quiet"), start=trained.path)
    assert read_checkpoint(more.path).front_end == checkpoint.front_end and more.training.steps == 2


def test_bad_clips_are_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_corpus(tmp_path / "data")
    (folder / "quiet_3.wav").write_bytes(b"no audio")
    soundfile.write(folder / "quiet_4.wav", np.zeros(8000), 16000)
    assert train_vocoder("melgan", "S", [folder], tmp_path / "run", replace(PLAN, steps=1, batch_size=1), Split(validation="loud")).complete
    said = capsys.readouterr().err.replace("\n", "")
    assert "quiet_3.wav" in said and "quiet_4.wav is silent" in said
    for path in folder.glob("quiet_[12].wav"):
        path.unlink()
    with pytest.raises(VcompressError, match=r"quiet_3\.wav cannot be read"):
        train_vocoder("melgan", "S", [folder], tmp_path / "other", PLAN, Split(validation="loud"))


def test_adversarial_training_of_a_family_without_discriminators_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VcompressError, match="DiffWave has no discriminators"):
        train_vocoder("diffwave", "S", [tmp_path], tmp_path, PLAN, adversarial=True)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("2h", 7200), ("1h30m", 5400), ("1.5m", 90), ("45", 45), ("1d", 86400)])
def test_parse_time_reads(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "0s", "-5m", "5 parsecs", "m", "1e3s"])
def test_parse_time_refuses(text: str) -> None:
    with pytest.raises(VcompressError):
        parse_time(text)


@pytest.mark.parametrize("change", [{"steps": 0}, {"time": 0.0}, {"batch_size": 0}, {"learning_rate": float("nan")}, {"optimizer": "sgd"}])
def test_plan_refuses(change: dict) -> None:
    with pytest.raises(VcompressError):
        replace(PLAN, **change)


def test_card_says_what_the_weights_are(tmp_path: Path) -> None:
    checkpoint = new_checkpoint(find_family("hifigan"), "S", FrontEnd(level_db=-20.0), TrainingFacts(("a",), 1234, 125.0, "spectral", 0.5, 0))
    curve = [{"step": 10 * i, "seconds": i, "validation_loss": 1 / (1 + i)} for i in range(100)]
    text = card(checkpoint, curve, {"validation prompts": {"PESQ": 2.1}, "other voice": {"PESQ": "too short"}}, {"a": "CC0"}, "2 cores", "vcompress train")
    for part in (
        "# HiFi-GAN S",
        "| a | CC0 |",
        "1,234 steps in 2 min 5 s on 2 cores",
        "| 990 | 1 min 39 s | 0.0100 |",
        "| PESQ | 2.100 | too short |",
        "vcompress train",
    ):
        assert part in text


def test_train_command_goes_on_and_prints_the_checkpoint_last(vcompress, tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "data")
    command = ["train", "melgan", "--data", folder, "--steps", 2, "--batch-size", 1, "--validation", "loud", "--workspace", tmp_path / "runs"]
    first = vcompress(*command)
    assert first.code == 0
    path = Path(first.out.splitlines()[-1])
    assert read_checkpoint(path, "melgan", "S").training.steps == 2
    facts = json.loads((path.parent / "run.json").read_text())
    assert facts["complete"] and facts["recipe"] == "fp32" and facts["training"]["plan"]["steps"] == 2
    (path.parent / "run.json").write_text(json.dumps({**facts, "complete": False}))
    second = vcompress(*command, "--json")
    assert "Going on with" in second.err and Path(json.loads(second.out)["checkpoint"]) == path


@pytest.mark.parametrize("arguments", [["wavenet"], ["melgan", "--size", "XL"], ["melgan", "--time", "soon"], ["melgan", "--resume-from", "nowhere.ckpt"]])
def test_train_command_refuses_and_leaves_nothing(vcompress, tmp_path: Path, arguments: list[str]) -> None:
    answer = vcompress("train", *arguments, "--data", tmp_path / "none", "--workspace", tmp_path / "runs")
    assert answer.code == 2 and answer.err.count("\n") == 1 and not answer.out
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc is not this system's C library")
def test_memory_is_kept_where_the_c_library_can() -> None:
    assert keep_memory()


def test_memory_is_left_alone_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not keep_memory()
