"""Products of a step in integers: MatMulInteger in place of convolutions whose output has 16 bits, and what every reader of the file makes of it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import test_sing as sing
import tiny_wavernn
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_ir.passes.common import DeduplicateInitializersPass, RemoveUnusedNodesPass

from vcompress.benchmarks import step_products
from vcompress.compress.prepared import run_form
from vcompress.errors import VcompressError
from vcompress.export.inspection import bytes_by_kind
from vcompress.export.integer_products import products_in_integers
from vcompress.runtime.backends import load
from vcompress.runtime.backends.onnxruntime_cpu import open_session
from vcompress.runtime.synthesis import synthesize
from vcompress.targets.workload import workload_of
from vcompress.vocoders.backends.network import OnnxNetwork

Q, DQ = "QuantizeLinear", "DequantizeLinear"
K, N = 40, 24
SCALE, ZERO_POINT, STEP = np.float32(0.013), 117, np.float32(2.0**-11)


def layer(
    columns: int = 1,
    bias: np.ndarray | None = None,
    taken: type[np.generic] = np.uint8,
    given: type[np.generic] = np.int16,
    kernel: int = 1,
    port: bool = False,
    also: str = "",
    **attributes: Any,
) -> onnx.ModelProto:
    """x: float32 (1, K, columns) -> y, integers of `given`: a quantized convolution, as torch exports it. `port`: x is integers; `also`: who else reads y."""
    rng = np.random.default_rng(0)
    channels = K // attributes.get("group", 1)
    weights = rng.integers(-127, 128, (N, channels, kernel)).astype(np.int8)
    scales = rng.uniform(1e-4, 9e-4, N).astype(np.float32)
    constants = {"w": weights, "ws": scales, "s": SCALE, "z": taken(ZERO_POINT), "ys": STEP, "yz": given(0)}
    nodes = [] if port else [helper.make_node(Q, ["x", "s", "z"], ["q"])]
    nodes += [helper.make_node(DQ, ["x" if port else "q", "s", "z"], ["data"]), helper.make_node(DQ, ["w", "ws"], ["weight"], axis=0)]
    if bias is not None and bias.dtype == np.int32:
        constants |= {"b": bias, "bs": SCALE * scales}
        nodes.append(helper.make_node(DQ, ["b", "bs"], ["bias"], axis=0))
    elif bias is not None:
        constants["bias"] = bias
    operands = ["data", "weight", *(["bias"] if bias is not None else [])]
    nodes += [helper.make_node("Conv", operands, ["sum"], **attributes), helper.make_node(Q, ["sum", "ys", "yz"], ["y"])]
    outputs = [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(np.dtype(given)), None)]
    if also:
        nodes.append(helper.make_node(also, ["sum"], ["other"]))
        outputs.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, None))
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(taken)) if port else TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", kind, (1, K, columns))]
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, held)
    return onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))


def rewritten(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = ir.from_proto(model)
    products_in_integers(graph)
    RemoveUnusedNodesPass()(graph)
    DeduplicateInitializersPass()(graph)
    made = ir.to_proto(graph)
    onnx.checker.check_model(made, full_check=True)
    return made


def saved(model: onnx.ModelProto, path: Path) -> Path:
    del model.graph.value_info[:]
    onnx.save(model, str(path))
    return path


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


BIASES: dict[str, Callable[[], np.ndarray | None]] = {
    "no bias": lambda: None,
    "zeros": lambda: np.zeros(N, np.float32),  # as torch exports a layer that has none
    "a bias": lambda: np.random.default_rng(1).integers(-90_000, 90_000, N).astype(np.int32),
}


@pytest.mark.parametrize("columns", [1, 5])
@pytest.mark.parametrize("bias", BIASES)
def test_the_sums_are_those_of_integers(tmp_path: Path, columns: int, bias: str) -> None:
    given = BIASES[bias]()
    before, after = layer(columns, given), rewritten(layer(columns, given))
    assert operators(after) == {Q: 2, "Transpose": 2, "MatMulInteger": 1, "Cast": 1, "Mul": 1} | ({"Add": 1} if bias == "a bias" else {})
    x = np.random.default_rng(2).normal(0, 0.6, (1, K, columns)).astype(np.float32)
    paths = [saved(model, tmp_path / f"{name}.onnx") for name, model in (("before", before), ("after", after))]
    floats, integers = (open_session(path).run(None, {"x": x})[0].astype(np.int64) for path in paths)
    assert integers.shape == (1, N, columns)
    held = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in before.graph.initializer}
    data = np.clip(np.rint(x / SCALE) + ZERO_POINT, 0, 255).astype(np.int64) - ZERO_POINT
    sums = np.einsum("nk,bkt->bnt", held["w"][:, :, 0], data) + held.get("b", np.zeros(N))[:, None]
    exact = sums * (float(SCALE) * held["ws"])[:, None] / float(STEP)
    assert np.abs(integers - np.clip(exact, -32768, 32767)).max() < 0.501  # the nearest integer, or the other one of a tie
    assert np.abs(integers - floats).max() <= 1 and np.ptp(integers) > 500
    assert paths[1].stat().st_size <= paths[0].stat().st_size + 200  # operators, and no number more
    assert sum(map(len, (t.raw_data for t in after.graph.initializer))) <= sum(map(len, (t.raw_data for t in before.graph.initializer)))


STAYING: dict[str, Callable[[], onnx.ModelProto]] = {
    "an output of 8 bits": lambda: layer(given=np.uint8),
    "signed data": lambda: layer(taken=np.int8),
    "a wider kernel": lambda: layer(5, kernel=3),
    "groups": lambda: layer(group=4),
    "a stride": lambda: layer(5, strides=[2]),
    "padding": lambda: layer(5, pads=[1, 0]),
    "a float bias": lambda: layer(bias=np.ones(N, np.float32)),
    "integers of a port": lambda: layer(port=True),
    "a float reader": lambda: layer(also="Tanh"),
}


@pytest.mark.parametrize("why", STAYING)
def test_a_convolution_stays_with(why: str) -> None:
    assert operators(rewritten(STAYING[why]())) == operators(STAYING[why]())


def test_a_bias_of_another_scale_stays() -> None:
    model = layer(bias=np.ones(N, np.int32))
    scale = next(tensor for tensor in model.graph.initializer if tensor.name == "bs")
    scale.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(scale), "bs"))
    assert operators(rewritten(model))["Conv"] == 1


# --- who reads the file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("columns", [1, 20])
@pytest.mark.parametrize("bias", BIASES)
def test_torch_back_ends_take_it_for_a_convolution(tmp_path: Path, columns: int, bias: str, integers: bool) -> None:
    path = saved(rewritten(layer(columns, BIASES[bias]())), tmp_path / "graph.onnx")
    network = OnnxNetwork(path, integers=integers)
    assert network.integer_convolutions == int(integers) and sum(node.kind == "MatMulInteger" for node in network.nodes) == 0
    x = np.random.default_rng(2).normal(0, 0.6, (1, K, columns)).astype(np.float32)
    theirs = open_session(path).run(None, {"x": x})[0]
    assert np.abs(network(torch.from_numpy(x))[0].numpy().astype(int) - theirs).max() <= 1


def test_bytes_are_of_the_kinds_that_they_were(tmp_path: Path) -> None:
    kinds = bytes_by_kind(saved(rewritten(layer(bias=np.ones(N, np.int32))), tmp_path / "graph.onnx"))
    assert (kinds["weights"], kinds["biases"]) == (K * N, 4 * N)
    assert kinds["scales"] == 4 * N + 2 * 4 + 1 + 2  # of the sums; of input and output, and their zero points


def test_an_artifact_asks_the_same_of_a_target() -> None:
    """The products of SING's steps: integers in and out, weights of a byte, and nothing between the sums and what they are rounded to."""
    artifact = sing.exported("static")
    workload = workload_of(artifact, 0.5)
    n, layers = sing.CONFIG.units, {layer.name: layer for layer in workload.layers if layer.graph == "lstm"}
    assert set(layers) == {"generator.layers.0.cell.recurrent", "generator.layers.1.input", "generator.layers.1.cell.recurrent"}
    for found in layers.values():
        assert (found.kind, found.macs, found.weight_bytes, found.bits) == ("MatMulInteger", 4 * n * n, 4 * n * n, 8)
        assert found.moved_bytes == n + 2 * 4 * n
    assert workload.int8_share == 1 and workload.storage.constants == 0


def test_no_step_multiplies_floats() -> None:
    kept = {"lstm": set(), "coarse": {"coarse.hidden"}, "fine": {"fine.hidden"}}  # an output of 8 bits, which has a kernel
    for artifact in (sing.exported("static"), tiny_wavernn.exported("static")):
        for name, graph in artifact.manifest.graphs.items():
            found = operators(onnx.load(artifact.graph_path(name)))
            assert found["Conv"] == len(kept[name]) if name in kept else found["MatMulInteger"] == 0
            if name in kept:
                assert graph.kernels["MatMulInteger"] == 3 and "Conv" not in graph.kernels and graph.kernels.get("QLinearConv", 0) == len(kept[name])


def test_a_step_is_that_of_the_prepared_network() -> None:
    """In units of the last bit of every state after one step of SING and of WaveRNN."""
    for artifact, prepared in ((sing.exported("static"), sing.calibrated()[0]), (tiny_wavernn.exported("static"), tiny_wavernn.quantized()[1])):
        session = load("onnxruntime", artifact)
        prepared.mode(faking=True)
        for name in {"lstm", "coarse", "fine"} & set(artifact.manifest.graphs):
            rng, ports = np.random.default_rng(3), artifact.manifest.graphs[name].inputs
            given = {port.name: rng.integers(-9000, 9000, port.shape).astype(port.dtype) for port in ports if port.dtype == "int16"}
            floats = {port.name: given[port.name].transpose(0, 2, 1) * np.float32(port.scale) for port in ports if port.name in given}
            seen = {port.name: (rng.integers(-128, 128, port.shape) / 128).astype(np.float32) for port in ports if port.name not in given}
            graph = prepared.graphs[name]
            expected = run_form(graph.form, graph.module, floats | seen)
            found = session.run(name, given | seen)
            for port in artifact.manifest.graphs[name].outputs:
                if port.dtype == "int16":
                    made = found[port.name].transpose(0, 2, 1).astype(np.float64)
                    assert np.abs(made - expected[port.name] / port.scale).max() < 2.5, port.name
                else:
                    assert np.abs(found[port.name] - expected[port.name]).max() < 2.5 * 2.0**-8
        prepared.mode()


def test_torch_back_ends_play_what_onnxruntime_plays() -> None:
    artifact = sing.exported("static")
    ours, theirs = (synthesize(artifact, load(backend, artifact), sing.FRONT_END.codes(sing.NOTE)) for backend in ("torch-cpu", "onnxruntime"))
    assert np.abs(ours - theirs).max() < 0.02 * np.abs(theirs).max()


# --- how much it brings -----------------------------------------------------------------------------------------------------


def test_the_benchmark_races_the_same_step_in_floats_and_in_integers(tmp_path: Path) -> None:
    artifact = tiny_wavernn.exported("static")
    path = artifact.graph_path("coarse")
    floats = step_products.undone(path, tmp_path / "floats.onnx")
    assert operators(onnx.load(floats))["Conv"] == 4 and "MatMulInteger" not in operators(onnx.load(floats))
    rng = np.random.default_rng(4)
    given = {port.name: rng.uniform(-0.9, 0.9, port.shape) for port in artifact.manifest.graphs["coarse"].inputs}
    inputs = {name: (values if name == "seen" else 9000 * values).astype("float32" if name == "seen" else "int16") for name, values in given.items()}
    for theirs, ours in zip(*(open_session(graph).run(None, inputs) for graph in (floats, path)), strict=True):
        assert np.abs(theirs.astype(np.float64) - ours).max() <= (1 if ours.dtype == np.int16 else 2.0**-8)
    rows = step_products.race_steps({"static_w8a8": artifact, "fp32": tiny_wavernn.exported("fp32", loop=False)}, 2)
    assert [row.name for row in rows] == ["wavernn-tiny coarse", "wavernn-tiny fine"]
    rows.append(step_products.race_layer(8, 6, 3, 2))
    assert all(set(row.times) == set(step_products.CONTESTANTS) and min(row.times.values()) > 0 < row.faster for row in rows)
    assert step_products.markdown("step", rows).count("\n") == 4
    with pytest.raises(VcompressError, match="has an integer product"):
        step_products.race_steps({"static_w8a8": tiny_wavernn.exported("fp32", loop=False)}, 2)
