"""A quantized network as integer steps on rows: what the oracle runs, the planner places and the generator writes as C.

Every tensor is a sequence of rows, one for each moment: `channels` integers side by side. `rate` rows belong to a frame of the mel.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """rate F + extra rows of `channels` integers of 8 or 16 bits; one stands for scale (q - zero_point). 16 bits have a zero point of 0."""

    name: str
    channels: int
    rate: int
    bits: int
    scale: float
    zero_point: int = 0
    extra: int = 0

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.channels * self.bits // 8


@dataclass(frozen=True)
class View:
    """What a step reads of a tensor: rate F + extra rows of `channels` integers.

    Each row of the tensor is `ratio` rows side by side; row t of the view is number t + start of these, from its channel `first` on.
    A start below 0 reads what was made before: row -1 of a state. `scale`: what the reader takes an integer for, which need not be the tensor's.
    """

    tensor: int
    channels: int
    rate: int
    scale: float
    extra: int = 0
    ratio: int = 1
    start: int = 0
    first: int = 0


@dataclass(frozen=True)
class Step:
    """One operator; it makes a row of the tensor `output` from rows of `inputs`. `name` is that of the layer, for messages."""

    name: str
    inputs: tuple[View, ...]
    output: int


@dataclass(frozen=True)
class Convolution(Step):
    """Row t of the output: sum over taps k of weights[:, k] times input row t - before + k dilation, plus bias, times factor, plus zero point.

    weights: int8 (out, taps, in / groups); bias: int32 (out,), before the input's zero point is worked in; factor: float64 (out,), s_x s_w / s_y.
    """

    weights: np.ndarray
    bias: np.ndarray
    factor: np.ndarray
    dilation: int = 1
    before: int = 0
    groups: int = 1

    @property
    def taps(self) -> int:
        """Rows of the input that one row of the output is made of."""
        return int(self.weights.shape[1])

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one row."""
        return int(self.weights.size)


@dataclass(frozen=True)
class Table(Step):
    """output = values[input + 128], for 8-bit inputs. values: int8 or int16 (256,), as the output has bits."""

    values: np.ndarray


@dataclass(frozen=True)
class Curve(Step):
    """A function of 16-bit inputs: straight lines between values, int16 (2^n + 1,), at even steps from -32768 to 32768."""

    values: np.ndarray


@dataclass(frozen=True)
class Scaled(Step):
    """(input - its zero point) times factor, below zero times `slope` besides, plus the output's zero point: ReLU, leaky ReLU, another scale."""

    factor: float
    slope: float = 1.0


@dataclass(frozen=True)
class Sum(Step):
    """(a - its zero point) times the first factor, plus the same of b with the second, which is negative in a difference."""

    factors: tuple[float, float]


@dataclass(frozen=True)
class Product(Step):
    """(a - its zero point) (b - its zero point) factor."""

    factor: float


@dataclass(frozen=True)
class Joined(Step):
    """The channels of its inputs side by side; all have the output's bits, scale and zero point."""


@dataclass(frozen=True)
class InverseSTFT(Step):
    """The sampler's end: 16-bit log magnitudes (bins,) and directions (2 bins,) -> `hop` samples of PCM, which a row of the output holds.

    Row t of the output is complete with row t + overlap / 2 of the input, overlap = n_fft / hop.
    """

    hop: int

    @property
    def n_fft(self) -> int:
        """Samples of a frame of the transform."""
        return 2 * (self.inputs[0].channels - 1)


@dataclass(frozen=True)
class Program:
    """Steps in an order in which they can run. `input`: the mel's tensor; `output`: the waveform, 16 bits with scale 2^-15 (PCM)."""

    name: str
    sample_rate: int
    hop: int
    tensors: tuple[Tensor, ...]
    steps: tuple[Step, ...]
    input: int
    output: View
    notes: tuple[str, ...] = field(default=())

    def tensor_of(self, step: Step) -> Tensor:
        """What a step makes."""
        return self.tensors[step.output]

    @property
    def macs_per_frame(self) -> int:
        """Multiply-accumulates of all convolutions for one frame of the mel."""
        return sum(step.macs * self.tensor_of(step).rate for step in self.steps if isinstance(step, Convolution))


@dataclass(frozen=True)
class TargetFacts:
    """What of a target the C code depends on.

    `requantization`: "q15" or "q31"; `packed`: structures have no padding (AVR); `largest_object`: bytes that one array may have.
    """

    name: str
    requantization: str = "q31"
    packed: bool = False
    largest_object: int = 2**31 - 1
