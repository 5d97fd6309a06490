"""Inverse STFT with overlap-add in integers: the twin in numpy of source/vc_istft.c, bit for bit, and the facts and tables that it is given.

It computes what runtime/samplers/istft.py computes in float. How:
- A magnitude is 2^(integer + fraction): the fraction from a table of 65 values with straight lines between.
- A direction (c, s) is multiplied by 1 / sqrt(c^2 + s^2 + shortest^2): a sum of 32 bits, shifted by an even count into [2^30, 2^32), a table of 97 values.
- Bins have Q = 30 - 2 log2(n_fft) fractional bits. None is longer than n_fft, so no sum of them exceeds n_fft^2 2^Q = 2^30: nothing
  overflows 32 bits in the FFT, and it needs no scaling on the way. In PCM a unit of a bin is 2^-6 at n_fft 512.
- Every other bin is negated, which turns the frame by half its length, to its centre. Two real halves make one complex FFT of n_fft / 2 points.
"""

import math
from dataclasses import dataclass

import numpy as np

from ....errors import VcompressError
from ....runtime.samplers.istft import SHORTEST, sine_window
from .fixed_point import decompose

SMALLEST, LARGEST = 3, 14  # log2 of n_fft
POWERS = np.minimum(np.rint(2.0 ** (15 + np.arange(65) / 64)), 65535).astype(np.int64)  # 2^15 2^(i / 64)
ROOTS = np.minimum(np.rint(2.0**16 / np.sqrt(np.arange(32, 129) / 32)), 65535).astype(np.int64)  # 2^16 / sqrt(1 + i / 32)


@dataclass(frozen=True)
class IntegerISTFT:
    """vc_istft. sine: int16 (n_fft / 4 + 1,). window: int16 (n_fft / 2,). The rest as in source/vc_istft.h."""

    sine: np.ndarray
    window: np.ndarray
    shortest: int
    log_multiplier: int
    log_shift: int
    log2_n_fft: int
    hop_length: int

    @property
    def n_fft(self) -> int:
        """Samples of a frame."""
        return 1 << self.log2_n_fft

    @property
    def overlap(self) -> int:
        """Frames that a sample is made of."""
        return self.n_fft // self.hop_length


def istft_of(n_fft: int, hop_length: int, log_magnitude_scale: float, direction_scale: float) -> IntegerISTFT:
    """The facts for a spectrum of 16 bits with these scales.

    Raises VcompressError where n_fft is no power of two of 8 to 16,384, the hop no power of two below it, or a scale out of range.
    """
    log2 = n_fft.bit_length() - 1
    if n_fft != 1 << log2 or not SMALLEST <= log2 <= LARGEST or hop_length & (hop_length - 1) or not 0 < hop_length < n_fft:
        raise VcompressError(f"the inverse STFT in integers needs powers of two, n_fft from 8 to 16384 and a hop below it, not {n_fft} and {hop_length}")
    shortest = (SHORTEST / direction_scale) ** 2
    if not shortest < 1 << 31:
        raise VcompressError(f"a direction scale of {direction_scale:.3g} is too fine for the inverse STFT in integers: calibrate again")
    multiplier, shift = decompose(np.array(log_magnitude_scale * math.log2(math.e) * 65536), 15)
    return IntegerISTFT(
        sine=np.minimum(np.rint(32768 * np.sin(2 * np.pi * np.arange(n_fft // 4 + 1) / n_fft)), 32767).astype(np.int16),
        window=np.minimum(np.rint(32768 * sine_window(n_fft, hop_length)[: n_fft // 2].astype(np.float64)), 32767).astype(np.int16),
        shortest=max(round(shortest), 1),
        log_multiplier=int(multiplier),
        log_shift=int(shift),
        log2_n_fft=log2,
        hop_length=hop_length,
    )


def _between(table: np.ndarray, index: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    return table[index] + (((table[index + 1] - table[index]) * fraction) >> 10)


def _halved(x: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """x 2^-shift, rounded, ties up; shift of 1 or more."""
    return ((x >> (shift - 1)) + 1) >> 1


def _times(x: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """x times a number of 15 fractional bits, rounded."""
    return (x * factor + (1 << 14)) >> 15


def bins(of: IntegerISTFT, log_magnitude: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """s16 (F, n_fft / 2 + 1) and (F, n_fft + 2) -> real and imaginary parts with Q fractional bits, int64 (2, F, n_fft / 2 + 1), turned to the centre."""
    logarithm = np.minimum((np.asarray(log_magnitude, np.int64) * of.log_multiplier) >> of.log_shift, of.log2_n_fft << 16)
    exponent, fraction = logarithm >> 16, logarithm & 0xFFFF
    magnitude = _between(POWERS, fraction >> 10, fraction & 0x3FF)
    parts = np.stack(np.split(np.asarray(direction, np.int64), 2, axis=-1))
    square = (parts**2).sum(0) + of.shortest
    places = (32 - np.ceil(np.log2(square + 1)).astype(np.int64)) // 2  # how often two places are free
    normal = square << (2 * places)
    root = _between(ROOTS, (normal >> 25) - 32, (normal >> 15) & 0x3FF)
    unit = np.clip(_halved(parts * root, 16 - places), -32767, 32767)
    shift = 2 * of.log2_n_fft - exponent
    spectrum = np.where(shift > 31, 0, _halved(unit * magnitude, np.minimum(shift, 31)))
    spectrum[..., 1::2] *= -1
    spectrum[1][..., [0, -1]] = 0
    return spectrum


def _turn(of: IntegerISTFT, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of 2 pi steps / n_fft, 15 fractional bits, for 0 <= steps < n_fft / 2."""
    quarter, sine = of.n_fft // 4, of.sine.astype(np.int64)
    folded = np.where(steps <= quarter, steps, 2 * quarter - steps)
    cosine = sine[np.abs(quarter - steps)]
    return np.where(steps <= quarter, cosine, -cosine), sine[folded]


def frames(of: IntegerISTFT, spectrum: np.ndarray) -> np.ndarray:
    """Inverse real FFT, unscaled, of bins: int64 (2, F, n_fft / 2 + 1) -> (F, n_fft)."""
    real, imaginary = spectrum
    points = of.n_fft // 2
    real_mirrored, imaginary_mirrored = real[:, :0:-1], -imaginary[:, :0:-1]
    cosine, sine = _turn(of, np.arange(points))
    difference_real, difference_imaginary = real[:, :-1] - real_mirrored, imaginary[:, :-1] - imaginary_mirrored
    odd_real = _times(difference_real, cosine) - _times(difference_imaginary, sine)
    odd_imaginary = _times(difference_real, sine) + _times(difference_imaginary, cosine)
    # a half is computed, the other mirrors it
    half = points // 2
    even_real, even_imaginary = real[:, :-1] + real_mirrored, imaginary[:, :-1] + imaginary_mirrored
    odd_real[:, 0], odd_imaginary[:, 0] = difference_real[:, 0], difference_imaginary[:, 0]
    odd_real[:, half], odd_imaginary[:, half] = -difference_imaginary[:, half], difference_real[:, half]
    odd_real[:, half + 1 :], odd_imaginary[:, half + 1 :] = odd_real[:, half - 1 : 0 : -1], -odd_imaginary[:, half - 1 : 0 : -1]
    order = [int(f"{i:0{of.log2_n_fft - 1}b}"[::-1], 2) for i in range(points)]
    x, y = (even_real - odd_imaginary)[:, order], (even_imaginary + odd_real)[:, order]
    length = 2
    while length <= points:
        x, y = x.reshape(len(x), -1, length), y.reshape(len(y), -1, length)
        cosine, sine = _turn(of, np.arange(length // 2) * (of.n_fft // length))
        u, v = x[..., length // 2 :], y[..., length // 2 :]
        turned_x, turned_y = _times(u, cosine) - _times(v, sine), _times(u, sine) + _times(v, cosine)
        turned_x[..., 0], turned_y[..., 0] = u[..., 0], v[..., 0]
        if length > 2:  # a quarter of a turn
            turned_x[..., length // 4], turned_y[..., length // 4] = -v[..., length // 4], u[..., length // 4]
        a, b = x[..., : length // 2], y[..., : length // 2]
        x, y = np.concatenate([a + turned_x, a - turned_x], -1), np.concatenate([b + turned_y, b - turned_y], -1)
        length *= 2
    return np.stack([x, y], -1).reshape(len(real), of.n_fft)


def inverse_stft(of: IntegerISTFT, log_magnitude: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """s16 (n_fft / 2 + 1, F) and (n_fft + 2, F), as the network gives them -> PCM int16 (hop_length F,); edges as in runtime/samplers/istft.py."""
    count = log_magnitude.shape[1]
    windowed = _times(frames(of, bins(of, log_magnitude.T, direction.T)), np.concatenate([of.window, of.window[::-1]]).astype(np.int64))
    parts = windowed.reshape(count, of.overlap, of.hop_length)
    blocks = np.zeros((count + of.overlap - 1, of.hop_length), np.int64)
    for i in range(of.overlap):
        blocks[i : i + count] += parts[:, i]
    samples = _halved(blocks[of.overlap // 2 : of.overlap // 2 + count], 15 - of.log2_n_fft)
    return np.clip(samples, -32768, 32767).astype(np.int16).reshape(-1)
