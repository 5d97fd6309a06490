"""What can be quantized by itself: each tensor, and the weights of each layer; switched in a prepared vocoder without tracing it again."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from torch.fx import Node

from .fake_quantize import ActivationQuantizer, WeightQuantizer
from .graph import PreparedGraph
from .prepared import PreparedVocoder
from .quantizer import WEIGHTED, module_path, rounded


@dataclass(frozen=True)
class QuantizedTensor:
    """A tensor: all `keys` of the scale table that hold the same integers, called by the first of them."""

    name: str
    keys: tuple[str, ...]
    graph: str


@dataclass(frozen=True)
class Layer:
    """A quantized weight layer: the names of the tensors that it reads and writes."""

    path: str
    graph: str
    input: str
    output: str


class Units:
    """The units of a prepared vocoder in the order of its graphs, and the switches of their fake quantizers."""

    def __init__(self, prepared: PreparedVocoder):
        self.prepared = prepared
        self._names = _names(prepared)
        keys: dict[str, list[str]] = {}
        for key, name in self._names.items():
            keys.setdefault(name, []).append(key)
        self.tensors: dict[str, QuantizedTensor] = {}
        self.layers: dict[str, Layer] = {}
        self.parameters: dict[str, int] = {}
        self._activation: dict[str, list[ActivationQuantizer]] = {}
        self._weight: dict[str, list[WeightQuantizer]] = {}
        for graph in prepared.graphs.values():
            for key, quantizer in graph.tensors.items():
                name = self._names[key]
                self.tensors.setdefault(name, QuantizedTensor(name, tuple(keys[name]), graph.form.name))
                self._activation.setdefault(name, []).append(quantizer)
            for layer in _layers(graph, self._names):
                self.layers.setdefault(layer.path, layer)
                self.parameters[layer.path] = sum(p.numel() for p in graph.form.module.get_submodule(layer.path).parameters())
                self._weight.setdefault(layer.path, []).append(graph.weights[layer.path])

    @property
    def weights(self) -> Collection[str]:
        """Paths of the layers whose weights can be quantized."""
        return self.layers.keys()

    def name_of(self, key: str) -> str | None:
        """The tensor that a key of the scale table belongs to; None where nothing is quantized."""
        return self._names.get(key)

    def quantize(self, tensors: Collection[str], weights: Collection[str]) -> None:
        """Round these tensors and the weights of these layers, and nothing else."""
        for name, quantizers in self._activation.items():
            for activation in quantizers:
                activation.faking = name in tensors
        for path, weight_quantizers in self._weight.items():
            for weight in weight_quantizers:
                weight.faking = path in weights


def source(node: object) -> Node:
    """The operator behind a fake quantizer."""
    assert isinstance(node, Node)
    return source(node.args[0]) if node.op == "call_module" else node


def _names(prepared: PreparedVocoder) -> dict[str, str]:
    """Key -> name of its tensor: keys with the same integers are one tensor, called by the first of them."""
    names: dict[str, str] = {}
    for graph in prepared.graphs.values():
        for key in graph.tensors:
            names.setdefault(key, key)
        for before, after in graph.same:
            names.setdefault(before, before)
            old, new = names.get(after, after), names[before]
            names[after] = new
            names.update({key: new for key, name in names.items() if name == old})
    return names


def _layers(graph: PreparedGraph, names: dict[str, str]) -> Iterator[Layer]:
    for node in graph.module.graph.nodes:
        if node.target in WEIGHTED and (path := module_path(node)) in graph.weights:
            before, after = graph.keys[source(node.args[0]).name], graph.keys[rounded(node).name]
            yield Layer(path, graph.form.name, names[before], names[after])
