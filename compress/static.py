"""Static quantization: calibrate, and keep the scales."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..runtime.samplers import make_sampler
from .bits import Bits
from .calibration import Progress, calibrate
from .folded import FoldedVocoder
from .prepared import PreparedVocoder
from .scale_table import ScaleTable

SCALES = "scales.json"


def quantize_static(
    vocoder: FoldedVocoder, mels: Sequence[np.ndarray], folder: Path, progress: Progress = lambda done, total: None, bits: Bits | None = None
) -> PreparedVocoder:
    """Calibrate on mels (n_mels, F) and write weights and scale table into a run's folder. Gives the calibrated vocoder.

    `bits`: what is not 8 bits, and whether zero points are 0, kept in the run as well; the family's own choice where none is given.
    """
    prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config, bits)
    calibrate(prepared, make_sampler(vocoder.sampler, vocoder.front_end.hop_length), mels, progress)
    vocoder.save(folder)
    if bits is not None:
        bits.save(folder)
    ScaleTable.of(prepared.graphs.values()).save(folder / SCALES)
    return prepared
