"""A thin builder of TFLite files on the flatbuffer schema that ai-edge-litert ships."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import VcompressError

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
ALIGNMENT = 16  # what kernels expect of constant data
DTYPES = {"float32": "FLOAT32", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "bool": "BOOL"}


def schema() -> ModuleType:
    """The generated schema. Raises VcompressError when ai-edge-litert is not installed."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        raise VcompressError("TFLite files need the schema that ai-edge-litert ships; run: pip install 'vcompress[tflite]'.") from None
    return schema_py_generated


@dataclass(frozen=True)
class Quantization:
    """Scales and zero points of a tensor: one each, or one for each index of `axis`."""

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int = 0

    @classmethod
    def of(cls, scale: float, zero_point: int) -> "Quantization":
        """That of a whole tensor."""
        return cls(np.array([scale], np.float32), np.array([zero_point], np.int64))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Quantization)
            and self.axis == other.axis
            and np.array_equal(self.zero_point, other.zero_point)
            and self.scale.shape == other.scale.shape
            and np.allclose(self.scale, other.scale, rtol=1e-6, atol=0)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass
class TensorFacts:
    """A tensor of the file. `shape`: sizes at the default length; `signature`: the same with -1 where a size follows the length."""

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    data: np.ndarray | None = None


@dataclass
class OperatorFacts:
    """An operator of the file: its builtin name and version, tensors, and the fields of its options table."""

    builtin: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: str | None
    fields: dict[str, Any]


@dataclass
class FileBuilder:
    """Tensors and operators in the order in which they were added; `pack` makes a file of them."""

    tensors: list[TensorFacts] = field(default_factory=list)
    operators: list[OperatorFacts] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(self, facts: TensorFacts) -> int:
        """Add a tensor and give its index. Raises VcompressError for a dtype that TFLite has not."""
        if facts.dtype not in DTYPES:
            raise VcompressError(f"TFLite has no tensors of {facts.dtype} as {facts.name} is; export to ONNX only.")
        self.tensors.append(facts)
        return len(self.tensors) - 1

    def constant(self, name: str, data: np.ndarray, quantization: Quantization | None = None) -> int:
        """Add a constant; an equal one that is there already is taken instead."""
        for index, known in enumerate(self.tensors):
            if known.data is not None and known.data.dtype == data.dtype and np.array_equal(known.data, data) and known.quantization == quantization:
                return index
        return self.tensor(TensorFacts(name, data.shape, data.shape, data.dtype.name, quantization, data))

    def operator(self, builtin: str, inputs: Sequence[int], outputs: Sequence[int], options: str | None = None, version: int = 1, **fields: Any) -> None:
        """Add an operator. `fields`: of the table `options`, spelled as the generated schema spells them."""
        self.operators.append(OperatorFacts(builtin, version, tuple(inputs), tuple(outputs), options, fields))

    def pack(self) -> bytes:
        """The file, with tensors that nothing uses left out."""
        import flatbuffers

        s = schema()
        used = sorted({*self.inputs, *self.outputs, *(i for o in self.operators for i in (*o.inputs, *o.outputs) if i >= 0)})
        places = {index: place for place, index in enumerate(used)} | {-1: -1}
        model, graph = s.ModelT(), s.SubGraphT()
        model.version, model.description, model.buffers, model.operatorCodes = SCHEMA_VERSION, "vcompress", [_buffer(s, None)], []
        graph.name = "graph"
        graph.tensors = [_tensor(s, self.tensors[index], model.buffers) for index in used]
        codes: dict[tuple[str, int], int] = {}
        graph.operators = []
        for facts in self.operators:
            code = codes.setdefault((facts.builtin, facts.version), len(codes))
            graph.operators.append(_operator(s, facts, code, places))
        for builtin, version in codes:
            model.operatorCodes.append(_code(s, builtin, version))
        graph.inputs, graph.outputs = ([places[i] for i in ports] for ports in (self.inputs, self.outputs))
        model.subgraphs = [graph]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())


def _buffer(s: ModuleType, data: np.ndarray | None) -> Any:
    buffer = _aligned_buffer(s)()
    if data is not None:
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
    return buffer


def _aligned_buffer(s: ModuleType) -> type:
    class AlignedBuffer(s.BufferT):  # type: ignore[name-defined, misc]
        """The generated class forgets the schema's `force_align`."""

        def Pack(self, builder: Any) -> Any:
            data = None
            if self.data is not None:
                builder.StartVector(1, len(self.data), ALIGNMENT)
                builder.head -= len(self.data)
                builder.Bytes[builder.head : builder.head + len(self.data)] = self.data.tobytes()
                data = builder.EndVector()
            s.BufferStart(builder)
            if data is not None:
                s.BufferAddData(builder, data)
            return s.BufferEnd(builder)

    return AlignedBuffer


def _tensor(s: ModuleType, facts: TensorFacts, buffers: list[Any]) -> Any:
    tensor = s.TensorT()
    tensor.name, tensor.shape, tensor.type = facts.name, list(facts.shape), getattr(s.TensorType, DTYPES[facts.dtype])
    if -1 in facts.signature:
        tensor.shapeSignature = list(facts.signature)
    tensor.buffer = 0
    if facts.data is not None:
        buffers.append(_buffer(s, facts.data))
        tensor.buffer = len(buffers) - 1
    if facts.quantization is not None:
        quantization = s.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = facts.quantization.scale.astype(np.float32), facts.quantization.zero_point.astype(np.int64)
        quantization.quantizedDimension = facts.quantization.axis
        tensor.quantization = quantization
    return tensor


def _operator(s: ModuleType, facts: OperatorFacts, code: int, places: dict[int, int]) -> Any:
    operator = s.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = ([places[i] for i in ports] for ports in (facts.inputs, facts.outputs))
    if facts.options is not None:
        table = getattr(s, f"{facts.options}T")()
        for name, value in facts.fields.items():
            if not hasattr(table, name):
                raise AttributeError(f"{facts.options} has no field {name}")
            setattr(table, name, value)
        operator.builtinOptionsType, operator.builtinOptions = getattr(s.BuiltinOptions, facts.options), table
    return operator


def _code(s: ModuleType, builtin: str, version: int) -> Any:
    code = s.OperatorCodeT()
    number = getattr(s.BuiltinOperator, builtin)
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version  # 127: look at the newer field
    return code
