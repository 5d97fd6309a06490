"""Rewrites of QDQ graphs: each keeps the integers, and leaves alone what it must not touch."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vcompress.errors import VcompressError
from vcompress.export.integer_graph import SIGMOID_SCALE, TANH_SCALE, make_integer

Q, DQ = "QuantizeLinear", "DequantizeLinear"
SHAPE = (1, 4, 64)


class Graph:
    """A QDQ graph under construction, from the float input x (1, 4, 64) on; `value` is the latest tensor."""

    def __init__(self, shape: Sequence[int] = SHAPE):
        self.shape, self.value = tuple(shape), "x"
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def constant(self, array: np.ndarray) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = array
        return name

    def add(self, operator: str, *more: str, source: str | None = None, **attributes: object) -> "Graph":
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [source or self.value, *more], [output], **attributes))
        self.value = output
        return self

    def quantize(self, scale: float, zero_point: int = 0) -> "Graph":
        parameters = self.constant(np.float32(scale)), self.constant(np.uint8(zero_point))
        return self.add(Q, *parameters).add(DQ, *parameters)

    def model(self) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)]
        self.nodes[-1].output[0] = "y"
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, None, None][: len(self.shape)])]
        constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "graph", inputs, outputs, constants)
        return onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))


def rewritten(model: onnx.ModelProto, integer_ports: Collection[str] = ()) -> onnx.ModelProto:
    graph = ir.from_proto(model)
    make_integer(graph, integer_ports)
    made = ir.to_proto(graph)
    onnx.checker.check_model(made, full_check=True)
    return made


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # the graph as it is written
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"]).run(None, {"x": x})[0]


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def noise(shape: Sequence[int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize(("operator", "number", "scale"), [("Mul", 0.25, 0.05), ("Div", 3.0, 0.05), ("Div", 2**0.5, 0.0123), ("Mul", 1.7, 0.003)])
def test_scaling_by_a_number_becomes_another_scale(operator: str, number: float, scale: float) -> None:
    graph = Graph().quantize(scale, 117)
    graph.add(operator, graph.constant(np.float32(number)))
    model = graph.quantize(scale * number if operator == "Mul" else scale / number, 117).model()
    made = rewritten(model)
    assert operators(made) == {Q: 1, DQ: 1}
    assert np.array_equal(run(made, noise()), run(model, noise()))


@pytest.mark.parametrize(
    ("number", "scale", "zero_point", "why"),
    [(0.25, 0.05, 117, "a scale that does not follow"), (0.25, 0.0125, 118, "another zero point"), (-0.25, 0.0125, 117, "a sign that turns")],
)
def test_scaling_stays_with(number: float, scale: float, zero_point: int, why: str) -> None:
    graph = Graph().quantize(0.05, 117)
    graph.add("Mul", graph.constant(np.float32(number)))
    made = rewritten(graph.quantize(scale, zero_point).model())
    assert operators(made)["Mul"] == 1, why


def test_scaling_by_a_tensor_stays() -> None:
    graph = Graph().quantize(0.05, 117)
    graph.add("Mul", graph.constant(np.full((4, 1), 0.25, np.float32)))
    assert operators(rewritten(graph.quantize(0.0125, 117).model()))["Mul"] == 1


MOVEMENTS = {
    "reflect pad": ("Pad", [np.array([0, 0, 3, 0, 0, 5])], {"mode": "reflect"}),
    "edge pad": ("Pad", [np.array([0, 0, 3, 0, 0, 5])], {"mode": "edge"}),
    "slice": ("Slice", [np.array([1]), np.array([40]), np.array([2])], {}),
    "transpose": ("Transpose", [], {"perm": [0, 2, 1]}),
    "reshape": ("Reshape", [np.array([1, 2, -1])], {}),
}


def moved(what: str, *scales: tuple[float, int]) -> onnx.ModelProto:
    operator, constants, attributes = MOVEMENTS[what]
    graph = Graph().quantize(*scales[0])
    return graph.add(operator, *map(graph.constant, constants), **attributes).quantize(*scales[-1]).model()


@pytest.mark.parametrize("what", MOVEMENTS)
def test_movement_moves_the_integers(what: str) -> None:
    model = moved(what, (0.02, 128))
    made = rewritten(model)
    assert [node.op_type for node in made.graph.node] == [Q, MOVEMENTS[what][0], DQ]
    assert np.array_equal(run(made, noise()), run(model, noise()))


@pytest.mark.parametrize("what", MOVEMENTS)
def test_movement_between_different_scales_stays(what: str) -> None:
    for other in ((0.021, 128), (0.02, 127)):
        made = rewritten(moved(what, (0.02, 128), other))
        assert operators(made) == {Q: 2, DQ: 2, MOVEMENTS[what][0]: 1}


def test_padding_with_zeros_stays_for_zero_is_not_the_integer_zero() -> None:
    graph = Graph().quantize(0.02, 128)
    model = graph.add("Pad", graph.constant(np.array([0, 0, 3, 0, 0, 5]))).quantize(0.02, 128).model()
    made = rewritten(model)
    assert operators(made) == {Q: 2, DQ: 2, "Pad": 1}
    assert np.array_equal(run(made, noise()), run(model, noise()))


def test_what_a_float_operator_reads_too_stays() -> None:
    graph = Graph().quantize(0.02, 128).add("Transpose", perm=[0, 2, 1])
    moved_value = graph.value
    graph.quantize(0.02, 128).add("Add", moved_value)
    made = rewritten(graph.model())
    assert operators(made) == {Q: 2, DQ: 2, "Transpose": 1, "Add": 1}


@pytest.mark.parametrize(("scale", "zero_point"), [(0.02, 128), (0.1, 90), (0.004, 0), (0.0313, 255), (2.0**-5, 128)])
def test_tanh_as_sigmoid_differs_by_no_more_than_one_step(scale: float, zero_point: int) -> None:
    every = ((np.arange(256) - zero_point) * scale).astype(np.float32).reshape(1, 4, 64)  # each integer once
    model = Graph().quantize(scale, zero_point).add("Tanh").quantize(TANH_SCALE, 128).model()
    made = rewritten(model)
    assert operators(made) == {Q: 2, DQ: 2, "Sigmoid": 1}
    assert np.abs(run(made, every) - run(model, every)).max() <= TANH_SCALE
    exact = np.tanh((np.arange(256) - zero_point) * scale).reshape(1, 4, 64)
    assert np.abs(run(made, every) - np.clip(exact, -1, 127 / 128)).max() <= 0.5 * TANH_SCALE + 1e-6  # the nearest integer
    assert SIGMOID_SCALE == TANH_SCALE / 2  # why the integers are the same


@pytest.mark.parametrize("to", [(TANH_SCALE * 1.01, 128), (TANH_SCALE, 127)])
def test_tanh_with_another_scale_stays(to: tuple[float, int]) -> None:
    made = rewritten(Graph().quantize(0.02, 128).add("Tanh").quantize(*to).model())
    assert operators(made)["Tanh"] == 1


def test_tanh_in_float_stays() -> None:
    made = rewritten(Graph().quantize(0.02, 128).add("Tanh").model())
    assert operators(made) == {Q: 1, DQ: 1, "Tanh": 1}


def port_model(shape: Sequence[int]) -> onnx.ModelProto:
    graph = Graph(shape).quantize(0.02, 100).add("Relu")
    return graph.quantize(0.01, 3).model()


@pytest.mark.parametrize("shape", [(1, 4, 64), (1, 128)])
def test_integer_ports_carry_the_integers_channels_last(shape: tuple[int, ...]) -> None:
    model = port_model(shape)
    made = rewritten(model, {"x", "y"})
    for value in (*made.graph.input, *made.graph.output):
        assert value.type.tensor_type.elem_type == TensorProto.UINT8
    dims = [dim.dim_value for dim in made.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ([1, 64, 4] if len(shape) == 3 else [1, 128])
    integers = np.clip(np.round(noise(shape) / np.float32(0.02)) + 100, 0, 255).astype(np.uint8)
    given = integers.transpose(0, 2, 1) if len(shape) == 3 else integers
    found = run(made, np.ascontiguousarray(given))
    assert found.dtype == np.uint8
    back = found.transpose(0, 2, 1) if len(shape) == 3 else found
    assert np.array_equal((back.astype(np.float32) - 3) * np.float32(0.01), run(model, noise(shape)))


@pytest.mark.parametrize("shape", [(1, 4, 64), (1, 128)])
def test_an_integer_port_that_is_also_read_as_float_gives_the_same_float(shape: tuple[int, ...]) -> None:
    graph = Graph(shape).quantize(0.02, 100)
    model = graph.add("Add", "x").model()  # x itself, not what was made of its integers
    made = rewritten(model, {"x"})
    assert made.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    integers = np.clip(np.round(noise(shape) / np.float32(0.02)) + 100, 0, 255).astype(np.uint8)
    given = np.ascontiguousarray(integers.transpose(0, 2, 1) if len(shape) == 3 else integers)
    assert np.array_equal(run(made, given), run(model, (integers.astype(np.float32) - 100) * np.float32(0.02)))


def test_an_integer_port_that_is_no_integer_is_named() -> None:
    with pytest.raises(VcompressError, match="Input x is handed over as integers but has not one scale here"):
        rewritten(Graph().add("Relu").quantize(0.01, 3).model(), {"x"})
    with pytest.raises(VcompressError, match="Output y is handed over as integers but is a float here"):
        rewritten(Graph().quantize(0.01, 3).add("Relu").model(), {"y"})


def test_ports_that_are_not_named_stay_float() -> None:
    made = rewritten(port_model(SHAPE))
    assert {value.type.tensor_type.elem_type for value in (*made.graph.input, *made.graph.output)} == {TensorProto.FLOAT}
    assert np.array_equal(run(made, noise()), run(port_model(SHAPE), noise()))


@pytest.mark.parametrize(("zero_point", "kept"), [(0, 0), (3, 1)])
def test_a_relu_goes_where_the_rounding_clips_at_zero(zero_point: int, kept: int) -> None:
    model = Graph().quantize(0.05, 117).add("Relu").quantize(0.02, zero_point).model()
    made = rewritten(model)
    assert operators(made)["Relu"] == kept
    assert np.array_equal(run(made, noise()), run(model, noise()))
