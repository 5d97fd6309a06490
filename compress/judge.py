"""What quantizing some tensors and weights, and nothing else, does to the waveform: the real sampler, with the noise of fp32."""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from ..errors import VcompressError
from ..runtime.samplers import Sampler
from .journal import Journal
from .prepared import PreparedVocoder
from .ranking import Damage
from .units import Units

Distance = Callable[[np.ndarray, np.ndarray, int], float]  # (recording, output, rate in Hz)


@dataclass(frozen=True)
class Recording:
    """mel: float32 (n_mels, F), waveform: float32 (hop F,): what it was made of."""

    mel: np.ndarray
    waveform: np.ndarray


class Judge:
    """Measures a set of units on a few recordings; what a journal already holds is not measured again.

    `distance`: log-mel L1. Raises VcompressError where there is no recording, or the fp32 output is silent.
    """

    def __init__(self, units: Units, sampler: Sampler, recordings: Sequence[Recording], rate: int, distance: Distance, journal: Journal | None = None):
        if not recordings:
            raise VcompressError("Sensitivity is measured on recordings; give a corpus with training clips.")
        self.units, self.sampler = units, sampler
        self._recordings, self._rate, self._distance, self._journal = recordings, rate, distance, journal
        units.quantize((), ())
        self._fp32 = self._outputs(units.prepared)
        if not all(np.square(output).sum() for output in self._fp32):
            raise VcompressError("The vocoder's fp32 output is silent, so nothing can be compared with it; train it first.")
        self._fp32_distance = self._distances(self._fp32)

    @property
    def log_mel_l1(self) -> float:
        """fp32's own, mean over the recordings."""
        return self._fp32_distance

    def measure(self, tensors: Collection[str], weights: Collection[str]) -> Damage:
        """The damage of quantizing these tensors and the weights of these layers."""
        key = hashlib.sha256(json.dumps([sorted(tensors), sorted(weights)]).encode()).hexdigest()[:16]
        known = self._journal.get(key) if self._journal else None
        if known is not None:
            return Damage(known["noise"], known["snr"], known["log_mel_l1"])
        self.units.quantize(tensors, weights)
        damage = self.damage_of(self.units.prepared)
        if self._journal:
            self._journal.put(key, **asdict(damage))
        return damage

    def damage_of(self, prepared: PreparedVocoder) -> Damage:
        """That of another prepared network of the same vocoder, as its fake quantizers stand."""
        outputs = self._outputs(prepared)
        return compare(self._fp32, outputs, self._distances(outputs) / self._fp32_distance - 1)

    def _outputs(self, prepared: PreparedVocoder) -> list[np.ndarray]:
        with torch.no_grad():
            return [self.sampler.synthesize(prepared.run, r.mel, seed=index) for index, r in enumerate(self._recordings)]

    def _distances(self, outputs: Sequence[np.ndarray]) -> float:
        pairs = zip(self._recordings, outputs, strict=True)
        return float(np.mean([self._distance(r.waveform[: len(output)], output[: len(r.waveform)], self._rate) for r, output in pairs]))


def compare(fp32: Sequence[np.ndarray], outputs: Sequence[np.ndarray], log_mel_l1: float) -> Damage:
    """The damage of outputs against those of fp32. An output that is not finite counts as noise a thousand times the signal."""
    ratios = [float(np.square(x - y, dtype=np.float64).sum() / np.square(x, dtype=np.float64).sum()) for x, y in zip(fp32, outputs, strict=True)]
    ratios = [ratio if np.isfinite(ratio) else 1000.0 for ratio in ratios]
    heard = [ratio for ratio in ratios if ratio]
    snr = float(np.mean([-10 * np.log10(ratio) for ratio in heard])) if heard else None
    return Damage(float(np.mean(ratios)), snr, log_mel_l1 if np.isfinite(log_mel_l1) else 1000.0)
