"""Quantization-aware training (QAT) and its control.

Both fine-tune the same folded network on the same data in the same order from the same seed for the same steps; only in QAT do
the fake quantizers round. Whoever compares QAT with anything but its control credits it with the extra training.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.callbacks import Callback

from ..runtime.samplers import make_sampler
from ..vocoders.adversarial import AdversarialTraining, Adversary
from ..vocoders.plan import TrainingPlan
from ..vocoders.segments import Segments
from ..vocoders.training import Training, train, validation_batches
from .calibration import calibrate
from .folded import FoldedVocoder
from .prepared import PreparedVocoder
from .scale_table import ScaleTable
from .static import SCALES


@dataclass(frozen=True)
class FineTuning:
    """What both arms share. `adversary` goes on where an adversarial training stopped; without one, the family's own objective is used."""

    plan: TrainingPlan
    training: Segments
    validation: Segments
    calibration: Sequence[np.ndarray]
    adversary: Adversary | None = None


@dataclass(frozen=True)
class FineTuned:
    """`complete`: the budget was used to its end. Validation losses are the objective's."""

    complete: bool
    steps: int
    seconds: float
    validation_loss: float | None


def fine_tune(vocoder: FoldedVocoder, tuning: FineTuning, faking: bool, folder: Path, reports: Sequence[Callback] = ()) -> FineTuned:
    """Train one arm (`faking`: QAT, else the control) in a run's folder; goes on from `last.ckpt` when one is there.

    Writes the trained weights, and for QAT the scale table, when the end is reached.
    """
    prepared = PreparedVocoder(vocoder.family, copy.deepcopy(vocoder.network), vocoder.trained.config)
    if faking:
        calibrate(prepared, make_sampler(vocoder.sampler, vocoder.front_end.hop_length), tuning.calibration)
        prepared.mode(faking=True)
    training = _training(vocoder, prepared, tuning)
    complete = train(training, tuning.training, folder, *reports)
    if complete:
        vocoder.with_weights(prepared.weights()).save(folder)
        if faking:
            ScaleTable.of(prepared.graphs.values()).save(folder / SCALES)
    return FineTuned(complete, training.steps, training.spent, training.last_validation)


def _training(vocoder: FoldedVocoder, prepared: PreparedVocoder, tuning: FineTuning) -> Training:
    objective = vocoder.family.objective(vocoder.front_end)
    arguments: tuple[Any, ...] = (objective, tuning.plan, validation_batches(tuning.validation, tuning.plan))
    if tuning.adversary is None:
        return Training(prepared, *arguments)
    return AdversarialTraining(prepared, copy.deepcopy(tuning.adversary), *arguments)
