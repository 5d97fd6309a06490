"""Calibration: the real sampler goes through all its steps on real mels while the quantizers watch."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..errors import VcompressError
from ..runtime.samplers import Sampler
from .prepared import PreparedVocoder

Progress = Callable[[int, int], None]


def loudest(mel: np.ndarray, frames: int | None) -> np.ndarray:
    """The stretch of so many frames of a mel (n_mels, F) with the highest mean; all of it where it is no longer, or None is asked for."""
    if frames is None or mel.shape[1] <= frames:
        return mel
    sums = np.convolve(mel.mean(0), np.ones(frames), "valid")
    start = int(sums.argmax())
    return mel[:, start : start + frames]


def calibrate(vocoder: PreparedVocoder, sampler: Sampler, mels: Sequence[np.ndarray], progress: Progress = lambda done, total: None) -> None:
    """Choose every activation's range. mels: float32 (n_mels, F) each. Raises VcompressError when there is none."""
    if not mels:
        raise VcompressError("Calibration needs at least one clip; give a corpus with training clips.")
    vocoder.mode(observing=True)
    with torch.no_grad():
        for index, mel in enumerate(mels):
            sampler.synthesize(vocoder.run, loudest(mel, vocoder.family.calibration_frames), seed=index)
            progress(index + 1, len(mels))
    vocoder.choose_ranges()
    vocoder.mode()
