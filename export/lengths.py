"""Which sizes of an ONNX graph follow the number of frames: every shape at two lengths, and the integers computed from shapes."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from ..errors import VcompressError

LENGTHS = (32, 48)  # frames; the first is what a file says before it is told otherwise
Size = tuple[int, ...]  # one number for each length; all alike where a size does not follow the frames


@dataclass(frozen=True)
class Lengths:
    """Shapes of tensors by name, and values of computed integer tensors, at each length."""

    shapes: dict[str, tuple[Size, ...]]
    integers: dict[str, tuple[np.ndarray, ...]]


def is_fixed(size: Size) -> bool:
    """Whether a size is the same at every length."""
    return len(set(size)) == 1


def measure(path: Path) -> Lengths:
    """Raises VcompressError when a shape is not known beforehand."""
    found = [_at(path, frames) for frames in LENGTHS]
    shapes = {name: tuple(zip(*(shapes[name] for shapes, _ in found), strict=True)) for name in found[0][0]}
    return Lengths(shapes, {name: tuple(integers[name] for _, integers in found) for name in found[0][1]})


def _at(path: Path, frames: int) -> tuple[dict[str, tuple[int, ...]], dict[str, np.ndarray]]:
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if not dimension.HasField("dim_value"):
                dimension.dim_value = _size(dimension.dim_param, frames, path)
    integers = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT64}
    constants = set(integers)
    nodes = list(model.graph.node)
    while True:
        shapes = _shapes(model)
        ready = [node for node in nodes if node.output[0] not in integers and _is_ready(node, shapes, integers)]
        if not ready:
            break
        for node in ready:
            integers[node.output[0]] = _shape(node, shapes[node.input[0]]) if node.op_type == "Shape" else _evaluate(node, model, integers)
            model.graph.initializer.append(numpy_helper.from_array(integers[node.output[0]], node.output[0]))
            model.graph.node.remove(node)
    unknown = next((node for node in model.graph.node for name in node.output if name and name not in shapes), None)
    if unknown is not None:
        raise VcompressError(f"The shape of what {unknown.op_type} makes in {path} is not known beforehand, which other formats need; export to ONNX only.")
    return shapes, {name: array for name, array in integers.items() if name not in constants}


def _is_ready(node: onnx.NodeProto, shapes: Collection[str], integers: Collection[str]) -> bool:
    """Whether a node gives integers that can be reckoned out from what is known."""
    if node.op_type == "Shape":
        return node.input[0] in shapes
    return node.op_type != "Constant" and all(name in integers for name in node.input if name)


def _size(expression: str, frames: int, path: Path) -> int:
    """`frames` or `256*frames`: the one thing that varies, under whatever name."""
    match = re.fullmatch(r"(?:(\d+)\*)?[A-Za-z_]\w*", expression)
    if match is None:
        raise VcompressError(f"{path} has an input or output of size {expression!r}, not a multiple of the frames; export the artifact again.")
    return int(match[1] or 1) * frames


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    found: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dimensions):
            found[value.name] = tuple(d.dim_value for d in dimensions)
    return found


def _shape(node: onnx.NodeProto, shape: tuple[int, ...]) -> np.ndarray:
    ends = {attribute.name: attribute.i for attribute in node.attribute}
    return np.array(shape[ends.get("start", 0) : ends.get("end", len(shape))], np.int64)


def _evaluate(node: onnx.NodeProto, model: onnx.ModelProto, known: dict[str, np.ndarray]) -> np.ndarray:
    inputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, known[name].shape) for name in dict.fromkeys(node.input) if name]
    outputs = [onnx.helper.make_empty_tensor_value_info(node.output[0])]
    graph = onnx.helper.make_graph([node], "arithmetic", inputs, outputs)
    alone = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    outcome: Any = ReferenceEvaluator(alone).run(None, {value.name: known[value.name] for value in inputs})
    return np.asarray(outcome[0])
