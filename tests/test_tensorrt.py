"""The recipe symmetric_w8a8: graphs as TensorRT takes them, the rules that say what that is, and the back end that is given them."""

import shutil
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import CommandLine
from onnx import TensorProto, helper, numpy_helper
from tiny_bench import gan, quantized_model
from tiny_vocoders import sampler_of, tiny_folded, tiny_mels

from vcompress.compress.bits import Bits
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.recipes import find_recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.compress.static import SCALES, quantize_static
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.export.tensorrt import broken_rules, check_graph
from vcompress.runtime.artifact import MANIFEST, Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize

FAMILIES = ("melgan", "hifigan", "diffwave", "waveflow")


Made = Callable[[str], Artifact]


@pytest.fixture(scope="module")
def symmetric(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The tiny network of a family in the recipe, made once; its run is the folder around."""

    @cache
    def made(family: str) -> Artifact:
        folder = tmp_path_factory.mktemp(family)
        vocoder = tiny_folded(family)
        bits = Bits.of(vocoder.family, vocoder.trained.config, symmetric=True)
        quantize_static(vocoder, tiny_mels(), folder, bits=bits)
        assert Bits.read(folder) == bits
        return write_artifact(vocoder, find_recipe("symmetric_w8a8"), family, folder / "artifact", ScaleTable.read(folder / SCALES), bits=bits)

    return made


@pytest.mark.parametrize("family", FAMILIES)
def test_symmetric_graphs_break_no_rule_of_tensorrt(family: str, symmetric: Made) -> None:
    for graph in symmetric(family).manifest.graphs.values():
        model = onnx.load(symmetric(family).folder / graph.file)
        assert list(broken_rules(model.graph)) == []
        assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) > 2
        assert all(port.dtype in ("float32", "int64") for port in (*graph.inputs, *graph.outputs))


@pytest.mark.parametrize("family", FAMILIES)
def test_what_has_16_bits_elsewhere_is_float(family: str, symmetric: Made) -> None:
    layers = {layer.name: layer for layer in symmetric(family).manifest.layers}
    kinds = {layer.precision for layer in layers.values()}
    assert "w8a8 symmetric" in kinds and kinds <= {"w8a8 symmetric", "w8a8 symmetric, output 32 bits", "float"}
    assert all(layer.reason for layer in layers.values() if layer.precision != "w8a8 symmetric")
    if family == "hifigan":
        assert layers["stem"].precision == "float" and "mel's frame rate" in layers["stem"].reason


@pytest.mark.parametrize("family", FAMILIES)
def test_symmetric_artifact_sounds_as_its_calibrated_network(family: str, symmetric: Made) -> None:
    artifact, vocoder, mel = symmetric(family), tiny_folded(family), tiny_mels(1)[0]
    bits = Bits.of(vocoder.family, vocoder.trained.config, symmetric=True)
    prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config, bits)
    table = ScaleTable.read(artifact.folder.parent / SCALES)
    for graph in prepared.graphs.values():
        table.apply(graph)
    prepared.mode(faking=True)
    expected = sampler_of(vocoder).synthesize(prepared.run, mel, 0)
    error = synthesize(artifact, load("onnxruntime", artifact), mel) - expected
    assert np.square(error).mean() < 1e-4 * np.square(expected).mean()  # a rounding that falls the other way now and then
    assert {entry.zero_point for entry in table.entries.values()} == {0}


def test_scale_table_with_zero_points_is_refused_by_a_symmetric_network(symmetric: Made) -> None:
    vocoder = tiny_folded("melgan")
    folder = symmetric("melgan").folder.parent
    table = ScaleTable({key: type(entry)(entry.scale, 7) for key, entry in ScaleTable.read(folder / SCALES).entries.items()})
    bits = Bits.of(vocoder.family, vocoder.trained.config, symmetric=True)
    with pytest.raises(VcompressError, match="no entry"):
        write_artifact(vocoder, find_recipe("symmetric_w8a8"), "x", folder / "other", table, bits=bits)
    with pytest.raises(VcompressError, match="not those of static_w8a8"):
        write_artifact(vocoder, find_recipe("static_w8a8"), "x", folder / "other", table, bits=bits)


def good_graph() -> onnx.ModelProto:
    """x -> Q -> DQ -> Conv with quantized weights and a float bias."""
    constants = {
        "s": np.float32(0.1),
        "z": np.int8(0),
        "w": np.ones((4, 2, 3), np.int8),
        "ws": np.full(4, 0.5, np.float32),
        "b": np.zeros(4, np.float32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws"], ["wd"], axis=0),
        helper.make_node("Conv", ["d", "wd", "b"], ["y"]),
    ]
    ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size, "t"])] for name, size in (("x", 2), ("y", 4))]
    graph = helper.make_graph(nodes, "g", *ports, [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def constant(model: onnx.ModelProto, name: str, array: np.ndarray) -> None:
    next(tensor for tensor in model.graph.initializer if tensor.name == name).CopyFrom(numpy_helper.from_array(np.asarray(array), name))


def with_integer_bias(model: onnx.ModelProto) -> None:
    constant(model, "b", np.zeros(4, np.int32))
    model.graph.node.insert(3, helper.make_node("DequantizeLinear", ["b", "ws"], ["bd"], axis=0))
    model.graph.node[4].input[2] = "bd"


def with_moved_integers(model: onnx.ModelProto) -> None:
    model.graph.node.insert(1, helper.make_node("Transpose", ["q"], ["qt"], perm=[0, 2, 1]))
    model.graph.node[2].input[0] = "qt"


BREAKING: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "unsigned": (lambda m: constant(m, "z", np.uint8(0)), "zero point of uint8"),
    "16 bits": (lambda m: constant(m, "z", np.int16(0)), "zero point of int16"),
    "shifted": (lambda m: constant(m, "z", np.int8(3)), "zero point that is not 0"),
    "no zero point": (lambda m: m.graph.node[0].input.pop(), "makes unsigned integers"),
    "no scale": (lambda m: constant(m, "s", np.float32(0)), "scale above 0"),
    "channels of data": (lambda m: constant(m, "s", np.ones(2, np.float32)), "only weights may have"),
    "another axis": (lambda m: m.graph.node[2].attribute[0].CopyFrom(helper.make_attribute("axis", 1)), "each output channel"),
    "weights of 16 bits": (lambda m: constant(m, "w", np.ones((4, 2, 3), np.int16)), "constants of int16"),
    "bias": (with_integer_bias, "bias that is no float32"),
    "moved": (with_moved_integers, "something else than DequantizeLinear"),
    "weights alone": (lambda m: m.graph.node[3].input.__setitem__(0, "x"), "weights alone"),
    "another scheme": (lambda m: setattr(m.graph.node[3], "op_type", "ConvInteger"), "operator ConvInteger"),
    "integer port": (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.UINT8), "handed over as an integer"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_each_rule_is_noticed_when_it_is_broken(name: str, tmp_path: Path) -> None:
    model = good_graph()
    assert list(broken_rules(model.graph)) == []
    change, clause = BREAKING[name]
    change(model)
    assert any(clause in broken for broken in broken_rules(model.graph))
    onnx.save(model, tmp_path / "graph.onnx")
    with pytest.raises(VcompressError, match="TensorRT does not take"):
        check_graph(tmp_path / "graph.onnx")


def test_usual_integers_are_not_those_of_tensorrt() -> None:
    assert any("uint8" in broken for broken in broken_rules(quantized_model().graph))


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch, symmetric: Made) -> list[list]:
    """An ONNX Runtime that says it has TensorRT, and keeps what its sessions are asked for."""
    import onnxruntime

    symmetric("melgan")  # made by the real one
    asked: list[list] = []

    def open_session(path: str, options: object, providers: list, **_: object) -> object:
        asked.append(providers)
        return types.SimpleNamespace(get_providers=lambda: [name for name, _ in providers], get_outputs=list)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "CPU")])
    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    return asked


def test_tensorrt_is_told_of_integers_and_falls_back_to_cuda(sessions: list[list], symmetric: Made, tmp_path: Path) -> None:
    session = load("onnxruntime-tensorrt:fp16", symmetric("melgan"))
    others = [("CUDAExecutionProvider", {}), ("CPUExecutionProvider", {})]
    assert sessions == [[("TensorrtExecutionProvider", {"trt_fp16_enable": "1", "trt_int8_enable": "1"}), *others]]
    assert session.environment["provider"] == "TensorrtExecutionProvider trt_fp16_enable=1 trt_int8_enable=1"
    load("onnxruntime-tensorrt", gan(tmp_path / "fp32"))
    assert sessions[1][0] == ("TensorrtExecutionProvider", {})


def test_tensorrt_refuses_unsymmetric_integers_and_unknown_words(sessions: list[list], symmetric: Made, tmp_path: Path) -> None:
    shutil.copytree(symmetric("melgan").folder, tmp_path / "static")
    manifest = tmp_path / "static" / MANIFEST
    manifest.write_text(manifest.read_text().replace("w8a8 symmetric", "w8a8"))
    other = Artifact.open(tmp_path / "static")
    with pytest.raises(VcompressError, match="--symmetric"):
        load("onnxruntime-tensorrt", other)
    with pytest.raises(VcompressError, match="no variant 'tf32'"):
        load("onnxruntime-tensorrt:tf32", symmetric("melgan"))
    assert not sessions


def test_quantize_is_symmetric_or_mixed_or_dynamic(vcompress: CommandLine) -> None:
    answer = vcompress("quantize", "melgan", "--symmetric", "--dynamic")
    assert answer.code == 2 and "exclude each other" in answer.err
