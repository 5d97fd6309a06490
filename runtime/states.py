"""States: what a graph gives to its own later calls. They begin at zero, which in integers is the zero point."""

import numpy as np

from .artifact import GraphSpec
from .samplers import Tensors


def with_states(graph: GraphSpec, inputs: Tensors) -> Tensors:
    """Inputs of a call, and zero for each of the graph's states that is not among them, in the shape that the others tell."""
    missing = graph.states.keys() - inputs.keys()
    if not missing:
        return inputs
    ports = {port.name: port for port in graph.inputs}
    sizes = {size: length for name, array in inputs.items() if name in ports for size, length in zip(ports[name].shape, array.shape, strict=False)}
    zeros = {name: np.full([sizes.get(size, size) for size in ports[name].shape], ports[name].zero_point or 0, ports[name].dtype) for name in missing}
    return {**inputs, **zeros}
