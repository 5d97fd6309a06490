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
from torch import nn

from ..vocoders.adversarial import AdversarialTraining, Adversary
from ..vocoders.plan import TrainingPlan
from ..vocoders.segments import Segments
from ..vocoders.training import Training, train, validation_batches
from .folded import FoldedVocoder
from .static import SCALES
from .trainable import shipped_table, trainable


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
    """Train one arm in a run's folder; goes on from `last.ckpt` when one is there.

    `faking`: QAT, through the forms and their fake quantizers; else the folded network itself is trained. Writes the trained weights,
    and for QAT the scale table, when the end is reached.
    """
    prepared = trainable(vocoder, tuning.calibration) if faking else None
    network: nn.Module = copy.deepcopy(vocoder.network)
    if prepared is not None:
        prepared.mode(faking=True)
        network = prepared
    training = _training(vocoder, network, tuning)
    complete = train(training, tuning.training, folder, *reports)
    if complete:
        trained = vocoder.with_weights(network.state_dict() if prepared is None else prepared.weights())
        trained.save(folder)
        if prepared is not None:
            shipped_table(trained, prepared, tuning.calibration).save(folder / SCALES)
    return FineTuned(complete, training.steps, training.spent, training.last_validation)


def _training(vocoder: FoldedVocoder, network: nn.Module, tuning: FineTuning) -> Training:
    objective = vocoder.trained.objective()
    arguments: tuple[Any, ...] = (objective, tuning.plan, validation_batches(tuning.validation, tuning.plan))
    if tuning.adversary is None:
        return Training(network, *arguments)
    return AdversarialTraining(network, copy.deepcopy(tuning.adversary), *arguments)
