"""The calls that a synthesis makes of an artifact's graphs, with the shapes of all their tensors, and what each call costs."""

from typing import Any

from ..runtime.artifact import Artifact
from ..runtime.samplers import Tensors
from ..runtime.states import with_states
from ..runtime.sums import PRODUCT, Sums
from .operations import CONVOLUTIONS, COUNTED, operands
from .shapes import Graph, Tensor

# Views of what is stored elsewhere, or what an integer kernel does on its way in
_VIEWS = ("DequantizeLinear", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Flatten")
_REARRANGED = (*_VIEWS, "Transpose", "Cast")


class ShapeSession:
    """Answers a sampler with zeros of the right shape, and remembers what was called."""

    def __init__(self, artifact: Artifact):
        self.specs = artifact.manifest.graphs
        self.graphs = {name: Graph(artifact.graph_path(name)) for name in self.specs}
        self.environment: dict[str, str] = {}
        self.calls: dict[tuple[object, ...], Call] = {}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """See Session."""
        inputs = with_states(self.specs[graph], inputs)
        key = (graph, *sorted((name, array.shape, array.dtype.str) for name, array in inputs.items()))
        if key not in self.calls:
            self.calls[key] = Call(graph, self.graphs[graph], self.graphs[graph].tensors(inputs))
        call = self.calls[key]
        call.count += 1
        return {name: call.tensors[name].zeros() for name in call.graph.outputs}


class Call:
    """All calls of one graph with inputs of one shape."""

    def __init__(self, name: str, graph: Graph, tensors: dict[str, Tensor]):
        self.name, self.graph, self.tensors, self.count = name, graph, tensors, 0
        self.counted = [node for node in graph.nodes if node.op_type in COUNTED]
        self._held: dict[str, str] = {}  # what an integer kernel keeps to itself around a product -> the integers that it reads or writes
        for node in self.counted:
            if sums := sums_of(graph, node):
                self._held |= {made.output[0]: sums.rounding.output[0] for made in (node, *sums.between)}
                turned = graph.makers.get(node.input[0])
                if turned is not None and turned.op_type == "Transpose":
                    self._held[node.input[0]] = turned.input[0]

    @property
    def reflects(self) -> bool:
        """Whether something is padded with a mirror image of itself."""
        return any(_text(node, "mode") == "reflect" for node in self.graph.nodes if node.op_type == "Pad")

    def stored(self, name: str) -> Tensor:
        """The tensor as an integer back end holds it: before its DequantizeLinear, or after the QuantizeLinear that is its only reader."""
        if name in self._held:
            return self.tensors[self._held[name]]
        maker = self.graph.makers.get(name)
        if maker is not None and maker.op_type == "DequantizeLinear":
            return self.tensors[maker.input[0]]
        reader = self._only_reader(name)
        if reader is not None and reader.op_type == "Relu":
            return self.stored(reader.output[0])
        return self.tensors[reader.output[0]] if reader is not None and reader.op_type == "QuantizeLinear" else self.tensors[name]

    def _only_reader(self, name: str) -> Any | None:
        readers = self.graph.users.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.graph.outputs else None

    def other_bytes(self) -> int:
        """What one call reads and writes in nodes that have no weights; quantization is part of its neighbours, and views move nothing."""
        free = (*COUNTED, *_VIEWS, "QuantizeLinear", "Shape", "Relu")
        nodes = (node for node in self.graph.nodes if node.op_type not in free and node.output[0] not in self._held)
        return sum(self.stored(name).bytes for node in nodes for name in (*node.input, *node.output) if name and not source_of(self.graph, name))

    def peak(self) -> int:
        """Bytes of the tensors that are alive at once, at the worst place, in the graph's own order; its weights not among them."""
        home = self._homes()
        last: dict[str, int] = {}
        for index, node in enumerate(self.graph.nodes):
            last |= {home[name]: index for name in (*node.input, *node.output) if name in home}
        last |= {home[name]: len(self.graph.nodes) for name in (*self.graph.outputs, *self.graph.inputs) if name in home}
        alive = {home[name] for name in self.graph.inputs}
        peak = total = sum(self.tensors[name].bytes for name in alive)
        for index, node in enumerate(self.graph.nodes):
            born = {home[name] for name in node.output if name in home} - alive
            total += sum(self.tensors[name].bytes for name in born)
            peak, alive = max(peak, total), alive | born
            dead = {name for name in alive if last[name] <= index}
            total -= sum(self.tensors[name].bytes for name in dead)
            alive -= dead
        return peak

    def _homes(self) -> dict[str, str]:
        """Tensor -> the one whose memory it lies in; nothing for constants and for what an integer kernel keeps to itself."""
        home = {name: name for name in self.graph.inputs}
        for node in self.graph.nodes:
            for name in filter(None, node.output):
                if source_of(self.graph, name):
                    continue
                reader = self._only_reader(name)
                if node.op_type in _VIEWS and node.input[0] in home:
                    home[name] = home[node.input[0]]
                elif node.op_type not in ("QuantizeLinear", "Relu") and reader is not None and self.stored(name) is not self.tensors[name]:
                    continue
                else:
                    home[name] = name
        return home

    def rings(self) -> int:
        """Bytes of what the convolutions of one call still need of their inputs' past: (kernel - 1) x dilation steps of each input, once."""
        held: dict[str, int] = {}
        for node in self.counted:
            if node.op_type in CONVOLUTIONS:
                data, weights = operands(node)
                span = (self.tensors[weights].shape[-1] - 1) * _last(node, "dilations")
                held[data] = max(held.get(data, 0), span * self.stored(data).column)
        return sum(held.values())

    def pair(self) -> int:
        """Bytes of one step of a layer's input and output, at the layer where they are largest."""
        found = [0]
        for node in self.counted:
            data, output = self.stored(operands(node)[0]), self.stored(node.output[0])
            wide = node.op_type in (*CONVOLUTIONS, "ConvTranspose") or node.output[0] in self._held
            found.append(data.column + output.column if wide else sum(t.shape[-1] * t.dtype.itemsize for t in (data, output)))
        return max(found)


def sums_of(graph: Graph, node: Any) -> Sums | None:
    """What becomes of the sums of an integer product; None for other nodes."""
    return Sums.of(node, graph.users, graph.constants) if node.op_type == PRODUCT else None


def source_of(graph: Graph, name: str) -> str:
    """The constant that a tensor is made of, however it is rearranged; "" where it depends on an input."""
    while name not in graph.constants:
        maker = graph.makers.get(name)
        if maker is None or maker.op_type not in _REARRANGED:
            return ""
        name = maker.input[0]
    return name


def _last(node: Any, name: str) -> int:
    """The entry of an attribute for the last axis, 1 where there is none."""
    return next((attribute.ints[-1] for attribute in node.attribute if attribute.name == name and attribute.ints), 1)


def _text(node: Any, name: str) -> str:
    return next((attribute.s.decode(errors="replace") for attribute in node.attribute if attribute.name == name), "")
