"""The recipe mixed_w8a8: choose what is not 8 bits, calibrate with it, and measure what came out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .costs import Costs
from .folded import FoldedVocoder
from .judge import Judge
from .mixed import Choice, Goal, Progress, choose
from .ranking import Damage, Ranking
from .static import quantize_static

ATTEMPTS = 3
# What is chosen on a few clips is a little better on them than elsewhere.
MARGIN, MARGIN_LOG_MEL = 0.5, 0.8  # dB; part of the log-mel L1 that is allowed


@dataclass(frozen=True)
class Mixture:
    """A choice and the damage measured with it after its own calibration; `everything`: of 8 bits everywhere."""

    choice: Choice
    damage: Damage
    everything: Damage
    met: bool

    def facts(self) -> dict[str, Any]:
        """What `run.json` holds of it; the reasons tensor by tensor are in `bits.json`."""
        choice = self.choice
        return {
            "met": self.met,
            "damage": asdict(self.damage),
            "damage_int8": asdict(self.everything),
            "predicted": {"seconds": choice.seconds, "seconds_int8": choice.seconds_int8, "seconds_float": choice.seconds_float},
            "integer_layers": choice.integer_layers,
            "layers": choice.layers,
            "tensors": choice.tensors,
            "float_layers": choice.float_layers,
            "measurements": [{"chosen": count, **asdict(damage)} for count, damage in choice.measurements],
        }


def quantize_mixed(
    vocoder: FoldedVocoder,
    mels: Sequence[np.ndarray],
    judge: Judge,
    ranking: Ranking,
    goal: Goal,
    folder: Path,
    progress: Progress = lambda *_: None,
) -> Mixture:
    """Write weights, scale table and bits into a run's folder. mels: float32 (n_mels, F) to calibrate on.

    What was chosen with tensors merely left unrounded is measured again with real 16 bits; where that misses the goal, more is chosen.
    """
    front_end, asked = vocoder.front_end, replace(goal, snr=goal.snr + MARGIN, log_mel_l1=goal.log_mel_l1 * MARGIN_LOG_MEL)
    costs = Costs(judge.units, judge.sampler, front_end.channels, front_end.hop_length / front_end.sample_rate)
    for _ in range(ATTEMPTS):
        choice = choose(judge, costs, ranking, vocoder.family.floats(vocoder.trained.config), asked, progress)
        prepared = quantize_static(vocoder, mels, folder, bits=choice.bits)
        prepared.mode(faking=True)
        damage = judge.damage_of(prepared)
        if goal.slower is not None or goal.met_by(damage) or not choice.met:
            break
        # Real 16 bits and float fell short of tensors that are merely left unrounded.
        short = max(0.0, goal.snr - damage.snr) if damage.snr is not None else 0.0
        louder = max(0.0, damage.log_mel_l1 - choice.damage.log_mel_l1)
        asked = replace(asked, snr=asked.snr + short, log_mel_l1=max(goal.log_mel_l1 / 2, asked.log_mel_l1 - louder))
    return Mixture(choice, damage, ranking.everything, goal.met_by(damage))
