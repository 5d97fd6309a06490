"""Draws of a sample from a mixture of logistics, in integers: whoever has the same integers draws the same sample.

Which logistic, `draws.draw` says; then the sample is mean + scale ln(u / (1 - u)) with a uniform u of 16 bits, both functions from tables, rounded to 16
bits and clipped. Logits, means and logarithms of scales are multiples of LOGIT_SCALE, MEAN_STEP and LOG_SCALE_STEP.
"""

import numpy as np

from .draws import draw, integer_logits
from .random import RandomStream

MIXTURES = 10
MEAN_STEP = 2.0**-14
LOG_SCALE_STEP = 2.0**-10
LOWEST, HIGHEST = -16, 4  # logarithms of scales: below, 12 scales are less than half a sample's step; above, samples are clipped
NOISE_BITS, SCALE_BITS = 16, 30  # behind the point
FULL = 32767  # of a sample's integer, either way


def noise_table() -> np.ndarray:
    """ln(u / (1 - u)) for u = (k + 1/2) / 2^16: int64 (65536,), in units of 2^-16."""
    u = (np.arange(1 << 16) + 0.5) / (1 << 16)
    return np.rint(np.log(u / (1 - u)) * 2**NOISE_BITS).astype(np.int64)


def scale_table() -> np.ndarray:
    """e^x for x from LOWEST to HIGHEST in steps of LOG_SCALE_STEP: int64, in units of 2^-30."""
    x = np.arange(LOWEST / LOG_SCALE_STEP, HIGHEST / LOG_SCALE_STEP + 1) * LOG_SCALE_STEP
    return np.rint(np.exp(x) * 2**SCALE_BITS).astype(np.int64)


_NOISE, _SCALES = noise_table(), scale_table()


def integers(values: np.ndarray, step: float) -> np.ndarray:
    """float32 of any shape -> int64 (count,), multiples of `step` within 16 bits; of a quantized network they are these already."""
    within = np.clip(np.nan_to_num(values.reshape(-1).astype(np.float64), nan=0.0) / step, -FULL, FULL)
    return np.rint(within).astype(np.int64)


def draw_logistic(mean: int, log_scale: int, stream: RandomStream) -> int:
    """A sample of one logistic: -32767 to 32767; takes one word of the stream."""
    lowest = int(LOWEST / LOG_SCALE_STEP)
    scale = int(_SCALES[min(max(log_scale - lowest, 0), len(_SCALES) - 1)])
    noise = int(_NOISE[int(stream.words(1)[0]) >> 48])
    bits = NOISE_BITS + SCALE_BITS  # of the product behind the point, where a mean has 14 and a sample 15
    drawn = ((mean << (bits - 14)) + noise * scale + (1 << (bits - 16))) >> (bits - 15)
    return min(max(drawn, -FULL), FULL)


def draw_mixture(logits: np.ndarray, means: np.ndarray, log_scales: np.ndarray, stream: RandomStream) -> int:
    """A sample of a mixture, from float32 arrays of as many elements: -32767 to 32767; takes two words of the stream."""
    chosen = draw(integer_logits(logits), stream)
    return draw_logistic(int(integers(means, MEAN_STEP)[chosen]), int(integers(log_scales, LOG_SCALE_STEP)[chosen]), stream)
