"""Training segments: which stretch of which clip a step sees is a function of seed and step alone.

So a resumed run goes on where it stopped, and a QAT run and its control see the same data in the same order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from ..runtime.front_ends import AnyFrontEnd
from ..runtime.notes import Note
from ..runtime.random import RandomStream
from .corpus import Recording


@dataclass
class Batch:
    """mel: float32 (B, n_mels, F), or whatever else the vocoder is given; waveform: float32 (B, 1, hop F); `seed` decides what an objective draws for it."""

    mel: Tensor
    waveform: Tensor
    seed: int


class Segments:
    """Clips in memory with their mels; cuts batches of `frames` frames. Shorter clips end in silence. `notes`: which each clip is of, where that is known."""

    def __init__(self, waveforms: Sequence[np.ndarray], front_end: AnyFrontEnd, frames: int, notes: Sequence[Note | None] | None = None):
        self.frames, self.hop_length = frames, front_end.hop_length
        self._waveforms = [_padded(w, frames * self.hop_length) for w in waveforms]
        self._mels = [front_end.condition(w, note) for w, note in zip(self._waveforms, notes or [None] * len(waveforms), strict=True)]
        self._weights = np.cumsum([m.shape[1] for m in self._mels])

    @classmethod
    def of(cls, recordings: Sequence[Recording], front_end: AnyFrontEnd, frames: int) -> "Segments":
        """Those of recordings."""
        return cls([r.waveform for r in recordings], front_end, frames, [r.note for r in recordings])

    def batch(self, size: int, seed: int) -> Batch:
        """`size` segments, clips drawn in proportion to their length."""
        draw = RandomStream(seed)
        mels, waveforms = [], []
        for _ in range(size):
            clip = int(np.searchsorted(self._weights, draw.below(int(self._weights[-1])), side="right"))
            start = draw.below(self._mels[clip].shape[1] - self.frames + 1)
            mels.append(self._mels[clip][:, start : start + self.frames])
            waveforms.append(self._waveforms[clip][start * self.hop_length : (start + self.frames) * self.hop_length])
        return Batch(torch.from_numpy(np.stack(mels)), torch.from_numpy(np.stack(waveforms)[:, None]), seed)


def _padded(waveform: np.ndarray, length: int) -> np.ndarray:
    return np.pad(waveform, (0, max(0, length - len(waveform))))


class Batches(IterableDataset):
    """Endless batches from step `first_step()` on, as an iterable for a DataLoader (batch_size=None).

    `place()` gives this device's rank and how many there are: each sees other segments.
    """

    def __init__(self, segments: Segments, size: int, seed: int, first_step: Callable[[], int], place: Callable[[], tuple[int, int]] = lambda: (0, 1)):
        self._segments, self._size, self._seed, self._first_step, self._place = segments, size, seed, first_step, place

    def __iter__(self) -> Iterator[Batch]:
        step, (rank, ranks) = self._first_step(), self._place()
        while True:
            yield self._segments.batch(self._size, (self._seed << 40) + step * ranks + rank)
            step += 1
