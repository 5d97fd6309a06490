"""The project's random numbers: one integer generator that every back end and board can repeat to the bit.

SplitMix64 (Steele, Lea, Flood 2014) counted by position: word i of a stream is a hash of seed and i, so any part can be
drawn alone. A normal deviate is the sum of twelve 16-bit uniforms (Irwin-Hall), an integer that all machines agree on, scaled
by 2^-16: variance 1 to 1e-9, excess kurtosis -0.1, bounded by 6.
"""

import numpy as np

_GOLDEN, _MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_WORDS_PER_NORMAL = 3


class RandomStream:
    """An endless sequence of 64-bit words that `seed` decides."""

    def __init__(self, seed: int):
        self._seed = np.uint64(seed % 2**64)
        self._position = 0

    def words(self, count: int) -> np.ndarray:
        """The next `count` words: uint64 (count,)."""
        index = np.arange(self._position + 1, self._position + 1 + count, dtype=np.uint64)
        self._position += count
        with np.errstate(over="ignore"):
            z = self._seed + index * _GOLDEN
            z = (z ^ (z >> np.uint64(30))) * _MIX_1
            z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return z ^ (z >> np.uint64(31))

    def below(self, limit: int) -> int:
        """An integer in [0, limit), limit < 2^32."""
        return int(self.words(1)[0] >> np.uint64(32)) * limit >> 32

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal deviates: float32 of `shape`, each an integer times 2^-16."""
        count = int(np.prod(shape))
        halves = self.words(count * _WORDS_PER_NORMAL).view(np.uint16).reshape(count, 4 * _WORDS_PER_NORMAL)
        centred = halves.astype(np.int32).sum(axis=1, dtype=np.int32) - 6 * 65536 + 6  # twelve uniforms on 0..65535 have mean 12 * 32767.5
        return (centred.astype(np.float32) * np.float32(2**-16)).reshape(shape)
