"""Sample by sample, each as two symbols that are drawn one after the other: for WaveRNN."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..draws import draw, integer_logits
from ..random import RandomStream
from .columns import channels_axis, column
from .sampler import OnStep, Run, Tensors

CENTRE = 128  # the coarse symbol of silence, and of a symbol what the network sees as zero


@dataclass
class WaveRNNSampler:
    """`conditioner` once; then for every sample `coarse`, a draw, `fine` given that symbol, a draw.

    The state of all units is what the two halves gave, one behind the other; it begins at zero by being left out.
    `loop`: what runs the graphs has this loop in it, as a graph `loop` from "conditions" or from the "mel", hop length and seed to the samples.
    """

    hop_length: int
    loop: str = ""
    calls: dict[str, int] = field(init=False)
    each_frame: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.each_frame = () if self.loop else ("coarse", "fine")
        loop = {"loop": 1} if self.loop else dict.fromkeys(self.each_frame, self.hop_length)
        self.calls = loop if self.loop == "mel" else {"conditioner": 1, **loop}

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler; there is no intermediate waveform."""
        conditions = {"mel": mel[None]} if self.loop == "mel" else run("conditioner", {"mel": mel[None]})
        if self.loop:
            numbers = {"hop_length": np.array([self.hop_length]), "seed": np.array([seed % 2**64], np.uint64)}
            return run("loop", {**conditions, **numbers})["samples"].astype(np.float32) / np.float32(32768)
        stream, states = RandomStream(seed), Tensors()
        coarse, fine = CENTRE, 0
        samples = np.empty(mel.shape[1] * self.hop_length, np.int16)
        for t in range(len(samples)):
            if t % self.hop_length == 0:
                at = [column(conditions[f"condition_{half}"], t // self.hop_length) for half in ("coarse", "fine")]
            seen = [coarse, fine]
            first = run("coarse", {"seen": _seen(seen), "condition": at[0], **states})
            coarse = draw(integer_logits(first["logits"]), stream)
            second = run("fine", {"seen": _seen([*seen, coarse]), "condition": at[1], **states})
            fine = draw(integer_logits(second["logits"]), stream)
            states = {"state": np.concatenate([first["next"], second["next"]], channels_axis(first["next"]))}
            samples[t] = 256 * coarse + fine - 32768
        return samples.astype(np.float32) / np.float32(32768)


def _seen(symbols: list[int]) -> np.ndarray:
    """Symbols as a step sees them: float32 (1, count, 1)."""
    return ((np.array(symbols, np.float32) - CENTRE) / CENTRE).reshape(1, -1, 1)


def make(settings: dict[str, Any], hop_length: int) -> WaveRNNSampler:
    """No settings but `loop`, which is a back end's."""
    return WaveRNNSampler(hop_length, str(settings.get("loop", "")))
