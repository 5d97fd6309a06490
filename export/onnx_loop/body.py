"""A graph that grows node by node: the bodies of the loop, and the graph around them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import helper, numpy_helper

Port = tuple[str, DTypeLike, Sequence[int | str] | None]  # name, dtype, shape


class Body:
    """Nodes and constants. `prefix`: of every name made here, for a body sees the names of the graph around it."""

    def __init__(self, prefix: str):
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}
        self._held: list[onnx.TensorProto] = []

    def __call__(self, operator: str, *inputs: str | np.ndarray | np.generic, outputs: int = 1, called: str = "", **attributes: Any) -> Any:
        """Add a node; gives the name of its output, or of each. An array among the inputs becomes a constant. `called`: the name."""
        names = [called or f"{self.prefix}{len(self.nodes):x}" if outputs == 1 else f"{self.prefix}{len(self.nodes):x}_{i}" for i in range(outputs)]
        given = [name if isinstance(name, str) else self._constant(name) for name in inputs]
        self.nodes.append(helper.make_node(operator, given, names, **attributes))
        return names[0] if outputs == 1 else names

    def include(self, graph: onnx.GraphProto, inputs: Mapping[str, str]) -> dict[str, str]:
        """Add all of a graph, its inputs taken from these names; gives the names of its outputs."""
        names, prefix = {"": "", **inputs}, f"{self.prefix}{len(self.nodes):x}_"
        for tensor in graph.initializer:
            held = onnx.TensorProto()
            held.CopyFrom(tensor)
            held.name = names[tensor.name] = prefix + tensor.name
            self._held.append(held)
        for node in graph.node:
            names.update({output: prefix + output for output in node.output if output})
            added = onnx.NodeProto()
            added.CopyFrom(node)
            added.name = node.name and prefix + node.name
            added.input[:], added.output[:] = [names[name] for name in node.input], [names[name] for name in node.output]
            self.nodes.append(added)
        return {output.name: names[output.name] for output in graph.output}

    def graph(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> onnx.GraphProto:
        """What has grown, with these inputs and outputs."""
        return helper.make_graph(
            self.nodes, self.prefix or "graph", [_info(p) for p in inputs], [_info(p) for p in outputs], [*self._held, *self._constants.values()]
        )

    def _constant(self, array: np.ndarray | np.generic) -> str:
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(np.asarray(array, order="C"), f"{self.prefix}k{len(self._constants):x}")
        return str(self._constants[key].name)


def _info(port: Port) -> onnx.ValueInfoProto:
    name, dtype, shape = port
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
