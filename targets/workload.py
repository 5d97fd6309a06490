"""What an artifact asks of a machine that synthesizes with it, read from its graphs: operations, bytes, what has to be alive at once.

The artifact's own sampler is driven by a session that only tells shapes; so every call of every graph is seen, and nothing is computed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from ..runtime.artifact import Artifact, LayerRow
from ..runtime.notes import NoteFrontEnd
from ..runtime.synthesis import synthesize
from ..vocoders.catalogue import CatalogueRow
from .calls import Call, ShapeSession, source_of, sums_of
from .code import CodeForm
from .operations import CONVOLUTIONS, COUNTED, macs, operands
from .shapes import SMALL, Graph

INT8 = 8
FLOAT = 32
CURVES = ("Tanh", "Sigmoid", "Exp", "Softplus", "Elu", "Sin", "Cos", "Sqrt", "Log", "Reciprocal")  # a table each in integers


@dataclass(frozen=True)
class Layer:
    """One weight layer in `calls` calls: multiply-accumulates and bytes of one call.

    `bits`: 8 where data and weights have 8, else 32; `name`: of its module, where the graph tells it.
    """

    graph: str
    kind: str
    macs: int
    weight_bytes: int
    moved_bytes: int
    bits: int
    calls: int
    name: str = ""


@dataclass(frozen=True)
class Storage:
    """Bytes that lie in flash or on disk, each tensor once. `channels` are requantized; `curves` are functions that integers look up."""

    weights: int
    biases: int = 0
    constants: int = 0
    channels: int = 0
    curves: int = 0


@dataclass(frozen=True)
class Stream:
    """The least that an execution sample by sample holds: `rings`, what each convolution still needs of its past; `frames`, the largest pair."""

    rings: int
    frames: int


@dataclass(frozen=True)
class Workload:
    """A synthesis of `seconds` of audio. `peak_bytes`: the most that is alive at once when the whole utterance is one call of each graph.

    `other_bytes`: what the layers without weights read and write, over all calls. Absent figures have their reason: `no_peak`, `no_stream`.
    `identity` is the artifact's, empty for a row of the catalogue, where `layers` is one entry for all.
    """

    name: str
    family: str
    size: str
    recipe: str
    identity: str
    seconds: float
    storage: Storage
    layers: tuple[Layer, ...]
    other_bytes: int = 0
    peak_bytes: int | None = None
    stream: Stream | None = None
    no_peak: str = ""
    no_stream: str = ""
    notes: tuple[str, ...] = ()
    code: CodeForm | None = field(default=None, compare=False, repr=False)

    @property
    def macs_per_second(self) -> float:
        """Multiply-accumulates for one second of audio, all calls included."""
        return sum(layer.macs * layer.calls for layer in self.layers) / self.seconds

    @property
    def int8_share(self) -> float:
        """The part of the multiply-accumulates whose data and weights have 8 bits."""
        total = sum(layer.macs * layer.calls for layer in self.layers)
        return sum(layer.macs * layer.calls for layer in self.layers if layer.bits == INT8) / total if total else 0.0

    @property
    def stored_bytes(self) -> int:
        """Weights, biases and constants as they are."""
        return self.storage.weights + self.storage.biases + self.storage.constants


def workload_of(artifact: Artifact, seconds: float) -> Workload:
    """The workload of an utterance of about so many seconds. Needs `onnx`.

    Raises VcompressError where a graph is damaged, or its shapes depend on values that only a run has.
    """
    manifest = artifact.manifest
    front_end, session = manifest.front_end, ShapeSession(artifact)
    frames = max(1, round(seconds * front_end.sample_rate / front_end.hop_length))
    if isinstance(front_end, NoteFrontEnd):
        frames = min(frames, front_end.frames)
    with np.errstate(all="ignore"):  # zeros are no network's output
        synthesize(artifact, session, np.zeros((front_end.channels, frames), np.float32))
    calls = list(session.calls.values())
    reflecting = sorted({call.name for call in calls if call.reflects})
    return Workload(
        name=manifest.name,
        family=manifest.family,
        size=manifest.size,
        recipe=manifest.recipe,
        identity=artifact.identity,
        seconds=frames * front_end.hop_length / front_end.sample_rate,
        storage=_storage(session.graphs),
        layers=_named(tuple(layer for call in calls for layer in _layers(call)), manifest.layers),
        other_bytes=sum(call.other_bytes() * call.count for call in calls),
        peak_bytes=max(call.peak() for call in calls),
        stream=None if reflecting else Stream(sum(call.rings() * call.count for call in calls), max(call.pair() for call in calls)),
        no_stream=f"{' and '.join(reflecting)} pads by reflection, which needs what comes later: it cannot stream; train it with zero padding"
        if reflecting
        else "",
        notes=_notes(manifest.sampler),
        code=CodeForm(artifact),
    )


def _notes(sampler: dict[str, Any]) -> tuple[str, ...]:
    name = sampler.get("name")
    if name == "istft":
        return ("The inverse STFT is counted where one was measured, on microcontrollers, and nowhere else.",)
    return () if name == "feed_forward" else (f"What the {name} sampler computes and holds beside its graphs is not counted.",)


def workload_of_row(row: CatalogueRow, seconds: float) -> Workload:
    """The workload of a configuration in int8, from its parameters and operations alone; every parameter counts as one byte."""
    count, layer = row.parameters_folded, round(row.gflops_per_second * 1e9 / 2 * seconds / row.network_calls)
    why = "only a graph tells, and the catalogue has none; export an artifact"
    return Workload(
        name=f"{row.family}-{row.size.lower()}",
        family=row.family,
        size=row.size,
        recipe="int8",
        identity="",
        seconds=seconds,
        storage=Storage(count),
        layers=(Layer("", "all", layer, count, 0, INT8, row.network_calls),),
        no_peak=why,
        no_stream=why,
        notes=("From the catalogue: a byte a parameter, all of it int8, no schedule folded; what a sampler computes beside its networks is not counted.",),
    )


def _layers(call: Call) -> Iterator[Layer]:
    for node in call.counted:
        data, weights = operands(node)
        output, source = node.output[0], source_of(call.graph, weights)
        inside, outside = call.stored(data), call.stored(output)
        held = call.stored(weights)
        count = macs(node, *(call.tensors[name].shape for name in (data, weights, output)))
        bits = INT8 if held.dtype.itemsize == inside.dtype.itemsize == 1 else FLOAT
        moved = inside.bytes + outside.bytes + (0 if source else held.bytes)
        yield Layer(call.name, node.op_type, count, held.bytes if source else 0, moved, bits, call.count, node.name)


def _named(layers: tuple[Layer, ...], rows: Sequence[LayerRow]) -> tuple[Layer, ...]:
    """Layers with the names that their integers lost: the manifest lists what is quantized in the order of the graph."""
    for graph in dict.fromkeys(layer.graph for layer in layers):
        quantized = [row for row in rows if row.graph == graph and row.precision != "float"]
        nameless = [layer for layer in layers if layer.graph == graph and not layer.name and layer.weight_bytes]
        if len(quantized) == len(nameless) and all(layer.weight_bytes <= row.parameters for layer, row in zip(nameless, quantized, strict=True)):
            names = {id(layer): row.name for layer, row in zip(nameless, quantized, strict=True)}
            layers = tuple(replace(layer, name=names.get(id(layer), layer.name)) for layer in layers)
    return layers


def _storage(graphs: dict[str, Graph]) -> Storage:
    weights: dict[tuple[str, str], int] = {}
    biases: dict[tuple[str, str], int] = {}
    channels = curves = constants = 0
    for name, graph in graphs.items():
        scales = {port for node in graph.nodes if "Quantize" in node.op_type or "Dequantize" in node.op_type for port in node.input[1:]}
        for node in (node for node in graph.nodes if node.op_type in COUNTED):
            source = source_of(graph, operands(node)[1])
            if source:
                weights[name, source] = _bytes(graph, source)
                dims = graph.constants[source].dims
                channels += dims[0] if node.op_type in CONVOLUTIONS else dims[-1]
            bias = source_of(graph, node.input[2]) if node.op_type in ("Conv", "ConvTranspose", "Gemm") and len(node.input) > 2 else ""
            if sums := sums_of(graph, node):
                bias = sums.bias
                scales.add(sums.scales)
            if bias:
                biases[name, bias] = _bytes(graph, bias)
        curves += sum(node.op_type in CURVES for node in graph.nodes)
        used = scales | {source for part, source in (*weights, *biases) if part == name}
        constants += sum(_bytes(graph, key) for key, tensor in graph.constants.items() if key not in used and prod(tensor.dims) > SMALL)
    return Storage(sum(weights.values()), sum(biases.values()), constants, channels, curves)


def _bytes(graph: Graph, name: str) -> int:
    from onnx import helper

    tensor = graph.constants[name]
    return prod(tensor.dims) * np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
