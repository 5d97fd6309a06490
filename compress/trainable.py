"""The forms that are trained and the forms that ship: one scale table goes from these to those, and back when it has learned."""

import copy
from collections.abc import Sequence

import numpy as np

from ..runtime.samplers import make_sampler
from .calibration import calibrate
from .folded import FoldedVocoder
from .prepared import PreparedVocoder
from .scale_table import ScaleTable


def trainable(vocoder: FoldedVocoder, calibration: Sequence[np.ndarray] | None = None) -> PreparedVocoder:
    """A copy of the vocoder in the forms that an objective calls.

    With mels (n_mels, F) to calibrate on, its scales begin at what the real sampler has shown in the forms that ship. Raises
    VcompressError when a tensor of the training forms is in none of these.
    """
    network, config = copy.deepcopy(vocoder.network), vocoder.trained.config
    prepared = PreparedVocoder(vocoder.family, network, config, training=True)
    if calibration is None:
        return prepared
    shipped = prepared if vocoder.family.training_forms is None else PreparedVocoder(vocoder.family, network, config)
    calibrate(shipped, make_sampler(vocoder.sampler, vocoder.front_end.hop_length), calibration)
    if shipped is not prepared:
        ScaleTable.of(shipped.graphs.values()).begin(prepared.graphs.values())
    return prepared


def shipped_table(trained: FoldedVocoder, prepared: PreparedVocoder, calibration: Sequence[np.ndarray]) -> ScaleTable:
    """The table of the forms that ship: what `prepared` has learned, and calibrated with the `trained` weights what only these forms have."""
    learned = ScaleTable.of(prepared.graphs.values())
    if trained.family.training_forms is None:
        return learned
    shipped = PreparedVocoder(trained.family, trained.network, trained.trained.config)
    learned.apply_known(shipped.graphs.values())
    if not all(quantizer.seen for graph in shipped.graphs.values() for quantizer in graph.tensors.values()):
        calibrate(shipped, make_sampler(trained.sampler, trained.front_end.hop_length), calibration)
    return ScaleTable.of(shipped.graphs.values())
