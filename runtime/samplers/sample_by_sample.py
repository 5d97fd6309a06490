"""Sample by sample, each drawn at once: as a class of levels, or from a mixture of logistics. For the WaveRNN of two GRUs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..draws import draw, integer_logits
from ..logistic import draw_mixture
from ..random import RandomStream
from .columns import column
from .sampler import OnStep, Run, Tensors

STATES = {"state1": "next1", "state2": "next2"}


@dataclass
class Levels:
    """A sample is one of 2^`bits` levels, evenly spaced from -1 to 1; with `mu_law` the waveform is expanded at the end, what the network sees is not."""

    bits: int
    mu_law: bool

    def __post_init__(self) -> None:
        most = 2**self.bits - 1
        levels = 2 * np.arange(most + 1) / most - 1
        expanded = np.sign(levels) * ((1 + most) ** np.abs(levels) - 1) / most
        self._seen, self._heard = levels.astype(np.float32), (expanded if self.mu_law else levels).astype(np.float32)

    def draw(self, outputs: Tensors, stream: RandomStream) -> tuple[np.float32, np.float32]:
        """What the next step sees, and what is heard; takes one word of the stream."""
        level = draw(integer_logits(outputs["logits"]), stream)
        return self._seen[level], self._heard[level]


class Mixture:
    """A sample of 16 bits is drawn from a mixture of logistics."""

    def draw(self, outputs: Tensors, stream: RandomStream) -> tuple[np.float32, np.float32]:
        """As of Levels; takes two words of the stream."""
        sample = np.float32(draw_mixture(outputs["logits"], outputs["means"], outputs["log_scales"], stream)) / np.float32(32768)
        return sample, sample


@dataclass
class SampleBySampleSampler:
    """`conditioner` once; then for every sample `step`, and a draw. The states begin at zero by being left out, and the first sample sees 0."""

    hop_length: int
    head: Levels | Mixture
    calls: dict[str, int] = field(init=False)
    each_frame: tuple[str, ...] = ("step",)

    def __post_init__(self) -> None:
        self.calls = {"conditioner": 1, "step": self.hop_length}

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler; there is no intermediate waveform."""
        conditions = run("conditioner", {"mel": mel[None]})
        upsampled = conditions["upsampled"]
        of_frames = {name: condition for name, condition in conditions.items() if name != "upsampled"}
        stream, states, seen = RandomStream(seed), Tensors(), np.float32(0)
        waveform = np.empty(mel.shape[1] * self.hop_length, np.float32)
        for t in range(len(waveform)):
            if t % self.hop_length == 0:
                at = {name: column(condition, t // self.hop_length) for name, condition in of_frames.items()}
            outputs = run("step", {"sample": np.full((1, 1, 1), seen), "upsampled": column(upsampled, t), **at, **states})
            seen, waveform[t] = self.head.draw(outputs, stream)
            states = {name: outputs[following] for name, following in STATES.items()}
        return waveform


def make(settings: dict[str, Any], hop_length: int) -> SampleBySampleSampler:
    """`mode`: RAW with `bits` and `mu_law`, or MOL."""
    if settings["mode"] not in ("RAW", "MOL"):
        raise ValueError
    bits = int(settings["bits"]) if settings["mode"] == "RAW" else 16
    if not 1 <= bits <= 16:
        raise ValueError
    return SampleBySampleSampler(hop_length, Levels(bits, bool(settings["mu_law"])) if settings["mode"] == "RAW" else Mixture())
