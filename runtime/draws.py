"""Draws of a symbol from logits, in integers: whoever has the same logits draws the same symbol.

The logits are integers, multiples of LOGIT_SCALE. A symbol's weight is 2^23 e^(logit - highest logit), rounded, read from a table of the difference;
256 weights add up to less than 2^32, of more symbols each is halved as often as that takes. The draw is the first symbol whose cumulative weight exceeds
a uniform integer below their sum. Below e^-16 of the most likely one a symbol has no weight.
"""

import numpy as np

from .random import RandomStream

LOGIT_SCALE = 2.0**-8
MOST = 32767  # of a logit's integer, either way
NATS = 16
HIGHEST_WEIGHT = 1 << 23


def weight_table() -> np.ndarray:
    """Weight of a symbol by how far its logit's integer is below the highest: uint32 (4097,); the last entry, for all that is farther, is 0."""
    steps = int(NATS / LOGIT_SCALE)
    return np.append(np.rint(HIGHEST_WEIGHT * np.exp(-np.arange(steps) * LOGIT_SCALE)), 0).astype(np.uint32)


_WEIGHTS = weight_table()


def integer_logits(logits: np.ndarray) -> np.ndarray:
    """float32 logits of any shape -> int64 (count,), multiples of LOGIT_SCALE; of a quantized network they are these already."""
    most = np.float32(MOST * LOGIT_SCALE)
    within = np.clip(np.nan_to_num(logits.reshape(-1), nan=0.0), -most, most)
    return np.rint(within / np.float32(LOGIT_SCALE)).astype(np.int64)


def draw(integers: np.ndarray, stream: RandomStream) -> int:
    """A symbol, from integer logits (symbols,); takes one word of the stream."""
    return int(draw_each(integers[None], stream.words(1))[0])


def draw_each(integers: np.ndarray, words: np.ndarray) -> np.ndarray:
    """A symbol for each row of integer logits, (B, symbols), and its own random word, uint64 (B,): int64 (B,)."""
    below = np.minimum(integers.max(1, keepdims=True) - integers, len(_WEIGHTS) - 1)
    halvings = max(0, integers.shape[1].bit_length() - 9)
    cumulative = np.cumsum(_WEIGHTS[below] >> np.uint32(halvings), axis=1, dtype=np.uint64)
    uniform = (words >> np.uint64(32)) * cumulative[:, -1] >> np.uint64(32)
    return (cumulative <= uniform[:, None]).sum(1)
