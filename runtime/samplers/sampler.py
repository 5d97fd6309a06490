"""What every sampler is: a loop around networks, in numpy, driven by any back end.

A sampler calls `run(graph, inputs)`; integer tensors that one graph gives to another pass through untouched.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

Tensors = dict[str, np.ndarray]
Run = Callable[[str, Tensors], Tensors]
OnStep = Callable[[int, np.ndarray], None]


class Sampler(Protocol):
    """`synthesize`: mel float32 (n_mels, F), or the codes of a note -> waveform float32 (hop F,) in [-1, 1]; the seed decides every draw.

    `calls`: how often a synthesis runs each graph; those that one may list as `each_frame`, for each frame of the mel.
    `on_step(index, waveform)` sees each intermediate waveform, counted down to 0.
    """

    calls: dict[str, int]

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray: ...
