"""The kernels of source/vc_kernels.h in numpy, bit for bit, on any number of rows at once.

Rows are int64 or narrower arrays (..., channels) that hold the integers of an s8 or s16 tensor; results are int64. What a layer needs
is made by `layer`, `sum_of`, `product_of` and `scale_of` from real scales; they raise VcompressError where integers could overflow.
"""

from dataclasses import dataclass

import numpy as np

from ....errors import VcompressError
from .fixed_point import Q31, Requantization, decompose, prove_accumulators, q15, q31

LIMITS = {8: (-128, 127), 16: (-32768, 32767)}


@dataclass(frozen=True)
class Clamp:
    """Output zero point and the limits of the output, int."""

    zero_point: int
    low: int
    high: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Zero point added, clamped."""
        return np.clip(x + self.zero_point, self.low, self.high)


def clamp_of(bits: int, zero_point: int = 0, low: int | None = None, high: int | None = None) -> Clamp:
    """The clamp of an output of 8 or 16 bits, narrower where a ReLU is folded in."""
    least, most = LIMITS[bits]
    return Clamp(zero_point, least if low is None else max(low, least), most if high is None else min(high, most))


@dataclass(frozen=True)
class Layer:
    """A convolution: vc_layer. weights: int8 (outputs, taps, inputs / groups). bias: int32 (outputs,), the input's zero point folded in."""

    weights: np.ndarray
    bias: np.ndarray
    requantize: Requantization
    clamp: Clamp
    groups: int = 1

    @property
    def outputs(self) -> int:
        """Channels of an output row."""
        return self.weights.shape[0]

    @property
    def taps(self) -> int:
        """Input rows of an output row."""
        return self.weights.shape[1]

    @property
    def inputs(self) -> int:
        """Channels of an input row."""
        return self.weights.shape[2] * self.groups

    @property
    def depthwise(self) -> bool:
        """Whether the depthwise kernels run it: one input and one output a group."""
        return self.groups == self.inputs == self.outputs


@dataclass(frozen=True)
class InputFacts:
    """What a layer must know of its input: bits (8 or 16), zero point, and limits where they are narrower."""

    bits: int
    zero_point: int = 0
    low: int | None = None
    high: int | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest value."""
        least, most = LIMITS[self.bits]
        return least if self.low is None else max(self.low, least), most if self.high is None else min(self.high, most)


def layer(name: str, weights: np.ndarray, bias: np.ndarray, factor: np.ndarray, of: InputFacts, clamp: Clamp, variant: str = "q31", groups: int = 1) -> Layer:
    """A convolution from its integers, proven not to overflow.

    weights: int8 (outputs, taps, inputs / groups). bias: int32 (outputs,), as in ONNX, before the zero point is folded in. factor: float64 (outputs,),
    input scale x weight scale / output scale. variant: "q31", or "q15" which is taken where an output of 8 bits stays within 1 of the exact one.
    Raises VcompressError, naming the layer, where an accumulator may overflow 32 bits or a factor overflows the multiplier.
    """
    weights = np.asarray(weights, np.int64)
    folded = np.asarray(bias, np.int64) - of.zero_point * weights.reshape(len(weights), -1).sum(1)
    low, high = prove_accumulators(name, weights, folded, *of.limits)
    try:
        requantize: Requantization | None = q15(factor, low, high) if variant == "q15" and clamp.high <= LIMITS[8][1] else None
        requantize = requantize or q31(factor)
    except VcompressError as error:
        raise VcompressError(f"{name}: {error}") from error
    return Layer(weights, folded, requantize, clamp, groups)


def conv(layer: Layer, rows: np.ndarray) -> np.ndarray:
    """rows: integers (..., taps, inputs) -> int64 (..., outputs): vc_conv and vc_depthwise."""
    x = np.asarray(rows, np.int64)
    *leading, taps, inputs = x.shape
    grouped = x.reshape(-1, taps, layer.groups, inputs // layer.groups)
    weights = layer.weights.reshape(layer.groups, layer.outputs // layer.groups, taps, inputs // layer.groups)
    # float64 holds these sums exactly (each is proven to be below 2^31) and has fast products
    products = np.einsum("ntgi,goti->ngo", grouped.astype(np.float64), weights.astype(np.float64), optimize=True)
    sums = np.rint(products).astype(np.int64).reshape(*leading, layer.outputs) + layer.bias
    return layer.clamp(layer.requantize(sums))


@dataclass(frozen=True)
class Sum:
    """clamp((a A + b B + offset) >> shift): vc_sum, or vc_wide_sum where `wide`."""

    a_multiplier: int
    b_multiplier: int
    offset: int
    shift: int
    low: int
    high: int
    wide: bool


def sum_of(a_factor: float, b_factor: float, a: InputFacts, b: InputFacts, clamp: Clamp) -> Sum:
    """a x a_factor + b x b_factor, factors being input scale / output scale, b's negative for a difference.

    In 32 bits where all three tensors have 8 (16-bit multipliers), else in 64 (31-bit multipliers). Raises VcompressError where a factor is too large.
    """
    wide = max(a.bits, b.bits) > 8 or clamp.low < -128 or clamp.high > 127
    bits, widest = (31, 46) if wide else (15, 22)  # so that no sum overflows: 2 x 2^7 x 2^15 + 2^7 x 2^22, 2 x 2^15 x 2^31 + 2^15 x 2^46 and little more
    shift = min(int(decompose(np.array(max(abs(a_factor), abs(b_factor))), bits)[1]), widest)
    a_multiplier, b_multiplier = (round(float(np.ldexp(factor, shift))) for factor in (a_factor, b_factor))
    offset = (clamp.zero_point << shift) + (1 << shift >> 1) - a.zero_point * a_multiplier - b.zero_point * b_multiplier
    return Sum(a_multiplier, b_multiplier, offset, shift, clamp.low, clamp.high, wide)


def add(of: Sum, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integers of equal shapes -> int64: vc_add."""
    total = np.asarray(a, np.int64) * of.a_multiplier + np.asarray(b, np.int64) * of.b_multiplier + of.offset
    return np.clip(total >> of.shift, of.low, of.high)


@dataclass(frozen=True)
class Product:
    """clamp(zero_point + q31((a - a_zero_point) (b - b_zero_point))): vc_product."""

    requantize: Q31
    a_zero_point: int
    b_zero_point: int
    clamp: Clamp


def product_of(factor: float, a: InputFacts, b: InputFacts, clamp: Clamp) -> Product:
    """a b x factor, which is the scales of a and b over the output's."""
    return Product(q31(np.array(factor)), a.zero_point, b.zero_point, clamp)


def mul(of: Product, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integers of equal shapes -> int64: vc_mul."""
    return of.clamp(of.requantize((np.asarray(a, np.int64) - of.a_zero_point) * (np.asarray(b, np.int64) - of.b_zero_point)))


@dataclass(frozen=True)
class Scale:
    """clamp(zero_point + q31(x - input_zero_point)), by `below` for what is negative: vc_scale."""

    above: Q31
    below: Q31
    input_zero_point: int
    clamp: Clamp


def scale_of(factor: float, of: InputFacts, clamp: Clamp, slope: float = 1.0) -> Scale:
    """x x factor (input scale over output scale), and times `slope` below zero (LeakyReLU; 1 for a mere change of scale)."""
    return Scale(q31(np.array(factor)), q31(np.array(factor * slope)), of.zero_point, clamp)


def rescale(of: Scale, x: np.ndarray) -> np.ndarray:
    """Integers -> int64: vc_rescale."""
    centred = np.asarray(x, np.int64) - of.input_zero_point
    return of.clamp(np.where(centred < 0, of.below(centred), of.above(centred)))


def table_s8(table: np.ndarray, x: np.ndarray) -> np.ndarray:
    """table: integers (256,) by x + 128. x: s8 -> int64: vc_table_s8."""
    return np.asarray(table, np.int64)[np.asarray(x, np.int64) + 128]


def table_s16(table: np.ndarray, x: np.ndarray) -> np.ndarray:
    """table: integers (2^bits + 1,) at even steps over s16, straight lines between. x: s16 -> int64: vc_table_s16."""
    values = np.asarray(table, np.int64)
    step = 16 - (len(values) - 1).bit_length() + 1
    index, fraction = np.divmod(np.asarray(x, np.int64) + 32768, 1 << step)
    return values[index] + (((values[index + 1] - values[index]) * fraction + (1 << step >> 1)) >> step)


def clamp_row(x: np.ndarray, low: int, high: int) -> np.ndarray:
    """vc_clamp."""
    return np.clip(np.asarray(x, np.int64), low, high)


def maximum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """vc_max."""
    return np.maximum(np.asarray(a, np.int64), np.asarray(b, np.int64))
