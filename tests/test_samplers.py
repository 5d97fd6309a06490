"""The loops around the networks, against the papers' formulas written out."""

import numpy as np

from vcompress.runtime.random import RandomStream
from vcompress.runtime.samplers.diffusion import DiffusionSampler
from vcompress.runtime.samplers.feed_forward import FeedForwardSampler
from vcompress.runtime.schedule import FAST_BETAS, align, step_code

MEL = np.zeros((80, 3), np.float32)
HOP = 4


def run(graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A network that predicts a tenth of what it sees, and hands an integer tensor from one graph to the other."""
    if graph == "conditioner":
        return {"condition_0": np.arange(6, dtype=np.uint8)}
    assert inputs["condition_0"].dtype == np.uint8 and inputs["condition_0"].tolist() == list(range(6)), "integer states pass untouched"
    return {"noise": inputs["audio"] / 10}


def by_hand(seed: int, noise: bool) -> np.ndarray:
    """DiffWave, algorithm 2."""
    betas = np.array(FAST_BETAS)
    bars = np.cumprod(1 - betas)
    draw = RandomStream(seed)
    x = draw.normal((1, 1, 12)).astype(np.float64)
    for t in range(len(betas) - 1, -1, -1):
        x = (x - betas[t] / np.sqrt(1 - bars[t]) * x / 10) / np.sqrt(1 - betas[t])
        if t > 0 and noise:
            x = x + np.sqrt((1 - bars[t - 1]) / (1 - bars[t]) * betas[t]) * draw.normal((1, 1, 12))
    return np.clip(x.reshape(-1), -1, 1)


def test_diffusion_is_algorithm_2_with_and_without_the_noise_that_the_original_forgets() -> None:
    for noise in (True, False):
        waveform = DiffusionSampler(align(), HOP, noise=noise).synthesize(run, MEL, seed=3)
        np.testing.assert_allclose(waveform, by_hand(3, noise), atol=1e-5)
    assert np.abs(by_hand(3, True) - by_hand(3, False)).max() > 0.1


def test_diffusion_calls_the_conditioner_once_and_every_step_from_the_noisiest_on() -> None:
    seen: list[tuple[str, list[float]]] = []

    def watched(graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        seen.append((graph, inputs["code"][0].tolist() if graph == "step" else []))
        return run(graph, inputs)

    steps: list[int] = []
    sampler = DiffusionSampler(align(), HOP)
    sampler.synthesize(watched, MEL, on_step=lambda index, waveform: steps.append(index))
    assert [graph for graph, _ in seen] == ["conditioner"] + ["step"] * 6 and sampler.calls == {"conditioner": 1, "step": 6}
    assert [code for _, code in seen[1:]] == step_code(np.array(align().steps))[::-1].tolist()
    assert steps == [5, 4, 3, 2, 1, 0]


def test_the_seed_decides_every_draw() -> None:
    sampler = DiffusionSampler(align(), HOP)
    first, again, other = (sampler.synthesize(run, MEL, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_feed_forward_clips_one_call() -> None:
    waveform = FeedForwardSampler().synthesize(lambda graph, inputs: {"waveform": np.array([[[2.0, 0.5, -3.0]]], np.float32)}, MEL)
    assert waveform.tolist() == [1.0, 0.5, -1.0]
