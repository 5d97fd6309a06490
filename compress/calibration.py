"""Calibration: the real sampler goes through all its steps on real mels while the quantizers watch."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..errors import VcompressError
from ..runtime.samplers import Sampler
from .prepared import PreparedVocoder

Progress = Callable[[int, int], None]


def calibrate(vocoder: PreparedVocoder, sampler: Sampler, mels: Sequence[np.ndarray], progress: Progress = lambda done, total: None) -> None:
    """Choose every activation's range. mels: float32 (n_mels, F) each. Raises VcompressError when there is none."""
    if not mels:
        raise VcompressError("Calibration needs at least one clip; give a corpus with training clips.")
    vocoder.mode(observing=True)
    with torch.no_grad():
        for index, mel in enumerate(mels):
            sampler.synthesize(vocoder.run, mel, seed=index)
            progress(index + 1, len(mels))
    vocoder.choose_ranges()
    vocoder.mode()
