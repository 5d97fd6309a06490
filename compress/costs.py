"""Predicted time of a vocoder for a choice of bits: what ONNX Runtime runs in integers and what in float, counted operator by operator.

A layer runs in integers when its input and output have 8 bits, and so does every other operator. Where 8 bits meet a float
operator there is a QuantizeLinear or DequantizeLinear, and both around each tensor of 16 bits.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.fx import Interpreter, Node

from ..runtime.samplers import Sampler, Tensors
from .graph import PreparedGraph
from .prepared import run_form
from .quantizer import WEIGHTED, module_path, rounded
from .units import Units, source

FRAMES = 48


@dataclass(frozen=True)
class Rates:
    """Seconds for 1e9 of each, on one thread of an AMD EPYC with VNNI under ONNX Runtime.

    Nonnegative least squares of the relative errors over what `make bench` says of MelGAN and HiFi-GAN S, M, L and of a step of
    DiffWave S and M, in fp32 and static int8: sixteen times, each met within 9 %.
    """

    float_macs: float = 0.0200
    float_windows: float = 0.115
    float_elements: float = 0.185
    integer_macs: float = 0.00369
    integer_windows: float = 0.146
    integer_elements: float = 0.122
    conversions: float = 0.071


@dataclass(frozen=True)
class Operator:
    """What one operator does in a whole synthesis. `windows`: numbers laid side by side for a convolution wider than one sample.

    `elements`: of its output. `tensors`: those that it reads and writes; None where nothing is quantized.
    """

    layer: str | None
    macs: int
    windows: int
    elements: int
    tensors: tuple[str | None, ...]


@dataclass(frozen=True)
class Work:
    """Billions a second of audio: what float and integer operators do, and elements that change between them."""

    float_macs: float = 0.0
    float_windows: float = 0.0
    float_elements: float = 0.0
    integer_macs: float = 0.0
    integer_windows: float = 0.0
    integer_elements: float = 0.0
    conversions: float = 0.0

    def seconds(self, rates: Rates = Rates()) -> float:
        """Predicted seconds for a second of audio on one thread."""
        return sum(amount * vars(rates)[name] for name, amount in vars(self).items())


class Costs:
    """The operators of a vocoder, counted while its sampler goes through one mel; `time` of a choice of bits."""

    def __init__(self, units: Units, sampler: Sampler, channels: int, seconds_a_frame: float):
        self.operators: list[Operator] = []
        self.elements: dict[str, int] = {}
        self._scale = 1e-9 / (FRAMES * seconds_a_frame)
        counters = {name: _Counter(units, graph) for name, graph in units.prepared.graphs.items()}

        def run(graph: str, inputs: Tensors) -> Tensors:
            return run_form(units.prepared.graphs[graph].form, counters[graph].run, inputs)

        units.quantize((), ())
        sampler.synthesize(run, np.zeros((channels, FRAMES), np.float32))
        for counter in counters.values():
            self.operators += counter.operators()
            self.elements.update(counter.elements)
        self._touching: dict[str, list[Operator]] = {}
        for operator in self.operators:
            for name in {operator.layer, *operator.tensors} - {None}:
                self._touching.setdefault(str(name), []).append(operator)

    def work(self, wide: Collection[str], floats: Collection[str] = ()) -> Work:
        """With these tensors in 16 bits and these layers in float."""
        return self._sum(self.operators, wide, floats)

    def added(self, wide: Collection[str], floats: Collection[str], tensor: str = "", layer: str = "") -> float:
        """Predicted seconds more when this tensor too has 16 bits, or this layer too stays in float."""
        touched = self._touching.get(tensor or layer, [])
        more = self._sum(touched, {*wide, tensor} - {""}, {*floats, layer} - {""}).seconds()
        return more - self._sum(touched, wide, floats).seconds()

    def _sum(self, operators: Iterable[Operator], wide: Collection[str], floats: Collection[str]) -> Work:
        done = dict.fromkeys(vars(Work()), 0.0)
        for operator in operators:
            integer = operator.layer not in floats and all(tensor is not None and tensor not in wide for tensor in operator.tensors)
            kind = "integer" if integer else "float"
            done[f"{kind}_macs"] += operator.macs
            done[f"{kind}_windows"] += operator.windows
            done[f"{kind}_elements"] += operator.elements
            if not integer:
                done["conversions"] += sum(self.elements.get(t, 0) for t in operator.tensors if t is not None and t not in wide)
        done["conversions"] += 2 * sum(self.elements.get(tensor, 0) for tensor in wide)
        return Work(**{name: amount * self._scale for name, amount in done.items()})

    def integer_layers(self, wide: Collection[str], floats: Collection[str] = ()) -> int:
        """How many layers run in integers."""
        return sum(
            operator.layer is not None and operator.layer not in floats and all(t is not None and t not in wide for t in operator.tensors)
            for operator in self.operators
        )


class _Counter(Interpreter):
    """Runs a prepared graph and sums over all its calls what each operator does."""

    def __init__(self, units: Units, graph: PreparedGraph):
        super().__init__(graph.module)
        self._units, self._graph = units, graph
        self._macs: dict[Node, int] = {}
        self._windows: dict[Node, int] = {}
        self._sizes: dict[Node, int] = {}
        self.elements: dict[str, int] = {}

    def run_node(self, n: Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and (n.op == "placeholder" or n.op == "call_function"):
            self._sizes[n] = self._sizes.get(n, 0) + result.numel()
            if n.target in WEIGHTED:
                weight = self.env[n.args[1]]  # type: ignore[index]
                macs = result.numel() * weight.numel() // weight.shape[0]
                self._macs[n] = self._macs.get(n, 0) + macs
                if weight[0, 0].numel() > 1:
                    self._windows[n] = self._windows.get(n, 0) + macs // weight.shape[0]
            if name := self._name(n):
                self.elements[name] = max(self.elements.get(name, 0), self._sizes[n])
        return result

    def _name(self, node: Node) -> str | None:
        return self._units.name_of(self._graph.keys.get(node.name, ""))

    def operators(self) -> Iterator[Operator]:
        """The operators that were seen, weights and constants left out."""
        for node, size in self._sizes.items():
            if node.op != "call_function":
                continue
            weighted = node.target in WEIGHTED
            if not weighted and any(tensor.target in WEIGHTED and rounded(tensor) is node for tensor in node.all_input_nodes):
                continue  # the rounding of a layer
            read = node.all_input_nodes[:1] if weighted else node.all_input_nodes
            tensors = tuple(self._name(source(tensor)) for tensor in read if source(tensor).op != "get_attr")
            layer = module_path(node) if weighted and module_path(node) in self._graph.weights else None
            yield Operator(layer, self._macs.get(node, 0), self._windows.get(node, 0), size, (*tensors, self._name(rounded(node) if weighted else node)))
