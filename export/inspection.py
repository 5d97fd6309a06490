"""What an ONNX file is made of: bytes by kind, and the kernels that ONNX Runtime runs it with."""

import tempfile
from collections import Counter
from pathlib import Path

import onnx
from onnx import numpy_helper

from ..runtime.artifact import TensorSpec
from ..runtime.backends.onnxruntime_cpu import open_session
from ..runtime.sums import PRODUCT, Sums, readers_of

QUANTIZING = ("QuantizeLinear", "DequantizeLinear")
WEIGHTED = ("Conv", "ConvInteger", "Gemm", "MatMul", "MatMulInteger")
MOVEMENT = ("Concat", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


def bytes_by_kind(path: Path) -> dict[str, int]:
    """weights, scales (with zero points), biases, graph (the rest) and file, in bytes."""
    model = onnx.load(path)
    sizes = {tensor.name: len(tensor.raw_data) or numpy_helper.to_array(tensor).nbytes for tensor in model.graph.initializer}
    kinds = dict.fromkeys(sizes, "graph")
    producers, readers = {output: node for node in model.graph.node for output in node.output}, readers_of(model.graph.node)
    for node in model.graph.node:
        if node.op_type in QUANTIZING:
            kinds.update({name: "scales" for name in node.input[1:] if name in kinds})
    for node in model.graph.node:
        if node.op_type in WEIGHTED:
            behind = Sums.of(node, readers, sizes) if node.op_type == PRODUCT else None
            if behind is not None:
                kinds.update(dict.fromkeys((behind.scales, *node.input[2:]), "scales") | {behind.bias: "biases"})
            for position, name in enumerate(node.input[:2] if node.op_type.endswith("Integer") else node.input):
                source = producers.get(name)
                stored = source.input[0] if source is not None and source.op_type == "DequantizeLinear" else name
                if stored in kinds and position in (1, 2):
                    kinds[stored] = "weights" if position == 1 else "biases"
        elif node.op_type in ("Gather", "Split"):  # constants of a folded schedule
            kinds.update({name: "weights" for name in node.input[:1] if name in kinds})
    file = path.stat().st_size
    split = {kind: sum(size for name, size in sizes.items() if kinds[name] == kind) for kind in ("weights", "scales", "biases")}
    return {**split, "graph": file - sum(split.values()), "file": file}


def kernels(path: Path) -> dict[str, int]:
    """Operator type -> how many nodes of it the optimized graph has, the most first."""
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        open_session(path, optimized=optimized)
        nodes = onnx.load(optimized).graph.node
    return dict(Counter(node.op_type for node in nodes).most_common())


def ports(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a graph; integer ports with the scale that the graph reads or writes them with."""
    model = onnx.load(path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    parameters: dict[str, tuple[float, int]] = {}
    for node in model.graph.node:
        if node.op_type in QUANTIZING and len(node.input) > 2:
            scale, zero_point = (numpy_helper.to_array(constants[name]) for name in node.input[1:3])
            if scale.size == 1:
                parameters[node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]] = (scale.item(), zero_point.item())
    moving = [(node.input if node.op_type == "Concat" else node.input[:1], node.output) for node in model.graph.node if node.op_type in MOVEMENT]
    for sources, targets in (*moving, *((after, before) for before, after in reversed(moving))):  # to what is made of an integer, and back to what it is
        known = next((parameters[name] for name in sources if name in parameters), None)
        parameters.update({name: known for name in targets if known is not None and name not in parameters})

    def spec(value: onnx.ValueInfoProto) -> TensorSpec:
        tensor = value.type.tensor_type
        shape = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
        return TensorSpec(value.name, shape, dtype, *parameters.get(value.name, (None, None)))

    return tuple(map(spec, model.graph.input)), tuple(map(spec, model.graph.output))
