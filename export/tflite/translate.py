"""One graph of an artifact as a TFLite file: the QDQ graph operator by operator, its scales and integers as they are."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from ...errors import VcompressError
from ..integer_graph import constant
from ..lengths import Lengths, measure
from .layout import Value, channels_last
from .operators import IN_INTEGERS, TRANSLATIONS
from .operators.quantization import eight_bit_readers
from .schema import Quantization
from .translator import Operation, Translator, quantization_of

PORT_DTYPES = {"uint8": "int8"}  # the same numbers, moved by 128
WITHOUT_TENSORS = ("Shape", "Constant", "DequantizeLinear")  # known beforehand, or made where they are read


@dataclass(frozen=True)
class Translation:
    """A file, and its operators in order."""

    file: bytes
    operators: tuple[str, ...]


def translate(path: Path, links: Collection[str] = ()) -> Translation:
    """The TFLite file of an ONNX graph; its ports have the names and shapes of the ONNX ports, those of `links` channels last.

    Floats stay floats; u8 becomes s8, the same numbers with a zero point moved by 128; 16-bit tensors are int16 between float operators.
    `links`: tensors that one graph hands to another, which nobody else looks into.
    Raises VcompressError, naming the operator, for what has no translation.
    """
    translator = build(path, links)
    return Translation(translator.file.pack(), tuple(facts.builtin for facts in translator.file.operators))


def build(path: Path, links: Collection[str] = ()) -> Translator:
    """As `translate`, before it is packed into a file."""
    model = ir.load(path)
    check(model)
    lengths = measure(path)
    translator = Translator(lengths)
    for value in model.graph.inputs:
        _input(translator, value, links)
    done: set[ir.Node] = set()
    for node in model.graph:
        if node not in done and not _is_known(node, lengths):
            _translate(translator, node, done)
    for value in model.graph.outputs:
        translator.file.outputs.append(_output(translator, value, links))
    return translator


def check(model: ir.Model) -> None:
    """Raises VcompressError for the first operator that has no translation."""
    for node in model.graph:
        if node.op_type not in TRANSLATIONS and node.op_type not in WITHOUT_TENSORS:
            where = f" ({node.name})" if node.name else ""
            raise VcompressError(f"The operator {node.op_type}{where} has no translation to TFLite; export to ONNX only.")


def _is_known(node: ir.Node, lengths: Lengths) -> bool:
    return node.op_type in WITHOUT_TENSORS or node.outputs[0].name in lengths.integers


def _translate(translator: Translator, node: ir.Node, done: set[ir.Node]) -> None:
    possible, readers = IN_INTEGERS.get(node.op_type), eight_bit_readers(node) if len(node.outputs) == 1 else []
    operations = [Operation(node, node.outputs[0])]
    if possible is not None and readers and all(possible(node, reader) for reader in readers):
        operations = [Operation(node, reader.outputs[0], quantization_of(reader)) for reader in readers]
        done.update(readers)
    for operation in operations:
        made = TRANSLATIONS[node.op_type](translator, operation)
        if isinstance(made, list):
            for value, place in zip(node.outputs, made, strict=True):
                translator.define(value, place)
        else:
            translator.define(operation.result, made)


def _order(translator: Translator, value: ir.Value, links: Collection[str]) -> tuple[int, ...]:
    """Links of floats lie channels last, as the links of integers do in ONNX already."""
    rank = len(translator.shape(value))
    return channels_last(rank) if value.name in links and value.dtype == ir.DataType.FLOAT and rank > 2 else tuple(range(rank))


def _input(translator: Translator, value: ir.Value, links: Collection[str]) -> None:
    assert value.name is not None and value.dtype is not None
    dtype = value.dtype.numpy().name
    quantization = _scale_of_input(value) if dtype in ("uint8", "int16") else None
    shape, order = translator.shape(value), _order(translator, value, links)
    index = translator.tensor(value.name, tuple(shape[axis] for axis in order), PORT_DTYPES.get(dtype, dtype), quantization)
    translator.file.inputs.append(index)
    translator.define(value, Value(index, shape, order))


def _scale_of_input(value: ir.Value) -> Quantization:
    """The scale that the first DequantizeLinear behind an integer input reads it with."""
    waiting = deque([value])
    while waiting:
        for use in waiting.popleft().uses():
            if use.node.op_type == "DequantizeLinear":
                return quantization_of(use.node)
            waiting.extend(use.node.outputs)
    raise VcompressError(f"The integer input {value.name} is read by no DequantizeLinear, so its scale is not known; export the artifact again.")


def _output(translator: Translator, value: ir.Value, links: Collection[str]) -> int:
    """A tensor of the port's own name and shape."""
    assert value.name is not None
    if constant(value) is not None:
        raise VcompressError(f"The output {value.name} is a constant, which has no translation to TFLite; export to ONNX only.")
    index = translator.plain(translator.value(value).transposed(_order(translator, value, links)))
    facts = translator.file.tensors
    if index in translator.file.inputs or index in translator.file.outputs:
        raise VcompressError(f"The output {value.name} is another port of the graph, which has no translation to TFLite; export to ONNX only.")
    facts[index].name = value.name
    return index
