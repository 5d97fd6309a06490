"""Three dilated convolutions of 16 channels with tanh between: what multiply-accumulates cost on a board when nothing else is there to do.

Weights, biases and scales are drawn at random, so that the sums of a layer use all of tanh.
"""

import numpy as np

from ...export.c.generate.library import Library
from ...export.c.program import Convolution, Program, Step, Table, Tensor, View
from ..code import target_facts
from ..profile import Profile
from .exported import Exported

CHANNELS, TAPS, DILATIONS = 16, 3, (1, 2, 4)
FRAMES = 32
STEPS_TO_ONE = 32.0  # of a convolution's output: tanh sees -4 to 4


def dilated_stack(profile: Profile) -> Exported:
    """The stack as a library for a target: a row of CHANNELS integers in, as many samples out."""
    draw = np.random.default_rng(7)
    tensors, steps = [_tensor("mel", 8)], list[Step]()
    curve = np.tanh(np.arange(-128, 128) / STEPS_TO_ONE)
    for layer, dilation in enumerate(DILATIONS):
        weights = draw.integers(-127, 128, (CHANNELS, TAPS, CHANNELS)).astype(np.int8)
        bias = draw.integers(-4000, 4001, CHANNELS).astype(np.int32)
        factor = draw.uniform(2.0**-10, 2.0**-9, CHANNELS)
        steps.append(Convolution(f"layer {layer}", (_view(len(tensors) - 1),), len(tensors), weights, bias, factor, dilation, (TAPS - 1) * dilation))
        tensors.append(_tensor(f"sum {layer}", 8))
        bits = 16 if dilation == DILATIONS[-1] else 8
        values = np.rint(curve * (127 if bits == 8 else 32767)).astype(np.int8 if bits == 8 else np.int16)
        steps.append(Table(f"tanh {layer}", (_view(len(tensors) - 1),), len(tensors), values))
        tensors.append(_tensor(f"row {layer}", bits))
    program = Program("dilated stack", 16000, CHANNELS, tuple(tensors), tuple(steps), 0, _view(len(tensors) - 1))
    return Exported(Library.of(program, target_facts(profile)))


def rows(frames: int = FRAMES) -> np.ndarray:
    """What goes in: int8 (frames, CHANNELS)."""
    return np.random.default_rng(0).integers(-128, 128, (frames, CHANNELS)).astype(np.int8)


def _tensor(name: str, bits: int) -> Tensor:
    return Tensor(name, CHANNELS, 1, bits, 2.0**-15)


def _view(tensor: int) -> View:
    return View(tensor, CHANNELS, 1, 2.0**-15)
