"""What the translations of the operators share: tensors and their layout, quantized and float operands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir

from ...errors import VcompressError
from ..integer_graph import constant
from ..integer_graph import dequantizer as dequantizer
from ..lengths import Lengths, Size, is_fixed
from .layout import Sizes, Value, groups, labels, regrouped, sizes_of, together, without_units
from .schema import FileBuilder, Quantization, TensorFacts

ZERO_POINT_SHIFT = 128  # u8 in ONNX is s8 in TFLite: the same numbers
VERSIONS = {"int8": 2, "int16": 3}  # from which version on operators take these, where they say nothing else


@dataclass(frozen=True)
class Operation:
    """An ONNX operator and how it is translated: in integers with the quantizers around it, or as it stands.

    `result`: what it makes, which in integers is the output of the QuantizeLinear behind it, with that `quantization`.
    """

    node: ir.Node
    result: ir.Value
    quantization: Quantization | None = None

    @property
    def integer(self) -> bool:
        """Whether its operands are integers."""
        return self.quantization is not None


class Translator:
    """The file of one graph in the making. `places`: where each ONNX tensor lies."""

    def __init__(self, lengths: Lengths):
        self.file = FileBuilder()
        self.lengths = lengths
        self.places: dict[str, Value] = {}
        self._sizes: dict[int, Sizes] = {}
        self._made: dict[tuple[object, ...], int] = {}

    # --- tensors ---

    def tensor(self, name: str, sizes: Sizes, dtype: str, quantization: Quantization | None = None) -> int:
        """A tensor that is computed, or an input."""
        shape, signature = tuple(s[0] for s in sizes), tuple(s[0] if is_fixed(s) else -1 for s in sizes)
        index = self.file.tensor(TensorFacts(name, shape, signature, dtype, quantization))
        self._sizes[index] = sizes
        return index

    def constant(self, name: str, array: np.ndarray, quantization: Quantization | None = None) -> int:
        """A constant."""
        index = self.file.constant(name, array, quantization)
        self._sizes[index] = tuple(self.fixed(size) for size in array.shape)
        return index

    def integers(self, *numbers: int) -> int:
        """A constant of int32, as operators take sizes and axes."""
        return self.constant("integers", np.array(numbers, np.int32))

    def fixed(self, size: int) -> Size:
        """A size that is the same at every length."""
        return (size, size)

    def facts(self, value: Value) -> TensorFacts:
        """The file's tensor of a value."""
        return self.file.tensors[value.tensor]

    def sizes(self, value: Value) -> Sizes:
        """Sizes of the file's tensor of a value."""
        return self._sizes[value.tensor]

    def shape(self, value: ir.Value) -> Sizes:
        """ONNX shape of a tensor."""
        assert value.name is not None
        return self.lengths.shapes[value.name]

    # --- operators ---

    def emit(self, builtin: str, inputs: Sequence[int], output: int, options: str | None = None, version: int = 0, **fields: Any) -> int:
        """An operator with one output, which is given back; version 0: what its first input's dtype asks for."""
        version = version or VERSIONS.get(self.file.tensors[inputs[0]].dtype, 1)
        self.file.operator(builtin, inputs, [output], options, version, **fields)
        return output

    def result(self, operation: Operation, sizes: Sizes, dtype: str = "", quantization: Quantization | None = None) -> int:
        """The tensor that an operation makes; of integers where the operation is one of integers."""
        name = operation.result.name or ""
        if operation.quantization is not None:
            return self.tensor(name, sizes, "int8", operation.quantization)
        return self.tensor(name, sizes, dtype or "float32", quantization)

    def like(self, operation: Operation, value: Value, sizes: Sizes | None = None) -> int:
        """A tensor for what an operation makes, of the dtype and scale of `value` and its sizes unless given."""
        facts = self.facts(value)
        return self.tensor(operation.result.name or "", sizes or self._sizes[value.tensor], facts.dtype, operation.quantization or facts.quantization)

    def unary(self, operation: Operation, builtin: str, value: Value, options: str | None = None, **fields: Any) -> Value:
        """An operator on each number of a tensor, wherever it lies."""
        output = self.result(operation, self._sizes[value.tensor])
        self.emit(builtin, [value.tensor], output, options, **fields)
        return replace(value, tensor=output)

    def define(self, value: ir.Value, place: Value) -> None:
        """Say where an ONNX tensor lies."""
        assert value.name is not None
        self.places[value.name] = place

    # --- operands ---

    def operands(self, operation: Operation) -> list[Value]:
        """Every input: integers of an operation in integers, else as they are."""
        return [self.operand(operation, index) for index in range(len(operation.node.inputs))]

    def operand(self, operation: Operation, index: int = 0) -> Value:
        """One input."""
        value = operation.node.inputs[index]
        assert value is not None
        return self.quantized(value) if operation.integer else self.value(value)

    def quantized(self, value: ir.Value) -> Value:
        """The integers behind a DequantizeLinear, with the scale that it reads them with."""
        node = dequantizer(value)
        assert node is not None and node.inputs[0] is not None
        wanted = quantization_of(node)
        return self.with_scale(self.value(node.inputs[0], wanted), wanted)

    def value(self, value: ir.Value, quantization: Quantization | None = None) -> Value:
        """A tensor as it is: computed, constant, or the floats that a DequantizeLinear makes of integers."""
        assert value.name is not None
        if value.name not in self.places:
            node, array = dequantizer(value), constant(value)
            if array is not None:
                self.places[value.name] = self._constant(value.name, array, quantization)
            elif node is not None:
                self.places[value.name] = self._dequantized(node)
            else:
                producer = value.producer()
                raise VcompressError(f"TFLite export came to a tensor of {producer.op_type if producer else 'no operator'} out of order; export to ONNX only.")
        return self.places[value.name]

    def _constant(self, name: str, array: np.ndarray, quantization: Quantization | None = None) -> Value:
        if array.dtype == np.uint8:
            array = (array.astype(np.int16) - ZERO_POINT_SHIFT).astype(np.int8)
        index = self.constant(name, array, quantization)
        return Value(index, self._sizes[index], tuple(range(array.ndim)))

    def _dequantized(self, node: ir.Node) -> Value:
        source = node.inputs[0]
        assert source is not None
        wanted = quantization_of(node)
        array = constant(source)
        if array is not None and wanted.scale.size > 1:  # weights and biases, which convolutions look up themselves
            raise VcompressError(f"A constant with a scale for each channel ({source.name}) is no weight; export to ONNX only.")
        value = self.value(source, wanted)
        facts = self.facts(value)
        held = facts.quantization
        assert held is not None
        name = f"{source.name} as float"
        version = {"int8": 2, "int16": 3}[facts.dtype]
        output = self.emit("DEQUANTIZE", [value.tensor], self.tensor(name, self._sizes[value.tensor], "float32"), "DequantizeOptions", version)
        if held != wanted:  # a multiplication by a number that ONNX needs not compute
            self._check_zero_points(held, wanted, source)
            ratio = self.constant("ratio", np.full((1,) * len(facts.shape), wanted.scale[0] / held.scale[0], np.float32))
            output = self.emit("MUL", [output, ratio], self.tensor(f"{name}, scaled", self._sizes[value.tensor], "float32"), "MulOptions")
        return replace(value, tensor=output)

    def with_scale(self, value: Value, wanted: Quantization) -> Value:
        """The same integers with another scale: the multiplication by a number that ONNX needs not compute."""
        facts = self.facts(value)
        held = facts.quantization
        assert held is not None
        if held == wanted:
            return value
        self._check_zero_points(held, wanted, facts.name)
        key = (value.tensor, "scale", float(wanted.scale[0]))
        if key not in self._made:
            ratio = float(wanted.scale[0]) / float(held.scale[0])
            number = self.constant("ratio", np.full((1,) * len(facts.shape), 127, np.int8), Quantization.of(ratio / 127, 0))
            output = self.tensor(f"{facts.name}, scaled", self._sizes[value.tensor], facts.dtype, wanted)
            self._made[key] = self.emit("MUL", [value.tensor, number], output, "MulOptions")
        return replace(value, tensor=self._made[key])

    def _check_zero_points(self, held: Quantization, wanted: Quantization, what: object) -> None:
        if not np.array_equal(held.zero_point, wanted.zero_point):
            raise VcompressError(f"The integers {what} are read with two zero points, which TFLite cannot; export to ONNX only.")

    # --- layout ---

    def arrange(self, value: Value, order: Sequence[int]) -> int:
        """The tensor that holds `value` in the given order of axes, three of them with a height of 1."""
        return self.reshape(self._moved(value, order), sizes_of(value.shape, order))

    def plain(self, value: Value) -> int:
        """The tensor that holds `value` in the very shape it has in ONNX."""
        return self.reshape(self._moved(value, range(len(value.shape))), value.shape)

    def reordered(self, value: Value, order: Sequence[int]) -> Value:
        """`value` in the given order of axes."""
        return replace(value, tensor=self.arrange(value, order), order=tuple(order))

    def regroup(self, value: Value, target: Sizes) -> Value:
        """A reshape: nothing moves where the axes that become one lie side by side."""
        parts = groups(value.shape, target)
        order = together(value, parts)
        if without_units(value.shape, order) != value.memory:
            value = self.reordered(value, order)
        return regrouped(value, target, parts)

    def reshape(self, tensor: int, sizes: Sizes) -> int:
        """The same memory with other sizes. Raises VcompressError where two of them follow the frames."""
        facts = self.file.tensors[tensor]
        if self._sizes[tensor] == sizes:
            return tensor
        if facts.data is not None:
            return self.constant(facts.name, facts.data.reshape([size[0] for size in sizes]), facts.quantization)
        key = (tensor, "reshape", sizes)
        if key not in self._made:
            shape = [size[0] if is_fixed(size) else -1 for size in sizes]
            if shape.count(-1) > 1:
                raise VcompressError(f"{facts.name} gets two sizes that follow the frames, which TFLite cannot reshape to; export to ONNX only.")
            output = self.tensor(facts.name, sizes, facts.dtype, facts.quantization)
            self._made[key] = self.emit("RESHAPE", [tensor, self.integers(*shape)], output, "ReshapeOptions", 1, newShape=shape)
        return self._made[key]

    def _moved(self, value: Value, order: Sequence[int]) -> int:
        if value.phases > 1:
            raise VcompressError("An interleaved tensor is read before it is whole; export to ONNX only.")
        target = without_units(value.shape, order)
        if value.memory == target:
            return value.tensor
        source = value.tensor
        if self._sizes[source] == sizes_of(value.shape, value.order) and len(labels(value.order)) == len(labels(order)):
            before: list[int | None] = labels(value.order)
            after: list[int | None] = labels(order)
        else:
            source = self.reshape(source, tuple(value.shape[axis] for axis in value.memory))
            before, after = list(value.memory), list(target)
        perm = [before.index(axis) for axis in after]
        facts = self.file.tensors[source]
        if facts.data is not None:
            return self.constant(facts.name, facts.data.transpose(perm), facts.quantization)
        key = (source, "transpose", *perm)
        if key not in self._made:
            sizes = tuple(self._sizes[source][axis] for axis in perm)
            output = self.tensor(facts.name, sizes, facts.dtype, facts.quantization)
            self._made[key] = self.emit("TRANSPOSE", [source, self.integers(*perm)], output, "TransposeOptions")
        return self._made[key]


def quantization_of(node: ir.Node) -> Quantization:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear, unsigned 8 bits as signed ones."""
    scale, zero_point = constant(node.inputs[1]), constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    if scale is None or (zero_point is None and len(node.inputs) > 2 and node.inputs[2] is not None):
        raise VcompressError(f"{node.op_type} takes a scale that is computed, which TFLite cannot; export to ONNX only.")
    scale = scale.reshape(-1).astype(np.float32)
    zeros = np.zeros(scale.size, np.int64) if zero_point is None else zero_point.reshape(-1).astype(np.int64)
    shift = ZERO_POINT_SHIFT if zero_point is not None and zero_point.dtype == np.uint8 else 0
    axis = node.attributes.get_int("axis", 1) if scale.size > 1 else 0
    return Quantization(scale, zeros - shift, axis)
