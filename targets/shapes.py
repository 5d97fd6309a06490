"""Shapes of all tensors of a graph for given inputs, without running it: what is constant is folded, the rest inferred node by node."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import VcompressError
from .operations import UNCOUNTED, Shape

SMALL = 64  # elements: constants up to this size may be shapes, axes or pads, and are kept with their values


class Graph:
    """An ONNX graph whose weights are known by shape and type alone. Raises VcompressError where the file is none, or `onnx` is not installed."""

    def __init__(self, path: Path):
        try:
            import onnx
        except ImportError:
            raise VcompressError("The graphs of an artifact are read with the package onnx, which is not installed; run: pip install onnx.") from None
        self.path = path
        try:
            self.model = onnx.load(str(path))
        except Exception as error:  # protobuf's own, or a file that is gone
            raise VcompressError(f"{path} is no ONNX graph ({' '.join(str(error).split())[:80]}); export the artifact again.") from None
        self.nodes = list(self.model.graph.node)
        if not self.nodes:
            raise VcompressError(f"{path} is an ONNX file without a graph; export the artifact again.")
        if unknown := next((node.op_type for node in self.nodes if node.op_type in UNCOUNTED), None):
            raise VcompressError(f"{path.name} has an operator {unknown}, whose operations are not counted; add it to targets/operations.py.")
        self.outputs = [output.name for output in self.model.graph.output]
        self.inputs = [value.name for value in self.model.graph.input if value.name not in self.constants]

    @cached_property
    def constants(self) -> dict[str, Any]:
        """Initializers by name, with type, dims and data."""
        return {tensor.name: tensor for tensor in self.model.graph.initializer}

    @cached_property
    def makers(self) -> dict[str, Any]:
        """Tensor -> the node that makes it."""
        return {name: node for node in self.nodes for name in node.output if name}

    @cached_property
    def users(self) -> dict[str, list[Any]]:
        """Tensor -> the nodes that read it."""
        found: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    def tensors(self, inputs: Mapping[str, np.ndarray]) -> dict[str, "Tensor"]:
        """Shape and type of every tensor in one call. Raises VcompressError where a shape depends on values that are not known."""
        from onnx import TypeProto, defs, helper
        from onnx.shape_inference import infer_node_outputs

        versions = {opset.domain: opset.version for opset in self.model.opset_import}
        types: dict[str, TypeProto] = {c.name: helper.make_tensor_type_proto(c.data_type, c.dims) for c in self.constants.values()}
        values = {name: constant for name, constant in self.constants.items() if prod(constant.dims) <= SMALL}
        for name in self.inputs:
            array = inputs[name]
            types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for node in self.nodes:
            known = {name: values[name] for name in node.input if name in values}
            try:
                schema = defs.get_schema(node.op_type, versions.get(node.domain, 1), node.domain)
                read = {name: types[name] for name in node.input if name}
                types |= infer_node_outputs(schema, node, read, known, opset_imports=list(self.model.opset_import), ir_version=self.model.ir_version)
            except Exception as error:  # onnx raises several kinds, RuntimeError among them
                reason = " ".join(str(error).split())[:120]
                raise VcompressError(f"{self.path.name}: the shape of {node.output[0]} ({node.op_type}) cannot be told ({reason}); export it again.") from None
            values |= self._fold(node, types, values)
        return {name: self._tensor(name, proto) for name, proto in types.items()}

    def _fold(self, node: Any, types: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a node's outputs where they are small and follow from what is known: a shape, or arithmetic on shapes."""
        from onnx import helper, numpy_helper
        from onnx.reference import ReferenceEvaluator

        if node.op_type == "Shape":
            ends = {attribute.name: attribute.i for attribute in node.attribute}
            dims = [dim.dim_value for dim in types[node.input[0]].tensor_type.shape.dim][ends.get("start", 0) : ends.get("end")]
            return {node.output[0]: numpy_helper.from_array(np.array(dims, np.int64), node.output[0])}
        named = [name for name in node.input if name]
        sizes = [prod(dim.dim_value for dim in types[name].tensor_type.shape.dim) for name in node.output if name]
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") or any(name not in values for name in named) or max(sizes) > SMALL:
            return {}
        read, made = ([helper.make_value_info(port, types[port]) for port in ports] for ports in (named, list(filter(None, node.output))))
        graph, opsets = helper.make_graph([node], "constant", read, made), list(self.model.opset_import)
        runner = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets, ir_version=self.model.ir_version))
        results: list[Any] = list(runner.run(None, {name: numpy_helper.to_array(values[name]) for name in named}))  # type: ignore[arg-type]
        return {port.name: numpy_helper.from_array(np.asarray(value), port.name) for port, value in zip(made, results, strict=True)}

    def _tensor(self, name: str, proto: Any) -> "Tensor":
        from onnx import helper

        dims = proto.tensor_type.shape.dim
        if not proto.HasField("tensor_type") or not all(dim.HasField("dim_value") for dim in dims):
            raise VcompressError(f"{self.path.name}: the shape of {name} depends on values that only a run has; export it again without.")
        return Tensor(tuple(dim.dim_value for dim in dims), np.dtype(helper.tensor_dtype_to_np_dtype(proto.tensor_type.elem_type)))


@dataclass(frozen=True)
class Tensor:
    """Shape and type of a tensor, without its values."""

    shape: Shape
    dtype: np.dtype

    @property
    def bytes(self) -> int:
        """Bytes of the whole tensor."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def column(self) -> int:
        """Bytes of one step of the last axis, which is time wherever a convolution reads or writes."""
        return prod(self.shape[:-1]) * self.dtype.itemsize

    def zeros(self) -> np.ndarray:
        """As many zeros, which take no memory and cannot be written to."""
        return np.broadcast_to(np.zeros((), self.dtype), self.shape)
