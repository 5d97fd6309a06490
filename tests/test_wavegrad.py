"""WaveGrad: interpolation in integers, noise levels, the posterior, and the search for a schedule."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import CommandLine
from tiny_bench import write_clips
from tiny_vocoders import CONFIGS, calibrated, tiny_checkpoint, tiny_folded
from torch import Tensor, nn

from vcompress.benchmarks.schedule_search import START, Judge, betas_of, search_schedule
from vcompress.benchmarks.schedule_search import Hearing as Heard
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.interpolation import Interleave, Midpoints, PointwiseUpsampled
from vcompress.compress.recipes import Recipe
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.random import RandomStream
from vcompress.runtime.samplers import make_sampler
from vcompress.runtime.samplers.noise_level import NoiseLevelSampler
from vcompress.runtime.schedule import WAVEGRAD_BETAS, WAVEGRAD_FAST_BETAS, Schedule, noise_levels
from vcompress.runtime.workspace import Workspace
from vcompress.vocoders.checkpoint import save_checkpoint
from vcompress.vocoders.interpolation import LinearDownsample, LinearUpsample, UpsampledPointwise
from vcompress.vocoders.objectives import NoiseLevelObjective
from vcompress.vocoders.registry import find_family
from vcompress.vocoders.schedules import find_schedule, write_schedule
from vcompress.vocoders.segments import Batch
from vcompress.vocoders.wavegrad import FAMILY, SIZES, LevelCodes, WaveGrad, WaveGradConfig

CONFIG = CONFIGS["wavegrad"]
MEL = np.zeros((80, 3), np.float32)
HOP = 4


# --- bytes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "megabytes"), [("S", 4.4), ("M", 11.0), ("L", 17.6)])
def test_int8_weights_are_a_quarter_for_no_convolution_is_missed(size: str, megabytes: float) -> None:
    """A byte a weight in all but the first and the last of 59 convolutions, four there; the earlier work missed 54 of them."""
    with torch.device("meta"):
        network = WaveGrad(SIZES[size])
    layers = {path: module.weight.numel() for path, module in network.named_modules() if isinstance(module, nn.Conv1d)}
    assert len(layers) == 59
    assert sum(count * (4 if path in FAMILY.floats(SIZES[size]) else 1) for path, count in layers.items()) < 1e6 * megabytes
    tiny, prepared, _ = calibrated("wavegrad")
    every = {path for path, module in tiny.network.named_modules() if isinstance(module, nn.Conv1d)}
    quantized = {path for graph in prepared.graphs.values() for path in graph.quantized}
    assert every - quantized == set(FAMILY.floats(SIZES[size]))


# --- interpolation ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("factor", [2, 3, 4, 5, 6, 16])
def test_lowered_interpolation_is_torchs_to_its_edges(factor: int, length: int) -> None:
    torch.manual_seed(0)
    low, high = torch.randn(2, 3, length), torch.randn(2, 3, length * factor)
    up = F.interpolate(low, scale_factor=factor, mode="linear", align_corners=False)
    down = F.interpolate(high, scale_factor=1 / factor, mode="linear", align_corners=False)
    assert torch.equal(LinearUpsample(factor)(low), up) and torch.allclose(LinearDownsample(factor)(high), down, atol=1e-6)
    assert (Interleave(LinearUpsample(factor))(low) - up).abs().max() < 1e-6
    assert (Midpoints(LinearDownsample(factor))(high) - down).abs().max() < 1e-6
    layer = UpsampledPointwise(nn.Conv1d(3, 4, 1), factor)
    expected, lowered = layer(low), PointwiseUpsampled(layer)
    lowered.upsample = Interleave(layer.upsample)
    assert (lowered(low) - expected).abs().max() < 1e-6


def tiny_folded_layers(path: str) -> list[nn.Module]:
    return [module for module in tiny_folded("wavegrad").network.get_submodule(path).modules() if isinstance(module, nn.Conv1d)]


def test_interpolations_run_on_integers(tmp_path: Path) -> None:
    """Between the first and the last convolution nothing is float but the codes of the level, which enter as five (here two) integers."""
    _, _, table = calibrated("wavegrad")
    assert not any(key.startswith("codes:") and key.partition(":")[2].split("_")[0] in ("div", "sin", "cos", "cat") for key in table.entries)
    graphs = write_artifact(tiny_folded("wavegrad"), Recipe("static"), "tiny", tmp_path / "artifact", table).manifest.graphs
    step, conditioner = graphs["step"].kernels, graphs["conditioner"].kernels
    assert "Resize" not in step.keys() | conditioner.keys()
    wide = len(FAMILY.wide(CONFIG))  # activations: 8 bits in, 16 out, and convolutions that read these, with weights and biases in integers, and give 8
    assert step["LeakyRelu"] == wide == 3 and step["Conv"] == 2 + wide and step["QLinearConv"] == len(tiny_folded_layers("denoiser")) - 2 - wide
    assert step["DequantizeLinear"] == 1 + 4 * wide and step["QuantizeLinear"] == 1 + len(CONFIG.ratios) + 2 * wide
    assert conditioner["QuantizeLinear"] == 1 and "DequantizeLinear" not in conditioner
    assert conditioner["QLinearAdd"] == 2 * CONFIG.ratios[0]  # main branch and shortcut: one sum for each phase
    others, blocks = sum(CONFIG.ratios[1:]), len(CONFIG.ratios)
    # phases of two branches, midpoints, code and shifts (three a block) and sums (two a block) and the shortcut of a block down
    assert step["QLinearAdd"] == 2 * others + (blocks - 1) + blocks + 3 * blocks + 2 * blocks + (blocks - 1)
    assert step["QLinearMul"] == 3 * blocks


# --- network and objective --------------------------------------------------------------------------------------------------


def test_codes_are_sines_and_cosines_of_the_level() -> None:
    config = WaveGradConfig((8, 6, 4), (4, 6), (4, 2), (2, 2))
    levels = torch.tensor([[0.9], [1.0]])
    codes = LevelCodes(config)(levels)
    assert [tuple(code.shape) for code in codes] == [(2, 4, 1), (2, 6, 1)]  # in the order of the path down
    phase = levels.double().numpy() * 5000 * 1e-4 ** np.linspace(0, 1, 3)
    np.testing.assert_allclose(codes[1].squeeze(-1), np.concatenate([np.sin(phase), np.cos(phase)], 1), atol=2e-3)  # float32 of 5000 radians


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = FAMILY.network(CONFIG)
    batch = Batch(torch.rand(2, 80, 3), 0.1 * torch.randn(2, 1, 3 * CONFIG.hop_length), 5)
    loss = NoiseLevelObjective().loss(network, batch)
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())
    assert loss.item() == NoiseLevelObjective().loss(network, batch).item()


def test_objective_draws_levels_between_those_of_two_steps() -> None:
    told: list[Tensor] = []
    batch = Batch(torch.zeros(4000, 80, 1), torch.ones(4000, 1, 50), 0)

    def network(noisy: Tensor, level: Tensor, mel: Tensor) -> Tensor:
        told.append(level)
        return (noisy - level[..., None]) / (1 - level[..., None].double() ** 2).clamp(min=1e-9).sqrt()  # what was added to a waveform of ones

    assert NoiseLevelObjective().loss(network, batch) < 1e-2
    levels = told[0].numpy()[:, 0]
    bounds = np.append(1.0, noise_levels(WAVEGRAD_BETAS))
    assert levels.min() >= bounds[-1] and bounds[-1] == pytest.approx(0.882, abs=5e-4)
    counts = np.histogram(levels, bounds[::-1])[0]
    assert counts.min() > 40 and counts.max() < 130  # 4000 of 50 steps, each alike
    within = (levels - bounds[-1]) / (bounds[-2] - bounds[-1])
    assert len(np.unique(within[within < 1])) > 40  # anywhere between two steps, not on them


@pytest.mark.parametrize(
    "change", [{"up": (8, 8)}, {"down": (4,)}, {"dilation_cycles": (4,)}, {"up": (8, 7, 4)}, {"ratios": (), "up": (8,), "down": (), "dilation_cycles": ()}]
)
def test_config_refuses_widths_that_do_not_fit(change: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(VcompressError, match=r"WaveGrad .*(correct them|even)\."):
        WaveGradConfig(**{**vars(CONFIG), **change})


# --- the sampler ------------------------------------------------------------------------------------------------------------


def run(graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A network that predicts a tenth of what it sees, and hands integers from one graph to the other."""
    if graph == "conditioner":
        return {"condition_0": np.arange(6, dtype=np.uint8)}
    assert inputs["condition_0"].dtype == np.uint8, "integer states pass untouched"
    return {"noise": inputs["audio"] / 10}


def by_hand(betas: np.ndarray, public: bool, limit: float) -> np.ndarray:
    """DDPM (Ho et al. 2020), eq. 6 and 7, with the clean waveform clamped; `public` with the two slips of the public code."""
    alphas, bars, draw = 1 - betas, np.cumprod(1 - betas), RandomStream(3)
    y = draw.normal((1, 1, 12)).astype(np.float64)
    for t in range(len(betas) - 1, -1, -1):
        before, noise = bars[t - 1] if t else 1.0, y / 10
        clean = (y / np.sqrt(bars[t]) - np.sqrt(1 - bars[t]) * noise) if public else (y - np.sqrt(1 - bars[t]) * noise) / np.sqrt(bars[t])
        weight = np.sqrt(bars[t] if public else alphas[t])
        y = (np.sqrt(before) * betas[t] * np.clip(clean, -limit, limit) + weight * (1 - before) * y) / (1 - bars[t])
        if t:
            y = y + np.sqrt((1 - before) / (1 - bars[t]) * betas[t]) * draw.normal((1, 1, 12))
    return np.clip(y.reshape(-1), -1, 1)


@pytest.mark.parametrize("betas", [WAVEGRAD_FAST_BETAS, WAVEGRAD_BETAS], ids=len)
def test_sampler_draws_from_the_posterior_and_the_public_variant_does_not(betas: tuple[float, ...]) -> None:
    settings = {**FAMILY.sampler(SIZES["S"]), "betas": list(betas)}
    found = {public: make_sampler({**settings, "public": public}, HOP).synthesize(run, MEL, seed=3) for public in (False, True)}
    for public, waveform in found.items():
        np.testing.assert_allclose(waveform, by_hand(np.array(betas), public, 1.0), atol=1e-5)
    assert np.abs(found[True] - found[False]).max() > 1e-3
    assert np.abs(by_hand(np.array(betas), False, 1.0) - by_hand(np.array(betas), False, np.inf)).max() > 1e-3  # here the clamp matters


def test_where_nothing_is_clamped_the_sampler_is_algorithm_2() -> None:
    """WaveGrad, algorithm 2: y = (y - beta e / sqrt(1 - abar)) / sqrt(alpha), plus noise."""
    betas = np.array([1e-3, 1e-2, 0.1])
    bars, draw = np.cumprod(1 - betas), RandomStream(0)
    y = draw.normal((1, 1, 12)).astype(np.float64)

    def quiet(graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Predicts nearly all of it to be noise, so that the clean waveform is small."""
        return {} if graph == "conditioner" else {"noise": inputs["audio"] / np.sqrt(1 - inputs["level"].astype(np.float64) ** 2).astype(np.float32) * 0.9}

    for t in (2, 1, 0):
        noise = y / np.sqrt(1 - bars[t]) * 0.9
        y = (y - betas[t] / np.sqrt(1 - bars[t]) * noise) / np.sqrt(1 - betas[t])
        if t:
            y = y + np.sqrt((1 - bars[t - 1]) / (1 - bars[t]) * betas[t]) * draw.normal((1, 1, 12))
    waveform = NoiseLevelSampler(Schedule(tuple(betas)), HOP).synthesize(quiet, MEL)
    np.testing.assert_allclose(waveform, np.clip(y.reshape(-1), -1, 1), atol=1e-5)


@pytest.mark.parametrize("noise", [True, False])
def test_a_network_that_knows_the_waveform_gets_it(noise: bool) -> None:
    clean = np.sin(np.arange(12, dtype=np.float32)).reshape(1, 1, 12) * np.float32(0.9)
    seen: list[float] = []

    def oracle(graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if graph == "conditioner":
            seen.append(0.0)
            return {}
        assert inputs["level"].shape == (1, 1) and inputs["level"].dtype == np.float32
        level = float(inputs["level"][0, 0])
        seen.append(level)
        return {"noise": ((inputs["audio"] - level * clean) / np.sqrt(1 - np.float64(level) ** 2)).astype(np.float32)}

    steps: list[int] = []
    sampler = NoiseLevelSampler(Schedule((1e-3, 1e-2, 0.1)), HOP, noise)
    waveform = sampler.synthesize(oracle, MEL, on_step=lambda index, _: steps.append(index))
    np.testing.assert_allclose(waveform, clean.reshape(-1), atol=1e-4)
    assert steps == [2, 1, 0] and sampler.calls == {"conditioner": 1, "step": 3}
    np.testing.assert_allclose(seen, [0.0, *noise_levels((1e-3, 1e-2, 0.1))[::-1]], rtol=1e-6)


# --- schedules --------------------------------------------------------------------------------------------------------------


def test_schedules_are_found_by_steps_or_file(tmp_path: Path) -> None:
    assert find_schedule(FAMILY, "50") == WAVEGRAD_BETAS and find_schedule(FAMILY, "6") == WAVEGRAD_FAST_BETAS
    write_schedule(tmp_path / "mine.json", FAMILY, (0.01, 0.1), note="mine")
    assert find_schedule(FAMILY, str(tmp_path / "mine.json")) == (0.01, 0.1)
    diffwave = find_family("diffwave")
    assert diffwave.schedule_settings is not None
    assert diffwave.schedule_settings(find_schedule(diffwave, "6")) == {key: diffwave.sampler(diffwave.sizes["S"])[key] for key in ("betas", "steps")}


REFUSED = {
    "7": "no schedule of 7 steps; give 6 or 50",
    "nowhere.json": "is not a noise schedule",
    '{"betas": [0.1]}': "is not a noise schedule",
    '{"family": "wavegrad", "betas": ["x"]}': "is not a noise schedule",
    '{"family": "wavegrad", "betas": 0.1}': "is not a noise schedule",
    '{"family": "diffwave", "betas": [0.1]}': "is a schedule of diffwave",
    '{"family": "wavegrad", "betas": []}': "not between 0 and 1",
    '{"family": "wavegrad", "betas": [0.1, 1.5]}': "not between 0 and 1",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_schedule_is_refused(tmp_path: Path, what: str) -> None:
    if what.startswith("{"):
        (tmp_path / "file.json").write_text(what)
    with pytest.raises(VcompressError, match=REFUSED[what]):
        find_schedule(FAMILY, str(tmp_path / "file.json") if what.startswith("{") else what)
    with pytest.raises(VcompressError, match="MelGAN has no noise schedule"):
        find_schedule(find_family("melgan"), what)


def test_search_finds_the_best_of_its_grid_and_keeps_to_its_budget() -> None:
    best = betas_of((7, 1, 9, 4, 3, 5))
    asked: list[tuple[float, ...]] = []

    def judge(betas: tuple[float, ...]) -> float:
        asked.append(betas)
        assert list(betas) == sorted(betas)
        return sum(abs(np.log(a / b)) for a, b in zip(betas, best, strict=True))

    found = search_schedule(judge, 200)
    assert found.betas == best and found.loss == 0 and found.tried == len(asked) == len(set(asked)) == 200
    assert asked[0] == betas_of(START) == WAVEGRAD_FAST_BETAS and found.loss_of_start == judge(asked[0])
    assert search_schedule(judge, 200) == found
    seen: list[tuple[int, int]] = []
    short = search_schedule(lambda betas: float("nan") if betas != best else 0.0, 7, progress=lambda done, total, what: seen.append((done, total)))
    assert short.tried == 7 and short.betas == betas_of(START) and seen == [(i, 7) for i in range(1, 8)]


def test_a_schedule_goes_from_the_search_to_the_artifact(vcompress: CommandLine, tmp_path: Path) -> None:
    write_clips(tmp_path / "recordings", 3, 0.5)
    weights, root = save_checkpoint(tmp_path / "weights.safetensors", tiny_checkpoint("wavegrad")), tmp_path / "runs"
    given = ["--weights", weights, "--data", tmp_path / "recordings", "--validation", "clip_0", "--workspace", root]
    answer = vcompress("schedule", "wavegrad", *given, "--budget", 5, "--seconds", 0.3, "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    path, workspace = Path(document["schedule"]), Workspace(root)
    assert document["tried"] == 5 and document["log_mel_l1"] <= document["log_mel_l1_of_start"] and document["clips"] == ["clip_0.wav"]
    source = next(workspace.runs(recipe="fp32"))
    artifact = Artifact.open(source.artifact)
    assert path == source.folder / "schedule.json" and find_schedule(FAMILY, str(path)) == tuple(document["betas"])
    assert artifact.manifest.sampler["betas"] == list(WAVEGRAD_FAST_BETAS)

    write_schedule(path, FAMILY, (0.01, 0.2))
    quantized = vcompress("quantize", "wavegrad", *given, "--schedule", path, "--calibration-clips", 1)
    assert quantized.code == 0, quantized.err
    assert FoldedVocoder.read(Path(quantized.out.strip())).sampler["betas"] == [0.01, 0.2]
    refused = vcompress("export", "--int8", "--schedule", 50, "--workspace", root)
    assert refused.code == 2 and "was made for another schedule" in refused.err
    exported = vcompress("export", "--schedule", path, "--workspace", root)
    assert exported.code == 0, exported.err
    manifest = Artifact.open(exported.out.strip()).manifest
    assert manifest.sampler["betas"] == [0.01, 0.2] and manifest.recipe == "fp32"
    assert [run.facts.get("schedule") for run in workspace.runs(recipe="fp32")] == [[0.01, 0.2], None]  # one run for both commands
    assert vcompress("schedule", "melgan", "--workspace", root).err.startswith("MelGAN has no noise schedule")

    mel = artifact.manifest.front_end.mel(np.sin(np.arange(4000, dtype=np.float32)))[:, :20]
    judge = Judge(artifact, load("onnxruntime", artifact), Heard([mel], [np.sin(np.arange(20 * CONFIG.hop_length))]), FAMILY.schedule_settings)  # type: ignore[arg-type]
    assert judge((0.01, 0.2)) == judge((0.01, 0.2)) != judge((0.01, 0.3))
