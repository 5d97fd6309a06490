"""An ONNX graph as a torch module: its constants folded once, its nodes called in order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import VcompressError
from .integers import KIND, Node, Weights, in_integers, integer_convolution
from .operators import KNOWN, TORCH
from .products import as_convolutions

FUNCTIONS = {**TORCH, KIND: integer_convolution}


class OnnxNetwork(nn.Module):
    """The graph of a file in one float type. forward: its inputs in the order of `inputs` -> its outputs in the order of `outputs`.

    `integers`: convolutions of 8-bit data and weights in integers (integers.py); `integer_convolutions` are how many these are.
    Raises VcompressError where the file is no graph, or has an operator that is not in operators.py.
    """

    def __init__(self, path: Path, dtype: torch.dtype = torch.float32, integers: bool = False):
        super().__init__()
        graph = _read(path)
        self.dtype = dtype
        nodes, constants = as_convolutions(graph)
        known: dict[str, Any] = dict(constants)
        self.inputs = [value.name for value in graph.input if value.name not in known]
        self.outputs = [value.name for value in graph.output]
        self.nodes: list[Node] = []
        weights: dict[str, Weights] = {}
        for node in map(_node, nodes):
            if node.kind in KNOWN and all(name in known for name in node.inputs if name):
                if node.kind == "DequantizeLinear" and (held := Weights.of(node, known)):
                    weights[node.outputs[0]] = held
                known[node.outputs[0]] = KNOWN[node.kind](*(known[name] if name else None for name in node.inputs), attributes=node.attributes)
            elif node.kind in TORCH or node.kind == "Shape":
                self.nodes.append(node)
            else:
                raise VcompressError(f"{path.name} has an operator {node.kind}, which torch back ends do not run yet; take --backend onnxruntime.")
        packed: dict[str, np.ndarray] = {}
        if integers:
            self.nodes, packed = in_integers(self.nodes, known, weights)
        self.integer_convolutions = sum(node.kind == KIND for node in self.nodes)
        used = {name for node in self.nodes for name in node.inputs} | set(self.outputs)
        self.known = {name: value for name, value in known.items() if name in used and not _is_float(value)}
        self._places = {name: f"k{index}" for index, name in enumerate(name for name in known if name in used and _is_float(known[name]))}
        for name, place in self._places.items():
            self.register_buffer(place, torch.from_numpy(np.array(known[name])).to(dtype))
        for index, (name, array) in enumerate(packed.items()):
            self._places[name] = f"i{index}"
            self.register_buffer(self._places[name], torch.from_numpy(array))

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Floats in the network's own type, integers as they are."""
        values: dict[str, Any] = {"": None, **self.known, **dict(zip(self.inputs, inputs, strict=True))}
        values |= {name: getattr(self, place) for name, place in self._places.items()}
        for node in self.nodes:
            given = [values[name] for name in node.inputs]
            results: list[Any]
            if node.kind == "Shape":
                results = [np.array(given[0].shape[node.attributes.get("start", 0) : node.attributes.get("end")], np.int64)]
            elif any(isinstance(value, Tensor) for value in given):
                made = FUNCTIONS[node.kind](*given, attributes=node.attributes)
                results = made if isinstance(made, list) else [made]
            else:
                results = [KNOWN[node.kind](*given, attributes=node.attributes)]
            values.update(zip(node.outputs, results, strict=True))
        return [values[name] for name in self.outputs]


def _is_float(value: np.ndarray) -> bool:
    return bool(np.issubdtype(value.dtype, np.floating))


def _read(path: Path) -> Any:
    try:
        import onnx
    except ImportError:
        raise VcompressError("The torch back ends read ONNX graphs, and onnx is not installed; run: pip install onnx.") from None
    try:
        return onnx.load(str(path)).graph
    except Exception as error:  # protobuf's own
        raise VcompressError(f"{path} is no ONNX graph ({' '.join(str(error).split())[:80]}); export the artifact again.") from None


def _node(node: Any) -> Node:
    from onnx import helper

    found = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    attributes = {name: value.decode() if isinstance(value, bytes) else _listed(value) for name, value in found.items()}
    return Node(node.op_type, tuple(node.input), tuple(node.output), attributes)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) else value
