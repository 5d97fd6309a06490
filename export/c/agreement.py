"""Proof that a program is the ONNX graph: each step is fed the integers that ONNX Runtime has there, and may differ by 1 LSB."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..interleave import phases_first
from ..onnx_integers import integers_of
from .lowering import Lowered
from .program import InverseSTFT
from .reading import UNSIGNED
from .reference.executor import run_step


@dataclass(frozen=True)
class StepAgreement:
    """One integer tensor of both. `difference`: the largest, in LSB; `equal`: the part of its numbers without one."""

    step: str
    tensor: str
    difference: int
    equal: float


def compare(lowered: Lowered, path: Path, inputs: Mapping[str, np.ndarray]) -> list[StepAgreement]:
    """Every step whose tensors ONNX Runtime has as integers, in order; not those that take the place of floats at the end of the graph."""
    program = lowered.program
    (mel,) = inputs.values()
    frames = mel.shape[-1]
    floats = {step.output for step in program.steps if isinstance(step, InverseSTFT)} | _of_floats(lowered)
    names = [tensor.name for index, tensor in enumerate(program.tensors) if index not in floats]
    held = integers_of(path, inputs, names)
    known = {index: _rows(lowered, index, held[tensor.name], frames) for index, tensor in enumerate(program.tensors) if index not in floats}
    found = []
    for step, kernel in lowered.steps:
        if step.output in floats or any(view.tensor in floats for view in step.inputs):
            continue
        expected = known[step.output]
        difference = np.abs(run_step(program, step, kernel, known, frames) - expected)
        found.append(StepAgreement(step.name, program.tensors[step.output].name, int(difference.max()), float((difference == 0).mean())))
    return found


def _of_floats(lowered: Lowered) -> set[int]:
    """Tensors that are floats in ONNX: the waveform, and what only leads to it through a curve."""
    program = lowered.program
    found = {program.output.tensor}
    makers = {step.output: step for step in program.steps}
    step = makers[program.output.tensor]
    if not isinstance(step, InverseSTFT) and not isinstance(makers.get(step.inputs[0].tensor), type(step)):
        found.add(step.inputs[0].tensor)
    return found


def _rows(lowered: Lowered, index: int, array: np.ndarray, frames: int) -> np.ndarray:
    """An ONNX tensor (1, channels, T) as rows (T, channels), the channels of an interleaved one phase by phase."""
    tensor = lowered.program.tensors[index]
    ratio = max((view.ratio for step in lowered.program.steps for view in step.inputs if view.tensor == index), default=1)
    integers = array.astype(np.int64) - (UNSIGNED if array.dtype == np.uint8 else 0)
    return phases_first(integers[0], ratio).T[: tensor.rate * frames + tensor.extra]
