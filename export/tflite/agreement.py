"""Proof that a TFLite file is the ONNX graph: each layer is fed the integers that ONNX Runtime has there, and may differ by 1 LSB."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...runtime.backends.litert import open_interpreter, run_interpreter
from ..onnx_integers import integers_of
from .layout import Value, without_units
from .schema import FileBuilder
from .translate import build
from .translator import ZERO_POINT_SHIFT, Translator

INTEGERS = ("int8", "int16")


@dataclass(frozen=True)
class LayerAgreement:
    """One integer tensor of both graphs. `operators`: what TFLite computes it with from the integers before it; `difference`: the largest, in LSB."""

    tensor: str
    operators: tuple[str, ...]
    difference: int
    equal: float


@dataclass(frozen=True)
class Layer:
    """One integer tensor, the TFLite file that computes it, that file's inputs in their order, and what ONNX Runtime has there."""

    tensor: str
    operators: tuple[str, ...]
    file: bytes
    inputs: tuple[np.ndarray, ...]
    expected: np.ndarray

    def agreement(self, result: np.ndarray) -> LayerAgreement:
        """How well an interpreter's result agrees."""
        difference = np.abs(result.astype(np.int32) - self.expected.astype(np.int32))
        return LayerAgreement(self.tensor, self.operators, int(difference.max()), float((difference == 0).mean()))


def compare(path: Path, inputs: Mapping[str, np.ndarray]) -> list[LayerAgreement]:
    """Every integer tensor of the ONNX graph at `path`, whose inputs are given, in the order in which the file computes them."""
    return [layer.agreement(run_interpreter(open_interpreter(layer.file), dict(enumerate(layer.inputs)))[0]) for layer in layers(path, inputs)]


def layers(path: Path, inputs: Mapping[str, np.ndarray]) -> list[Layer]:
    """The same tensors, each with the file that an interpreter, here or on another machine, is to run."""
    translator = build(path)
    anchors = _anchors(translator)
    expected = integers_of(path, inputs, [name for name, _ in anchors.values()])
    fed = {index: _laid(translator, value, expected[name]) for index, (name, value) in anchors.items()}
    for index in translator.file.inputs:
        name = translator.file.tensors[index].name
        fed[index] = _laid(translator, translator.places[name], inputs[name])
    found = []
    for index, (name, _) in anchors.items():
        part = _part(translator.file, index, fed)
        if part is None:
            continue
        builtins = tuple(facts.builtin for facts in part.operators)
        found.append(Layer(name, builtins, part.pack(), tuple(fed[tensor] for tensor in part.inputs), fed[index]))
    return found


def _anchors(translator: Translator) -> dict[int, tuple[str, Value]]:
    """The file's integer tensors that an ONNX tensor stands for."""
    found: dict[int, tuple[str, Value]] = {}
    for name, value in translator.places.items():
        facts = translator.facts(value)
        if facts.dtype in INTEGERS and facts.data is None and value.tensor not in translator.file.inputs:
            found.setdefault(value.tensor, (name, value))
    return found


def _laid(translator: Translator, value: Value, array: np.ndarray) -> np.ndarray:
    """An ONNX tensor as it lies in the file."""
    if array.dtype == np.uint8:
        array = (array.astype(np.int16) - ZERO_POINT_SHIFT).astype(np.int8)
    if value.phases > 1:
        array = array.reshape(array.shape[0], -1, value.phases, *array.shape[2:]).swapaxes(1, 2).reshape(array.shape)
    order = [*(axis for axis in range(array.ndim) if axis not in value.memory), *without_units(value.shape, value.order)]
    return np.ascontiguousarray(array.transpose(order).reshape(translator.facts(value).signature))


def _part(file: FileBuilder, target: int, known: Mapping[int, np.ndarray]) -> FileBuilder | None:
    """The operators between the known tensors and this one; None where there are none (a graph's input)."""
    makers = {output: facts for facts in file.operators for output in facts.outputs}
    wanted, used, needed = [target], set(), []
    while wanted:
        index = wanted.pop()
        if index in known and index != target:
            if index not in needed:
                needed.append(index)
        elif index in makers and id(makers[index]) not in used:
            used.add(id(makers[index]))
            wanted += [i for i in makers[index].inputs if i >= 0 and file.tensors[i].data is None]
    operators = [facts for facts in file.operators if id(facts) in used]
    return FileBuilder(file.tensors, operators, needed, [target]) if operators else None
