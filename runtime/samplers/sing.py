"""Step by step through an LSTM, then the whole sequence through a decoder: for SING."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .columns import channels_axis, column
from .sampler import OnStep, Run, Tensors

CODES = ("instrument", "pitch", "velocity", "time")


@dataclass
class SINGSampler:
    """`conditioner` once, `lstm` for every step, each with the state that the one before gave, then `decoder` once.

    `cardinalities`: rows of the four tables of embeddings; `layers` of the LSTM; it makes `lead` steps more than the note has frames.
    """

    hop_length: int
    cardinalities: tuple[int, int, int, int]
    layers: int
    lead: int
    calls: dict[str, int] = field(default_factory=lambda: {"conditioner": 1, "lstm": 1, "decoder": 1})
    each_frame: tuple[str, ...] = ("lstm",)

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler; `mel` is the codes of a note, float32 (3, F). Nothing is drawn; there is no intermediate waveform."""
        steps = mel.shape[1] + self.lead
        places = [*(np.full(steps, int(row[0])) for row in mel), np.arange(steps)]
        one_hot = {name: _one_hot(place, rows) for name, place, rows in zip(CODES, places, self.cardinalities, strict=True)}
        condition = run("conditioner", one_hot)["condition"]
        states, heard = Tensors(), []
        for step in range(steps):
            given = run("lstm", {"condition": column(condition, step), **states})
            states = {name.removeprefix("next_"): state for name, state in given.items()}
            heard.append(states[f"hidden_{self.layers - 1}"])
        hidden = np.concatenate(heard, 3 - channels_axis(heard[0]))
        return np.clip(run("decoder", {"hidden": hidden})["waveform"].reshape(-1), -1.0, 1.0)


def _one_hot(places: np.ndarray, rows: int) -> np.ndarray:
    """float32 (1, rows, T): one at each place."""
    return (np.arange(rows)[:, None] == places).astype(np.float32)[None]


def make(settings: dict[str, Any], hop_length: int) -> SINGSampler:
    """Settings: cardinalities, layers and lead, which are the network's."""
    cardinalities, layers, lead = tuple(map(int, settings["cardinalities"])), int(settings["layers"]), int(settings["lead"])
    if len(cardinalities) != len(CODES) or min(*cardinalities, layers, lead) < 1:
        raise ValueError(settings)
    return SINGSampler(hop_length, cardinalities, layers, lead)  # type: ignore[arg-type]
