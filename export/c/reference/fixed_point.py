"""Requantization in integers, q31 and q15: the multipliers of a layer, the arithmetic, and the proof that nothing overflows.

The twin in C is source/vc_fixed_point.h; both are bit for bit the same. Everything here takes and gives int64 arrays.
"""

from dataclasses import dataclass

import numpy as np

from ....errors import VcompressError

INT32 = 1 << 31
WIDEST = {31: 62, 15: 30}  # the largest shift of each variant, so that the rounding half fits beside the product
COARSE = 0.5  # q15 may round an accumulator to at most this many steps of the output: half of it is then the error


@dataclass(frozen=True)
class Q31:
    """x -> (x M + 2^(s-1)) >> s in 64 bits, rounding to nearest and ties up; M in [2^30, 2^31) unless the factor is below 2^-32.

    multiplier, shift: int64 (outputs,), M and s.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    preshift: int = 0
    name: str = "q31"

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x: int64 (..., outputs) within int32 -> int64 of the same shape, not clamped."""
        return (x * self.multiplier + (np.int64(1) << (self.shift - 1))) >> self.shift


@dataclass(frozen=True)
class Q15:
    """x -> (y M + 2^(s-1)) >> s in 32 bits, where y = (x + 2^(p-1)) >> p fits 16 bits for every x of the layer; M in [2^14, 2^15).

    multiplier, shift: int64 (outputs,), M and s. preshift: p, one for the layer, from the proven bound of x.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    preshift: int
    name: str = "q15"

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x: int64 (..., outputs) within the bound -> int64 of the same shape, not clamped."""
        y = (x + ((1 << self.preshift) >> 1)) >> self.preshift
        return (y * self.multiplier + (np.int64(1) << (self.shift - 1))) >> self.shift


Requantization = Q31 | Q15


def decompose(factor: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Real factors -> integers M and s with M / 2^s nearest to them, M in [2^(bits-1), 2^bits); a factor too small for the shift gets a smaller M.

    factor: float64, any shape, not negative. Returns int64 M and s of that shape.
    Raises VcompressError for a factor that is no number or too large.
    """
    factor = np.asarray(factor, np.float64)
    if not (np.isfinite(factor).all() and (factor >= 0).all()):
        raise VcompressError("a scale of this graph is negative or not a number: quantize it again")
    widest = WIDEST[bits]
    exponent = np.frexp(factor)[1]  # factor is in [0.5, 1) times 2 to it
    shift = np.clip(bits - exponent.astype(np.int64), None, widest)
    multiplier = np.rint(np.ldexp(factor, shift)).astype(np.int64)
    carried = multiplier == 1 << bits  # rounding went up to the next power of two
    multiplier, shift = np.where(carried, multiplier >> 1, multiplier), np.where(carried, shift - 1, shift)
    if (shift < 1).any():
        raise VcompressError(
            f"a ratio of scales of {factor.max():.3g} overflows the {bits}-bit multiplier: the output scale of a layer is far too small, calibrate again"
        )
    return multiplier, shift


def q31(factor: np.ndarray) -> Q31:
    """Factors input scale x weight scale / output scale, float64 (outputs,) -> their requantization."""
    return Q31(*decompose(factor, 31))


def preshift_of(low: int, high: int) -> int:
    """Smallest p for which every x in [low, high] has |(x + 2^(p-1)) >> p| < 2^15."""
    p = 0
    while not all(-(1 << 15) < (x + ((1 << p) >> 1)) >> p < 1 << 15 for x in (low, high)):
        p += 1
    return p


def q15(factor: np.ndarray, low: int, high: int) -> Q15 | None:
    """Factors and the proven bound of the accumulators -> their requantization, or None where 16 bits would be too coarse.

    Too coarse is a factor for which a step of y is more than COARSE steps of the output; within it the result is at most 1 away from the exact one
    that rounds to nearest: 1/4 for y, 1/2 for the result, and what M's 15 bits make of an output of 8 bits, 2^-8.
    """
    p = preshift_of(low, high)
    scaled = np.asarray(factor, np.float64) * 2.0**p
    if not (scaled <= COARSE).all():
        return None
    multiplier, shift = decompose(scaled, 15)
    return Q15(multiplier, shift, p)


def accumulator_bounds(weights: np.ndarray, bias: np.ndarray, input_low: int, input_high: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest value of each accumulator over all inputs within [input_low, input_high], int64 (outputs,) each; reached, so exact.

    weights: integers (outputs, ...). bias: integers (outputs,), the zero point folded in. What lies between, in any order of summing, stays within
    the sums of `partial_bounds`.
    """
    flat = np.asarray(weights, np.int64).reshape(len(weights), -1)
    ends = np.stack([flat * input_low, flat * input_high])
    bias = np.asarray(bias, np.int64)
    return bias + ends.min(0).sum(1), bias + ends.max(0).sum(1)


def partial_bounds(weights: np.ndarray, bias: np.ndarray, input_low: int, input_high: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest value of any partial sum of bias and products, int64 (outputs,) each: what a register must hold on the way."""
    flat = np.asarray(weights, np.int64).reshape(len(weights), -1)
    ends = np.stack([flat * input_low, flat * input_high])
    bias = np.asarray(bias, np.int64)
    return np.minimum(bias, 0) + np.minimum(ends.min(0), 0).sum(1), np.maximum(bias, 0) + np.maximum(ends.max(0), 0).sum(1)


def prove_accumulators(name: str, weights: np.ndarray, bias: np.ndarray, input_low: int, input_high: int) -> tuple[int, int]:
    """Least and greatest accumulator of a layer, proven to stay within int32 on the way; VcompressError that names the layer where it may not."""
    least, most = partial_bounds(weights, bias, input_low, input_high)
    if least.min() < -INT32 or most.max() >= INT32:
        raise VcompressError(
            f"the sums of {name} reach {max(-int(least.min()), int(most.max())):,} and overflow 32 bits: give it an input of 8 bits, or fewer inputs"
        )
    low, high = accumulator_bounds(weights, bias, input_low, input_high)
    return int(low.min()), int(high.max())
