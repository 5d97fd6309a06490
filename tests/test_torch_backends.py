"""Torch as a back end, on the CPU: operators against ONNX Runtime, whole artifacts, precisions, batches; and what a machine without a GPU says."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CommandLine
from onnx import helper, numpy_helper, save
from tiny_bench import FRONT_END, diffusion, gan
from tiny_vocoders import tiny_folded

from vcompress.benchmarks.bench import bench
from vcompress.benchmarks.subject import BenchSettings
from vcompress.benchmarks.workload import Batched, steady_mel
from vcompress.compress.recipes import find_recipe
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.backends.onnxruntime_cpu import open_session
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.backends.network import OnnxNetwork

MEL = steady_mel(FRONT_END, 12)


def graph_of(path: Path, nodes: list, constants: dict[str, np.ndarray], data: np.ndarray) -> Path:
    """A graph file with the input x and the output y, which is of the type of the zero point z where there is one."""
    inputs = [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(data.dtype), data.shape)]
    results = [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(np.asarray(constants.get("z", data)).dtype), None)]
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    save(helper.make_model(helper.make_graph(nodes, "g", inputs, results, held), opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def both(path: Path, data: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The outputs of ONNX Runtime, and of torch."""
    return open_session(path).run(None, {"x": data}), [output.numpy() for output in OnnxNetwork(path)(torch.from_numpy(data))]


I64 = np.int64
CASES = {
    "Conv, padded unequally": (
        "Conv",
        {"w": np.ones((6, 2, 3), np.float32), "b": np.arange(6, dtype=np.float32)},
        {"group": 2, "pads": [3, 1], "dilations": [2]},
    ),
    "Conv, strided": ("Conv", {"w": np.ones((3, 4, 2), np.float32)}, {"strides": [2]}),
    "Slice, backwards": ("Slice", {"s": np.array([-1], I64), "e": np.array([-99], I64), "a": np.array([2], I64), "t": np.array([-1], I64)}, {}),
    "Slice, two axes": ("Slice", {"s": np.array([1, 0], I64), "e": np.array([3, 99], I64), "a": np.array([1, -1], I64), "t": np.array([1, 2], I64)}, {}),
    "Pad, reflected": ("Pad", {"p": np.array([0, 0, 2, 0, 0, 3], I64)}, {"mode": "reflect"}),
    "Pad, of one axis": ("Pad", {"p": np.array([2, 1], I64), "v": np.float32(7), "a": np.array([2], I64)}, {}),
    "Reshape": ("Reshape", {"s": np.array([0, 2, -1], I64)}, {}),
    "Squeeze": ("Squeeze", {"a": np.array([0], I64)}, {}),
    "Unsqueeze": ("Unsqueeze", {"a": np.array([1, -1], I64)}, {}),
    "Transpose": ("Transpose", {}, {"perm": [2, 0, 1]}),
    "Gather": ("Gather", {"i": np.array([[3, 0], [1, 1]], I64)}, {"axis": 1}),
    "Clip": ("Clip", {"l": np.float32(-0.5), "h": np.float32(0.25)}, {}),
    "LeakyRelu": ("LeakyRelu", {}, {"alpha": 0.2}),
    "MatMul": ("MatMul", {"m": np.ones((9, 5), np.float32)}, {}),
    "QuantizeLinear a channel": ("QuantizeLinear", {"s": np.full(4, 0.03, np.float32), "z": np.array([0, 3, -7, 9], np.int8)}, {"axis": 1}),
    "QuantizeLinear": ("QuantizeLinear", {"s": np.float32(0.01), "z": np.uint8(128)}, {}),
    **{kind: (kind, {}, {}) for kind in ("Relu", "Sigmoid", "Tanh", "Exp", "Sin", "Cos")},
}


@pytest.mark.parametrize("case", CASES)
def test_an_operator_computes_what_onnxruntime_does(tmp_path: Path, case: str) -> None:
    kind, constants, attributes = CASES[case]
    data = np.random.default_rng(0).normal(size=(1, 4, 9)).astype(np.float32)
    node = helper.make_node(kind, ["x", *constants], ["y"], **attributes)
    theirs, ours = both(graph_of(tmp_path / "g.onnx", [node], constants, data), data)
    assert ours[0].dtype == theirs[0].dtype and ours[0].shape == theirs[0].shape
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)


def test_sizes_that_follow_from_the_input_are_worked_out(tmp_path: Path) -> None:
    """Half the length, by Shape, Slice, Div, Mul and Concat, is where the input is cut; the rest is folded."""
    constants = {
        "two": np.array([2], I64), "last": np.array([2], I64), "zero": np.array([0], I64), "q": np.ones((4, 4, 1), np.int8), "scale": np.float32(0.5),
        "three": np.array([3], I64), "head": np.array([1, 4], I64),
    }  # fmt: skip
    nodes = [
        helper.make_node("Shape", ["x"], ["size"], start=2),
        helper.make_node("Div", ["size", "two"], ["half"]),
        helper.make_node("Slice", ["x", "zero", "half", "last"], ["first"]),
        helper.make_node("DequantizeLinear", ["q", "scale"], ["w"]),
        helper.make_node("Conv", ["first", "w"], ["c"]),
        helper.make_node("Concat", ["head", "half"], ["shape"], axis=0),
        helper.make_node("Reshape", ["c", "shape"], ["y"]),
    ]
    data = np.random.default_rng(0).normal(size=(1, 4, 9)).astype(np.float32)
    path = graph_of(tmp_path / "g.onnx", nodes, constants, data)
    theirs, ours = both(path, data)
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)
    assert "DequantizeLinear" not in {node.kind for node in OnnxNetwork(path).nodes}


def test_an_operator_without_a_function_names_itself(tmp_path: Path) -> None:
    data = np.ones((1, 4, 9), np.float32)
    with pytest.raises(VcompressError, match="operator Softplus, which torch back ends do not run yet"):
        OnnxNetwork(graph_of(tmp_path / "g.onnx", [helper.make_node("Softplus", ["x"], ["y"])], {}, data))
    (tmp_path / "bad.onnx").write_bytes(b"\x08nonsense")
    with pytest.raises(VcompressError, match="is no ONNX graph"):
        OnnxNetwork(tmp_path / "bad.onnx")


def snr(reference: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(np.square(reference).sum() / max(1e-30, np.square(reference - other).sum()))


def artifacts(folder: Path) -> list[Artifact]:
    return [gan(folder / "gan"), gan(folder / "int8", "static_w8a8"), diffusion(folder / "diffusion")]


@pytest.mark.parametrize("backend, least", [("torch-cpu", 80), ("torch-cpu:bf16", 25), ("torch-cpu:fp16", 40)])
def test_an_artifact_sounds_as_in_onnxruntime(tmp_path: Path, backend: str, least: float) -> None:
    for artifact in artifacts(tmp_path):
        reference = synthesize(artifact, load("onnxruntime", artifact), MEL)
        session = load(backend, artifact)
        assert snr(reference, synthesize(artifact, session, MEL)) > least
    assert session.environment["precision"] == (backend.partition(":")[2] or "fp32") and session.environment["torch"] == torch.__version__


def test_an_exported_vocoder_sounds_as_in_onnxruntime(tmp_path: Path) -> None:
    artifact = write_artifact(tiny_folded("melgan"), find_recipe("fp32"), "melgan-s", tmp_path / "melgan")
    reference = synthesize(artifact, load("onnxruntime", artifact), MEL)
    assert snr(reference, synthesize(artifact, load("torch-cpu", artifact), MEL)) > 100


@pytest.mark.parametrize("attributes", [{}, {"pads": [4, 2], "dilations": [2]}, {"strides": [3], "pads": [1, 1]}], ids=["plain", "dilated", "strided"])
@pytest.mark.parametrize("zero", [np.uint8(77), np.int8(-9), np.int8(0)], ids=["uint8", "int8", "symmetric"])
@pytest.mark.parametrize("length", [9, 50])
def test_a_convolution_in_integers_is_exact(tmp_path: Path, attributes: dict, zero: np.ndarray, length: int) -> None:
    draw = np.random.default_rng(0)
    constants = {
        "scale": np.float32(0.02), "z": np.asarray(zero), "w": draw.integers(-127, 128, (6, 4, 3)).astype(np.int8), "b": draw.normal(size=6).astype(np.float32),
        "scales": draw.uniform(0.001, 0.01, 6).astype(np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "scales"], ["wd"], axis=0),
        helper.make_node("Conv", ["d", "wd", "b"], ["c"], **attributes),
        helper.make_node("QuantizeLinear", ["c", "scale", "z"], ["y"]),
    ]
    data = draw.normal(size=(1, 4, length)).astype(np.float32)
    path = graph_of(tmp_path / "g.onnx", nodes, constants, data)
    network = OnnxNetwork(path, integers=True)
    assert network.integer_convolutions == 1
    theirs, ours = open_session(path).run(None, {"x": data})[0], network(torch.from_numpy(data))[0].numpy()
    assert np.abs(theirs.astype(int) - ours.astype(int)).max() <= 1 and (theirs == ours).mean() > 0.98


def test_int8_runs_the_integers_of_a_quantized_artifact_and_nothing_else(tmp_path: Path) -> None:
    int8, fp32 = gan(tmp_path / "int8", "static_w8a8"), gan(tmp_path / "fp32")
    session = load("torch-cpu:int8", int8)
    assert session.environment["integer_convolutions"] == "1"
    assert snr(synthesize(int8, load("onnxruntime", int8), MEL), synthesize(int8, session, MEL)) > 80
    with pytest.raises(VcompressError, match="no convolutions of 8-bit data"):
        load("torch-cpu:int8", fp32)
    with pytest.raises(VcompressError, match="one utterance at a time"):
        synthesize(int8, Batched(session, 2, "torch-cpu:int8"), MEL)


def test_a_batch_gives_the_same_utterance(tmp_path: Path) -> None:
    for artifact in artifacts(tmp_path):
        session = load("torch-cpu", artifact)
        np.testing.assert_allclose(synthesize(artifact, Batched(session, 3, "torch-cpu"), MEL), synthesize(artifact, session, MEL), atol=1e-5)


def test_the_bench_times_batches_and_presets_as_figures_of_their_own(tmp_path: Path) -> None:
    artifact, path = gan(tmp_path / "gan"), tmp_path / "records.jsonl"
    settings = BenchSettings("torch-cpu", seconds=0.1, repeats=3, warmup=1, batch=4, families=("rtf",))
    found = {record.metric: record for record in bench([artifact], [], settings, path)}
    assert found["rtf"].settings == {"threads": 1, "batch": 4} and found["rtf"].backend == "torch-cpu" and found["rtf"].value > 0
    with pytest.raises(VcompressError, match="onnxruntime makes one utterance at a time"):
        bench([artifact], [], BenchSettings(batch=2, families=("rtf",)), path)


@pytest.mark.parametrize("backend, words", [
    ("torch-cpu:fp8", "no variant 'fp8'; give one of fp32, tf32, fp16, bf16, int8, then one of eager"),
    ("torch-cpu:fp16:bf16", "no variant"),
    ("torch-cpu:eager:fp16", "no variant 'eager:fp16'"),
    ("torch-cpu:graphs", "CUDA graphs are of GPUs"),
    ("torch-cpu:tf32", "TF32"),
    ("onnxruntime:fp16", "onnxruntime has no variants"),
    ("nothing:fp16", "no back end 'nothing'"),
])  # fmt: skip
def test_what_is_no_variant_is_said_in_a_sentence(tmp_path: Path, backend: str, words: str) -> None:
    with pytest.raises(VcompressError, match=words):
        load(backend, gan(tmp_path))


@pytest.mark.parametrize("backend, words", [
    ("torch-cuda:fp16:graphs", "needs an NVIDIA GPU"), ("onnxruntime-tensorrt", "TensorrtExecutionProvider"), ("onnxruntime-cuda", "onnxruntime-gpu"),
])  # fmt: skip
def test_without_a_gpu_a_sentence_says_so(vcompress: CommandLine, tmp_path: Path, backend: str, words: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    answer = vcompress("bench", gan(tmp_path / "gan").folder, "--workspace", tmp_path, "--measure", "rtf", "--backend", backend)
    assert (answer.code, answer.out) == (2, "") and words in answer.err and len(answer.err.splitlines()) == 1


def test_without_torch_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("vcompress.vocoders.backends")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(VcompressError, match=r"torch-cpu needs torch, which is not installed; run: pip install 'vcompress\[compress\]'"):
        load("torch-cpu", gan(tmp_path))


def test_inputs_that_do_not_fit_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(VcompressError, match="torch cannot run graph 'network'"):
        load("torch-cpu", gan(tmp_path)).run("network", {"mel": np.zeros((1, 3, 4), np.float32)})
