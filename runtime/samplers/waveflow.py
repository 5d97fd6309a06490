"""Noise through the inverse of a flow whose rows follow from the rows above them: for WaveFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..random import RandomStream
from .sampler import OnStep, Run, Tensors


@dataclass
class WaveFlowSampler:
    """`conditioner` once; then the flows from the last to the first, each with one call for each of the `height` rows but its first.

    A column of the image holds `height` neighbours in time. Before each flow all rows change places, the last becoming the first (WaveFlow,
    section 3.2). What a layer saw of the two rows above is state: it goes from call to call untouched, and begins at zero by being left out.

    `sigma`: standard deviation of the noise. 1 draws from the distribution that was learned, less gives up variety for less hiss.
    """

    hop_length: int
    height: int
    flows: int
    sigma: float = 1.0

    def __post_init__(self) -> None:
        self.calls = {"conditioner": 1, **{f"flow_{k}": self.height - 1 for k in range(self.flows)}}

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler; a step is a flow."""
        conditioned = run("conditioner", {"mel": mel[None]})
        conditions = [conditioned[f"condition_{h}"] for h in range(self.height)]
        latent = np.float32(self.sigma) * RandomStream(seed).normal((mel.shape[1] * self.hop_length // self.height, self.height))
        rows = [latent[None, None, None, :, h].copy() for h in range(self.height)]
        if self.flows % 2:
            conditions.reverse()
        for k in reversed(range(self.flows)):
            rows.reverse()
            conditions.reverse()
            rows = _inverse(run, f"flow_{k}", rows, conditions)
            if on_step is not None:
                on_step(k, _columns(rows))
        return np.clip(_columns(rows), -1.0, 1.0)


def _inverse(run: Run, graph: str, rows: Sequence[np.ndarray], conditions: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All rows of one flow: the first as it is, each other from those above it."""
    done, states = [rows[0]], Tensors()
    for row, condition in zip(rows[1:], conditions[1:], strict=True):
        outputs = run(graph, {"previous": done[-1], "latent": row, "condition": condition, **states})
        done.append(outputs["current"])
        states = {name.replace("newer", "older"): state for name, state in states.items() if name.startswith("newer")}
        states |= {name.replace("seen", "newer"): state for name, state in outputs.items() if name.startswith("seen")}
    return done


def _columns(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows (1, 1, 1, W) -> waveform (height W,)."""
    return np.concatenate(rows, axis=2).T.reshape(-1)


def make(settings: dict[str, Any], hop_length: int) -> WaveFlowSampler:
    """Settings: height and flows, which are the network's, and sigma, not negative."""
    height, flows, sigma = int(settings["height"]), int(settings["flows"]), float(settings["sigma"])
    if height < 2 or flows < 1 or hop_length % height or not 0 <= sigma < np.inf:
        raise ValueError(settings)
    return WaveFlowSampler(hop_length, height, flows, sigma)
