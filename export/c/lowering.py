"""A program with the multipliers of a target: what each step's kernel is given, proved not to overflow."""

from dataclasses import dataclass

import numpy as np

from ...errors import VcompressError
from .program import Convolution, Curve, InverseSTFT, Joined, Product, Program, Scaled, Step, Sum, Table, View
from .reference import kernels
from .reference.istft import IntegerISTFT, istft_of
from .reference.kernels import InputFacts, Layer, Scale

Kernel = Layer | Scale | kernels.Sum | kernels.Product | IntegerISTFT | np.ndarray | None


@dataclass(frozen=True)
class Lowered:
    """A program and for each of its steps the kernel: numbers of a `reference/kernels.py` dataclass, a table, None for what only copies."""

    program: Program
    requantization: str
    kernels: tuple[Kernel, ...]

    @property
    def steps(self) -> tuple[tuple[Step, Kernel], ...]:
        """Steps with their kernels."""
        return tuple(zip(self.program.steps, self.kernels, strict=True))


def lower(program: Program, requantization: str) -> Lowered:
    """Raises VcompressError, naming the layer, where a sum may overflow 32 bits or a scale the multiplier."""
    limits: dict[int, tuple[int, int]] = {}
    found: list[Kernel] = []
    for step in program.steps:
        try:
            kernel = _kernel(program, step, requantization, limits)
        except VcompressError as error:
            message = str(error).removesuffix(".")
            message = message if step.name in message else f"{step.name}: {message}"
            raise VcompressError(f"{message[0].upper()}{message[1:]}.") from None
        if isinstance(kernel, np.ndarray):
            limits[step.output] = int(kernel.min()), int(kernel.max())
        found.append(kernel)
    return Lowered(program, requantization, tuple(found))


def _kernel(program: Program, step: Step, requantization: str, limits: dict[int, tuple[int, int]]) -> Kernel:
    target = program.tensors[step.output]
    clamp = kernels.clamp_of(target.bits, target.zero_point)

    def facts(view: View) -> InputFacts:
        tensor = program.tensors[view.tensor]
        return InputFacts(tensor.bits, tensor.zero_point, *limits.get(view.tensor, (None, None)))

    match step:
        case Convolution():
            return kernels.layer(step.name, step.weights, step.bias, step.factor, facts(step.inputs[0]), clamp, requantization, step.groups)
        case Table() | Curve():
            return step.values
        case Scaled():
            return kernels.scale_of(step.factor, facts(step.inputs[0]), clamp, step.slope)
        case Sum():
            return kernels.sum_of(*step.factors, facts(step.inputs[0]), facts(step.inputs[1]), clamp)
        case Product():
            return kernels.product_of(step.factor, facts(step.inputs[0]), facts(step.inputs[1]), clamp)
        case InverseSTFT():
            return istft_of(step.n_fft, step.hop, step.inputs[0].scale, step.inputs[1].scale)
        case Joined():
            return None
    raise VcompressError(f"{step.name} is a {type(step).__name__}, which has no kernel; report this with the vocoder's configuration.")
