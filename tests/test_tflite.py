"""TFLite files: translations of the ONNX graphs, with the same integers."""

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_vocoders import calibrated, tiny_folded, tiny_mels

pytest.importorskip("ai_edge_litert")

from vcompress.benchmarks.workload import graph_inputs
from vcompress.compress.recipes import Recipe
from vcompress.errors import VcompressError
from vcompress.export import artifact_writer
from vcompress.export.artifact_writer import write_artifact
from vcompress.export.formats import read_formats
from vcompress.export.tflite.agreement import compare
from vcompress.export.tflite.derived import summary
from vcompress.export.tflite.schema import schema
from vcompress.export.tflite.translate import translate
from vcompress.runtime.artifact import MANIFEST, Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.backends.litert import delegated, open_interpreter, run_interpreter
from vcompress.runtime.backends.onnxruntime_cpu import open_session
from vcompress.runtime.backends.tflite_process import VARIABLE
from vcompress.runtime.synthesis import synthesize

FAMILIES = ("melgan", "hifigan", "diffwave")
FP32, STATIC = Recipe(), Recipe("static")
Make = Callable[[str, Recipe], Artifact]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """`make(family, recipe)`: the artifact of a tiny network with its TFLite files, exported when it is first asked for."""
    made: dict[tuple[str, Recipe], Artifact] = {}

    def export(family: str, recipe: Recipe) -> Artifact:
        if (family, recipe) not in made:
            folder = tmp_path_factory.mktemp("artifacts") / recipe.name
            table = calibrated(family)[2] if recipe.calibrated else None
            made[family, recipe] = write_artifact(tiny_folded(family), recipe, f"{family}-tiny", folder, table, formats=("onnx", "tflite"))
        return made[family, recipe]

    return export


@pytest.fixture(params=FAMILIES)
def integer(request: pytest.FixtureRequest, make: Make) -> Artifact:
    return make(request.param, STATIC)


def waveform(artifact: Artifact, backend: str, mel: np.ndarray | None = None) -> np.ndarray:
    return synthesize(artifact, load(backend, artifact), tiny_mels(1)[0] if mel is None else mel)


def snr(expected: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(expected**2) / max(np.sum((found - expected) ** 2), 1e-12)))


@pytest.mark.parametrize("family", FAMILIES)
def test_float_files_compute_what_the_onnx_graphs_do_at_any_length(make: Make, family: str) -> None:
    artifact = make(family, FP32)
    sessions = [load(backend, artifact) for backend in ("onnxruntime", "litert")]
    for frames in (15, 9, 14):
        expected, found = (synthesize(artifact, session, tiny_mels(1)[0][:, :frames]) for session in sessions)
        assert len(found) == frames * 256 and np.abs(expected).max() > 1e-3
        assert np.abs(found - expected).max() < 1e-5


def test_every_layer_fed_the_same_integers_differs_by_one_at_most(integer: Artifact) -> None:
    given = graph_inputs(integer, load("onnxruntime", integer), 9)
    for name, graph in integer.manifest.graphs.items():
        rows = compare(integer.graph_path(name), given[name])
        convolutions = [row for row in rows if "CONV_2D" in row.operators]
        assert len(convolutions) >= sum(row.precision != "float" for row in integer.manifest.layers if row.graph == name) > 0
        assert max(row.difference for row in rows) <= 1
        for row in convolutions:
            assert row.equal == 1.0 or "DEQUANTIZE" in row.operators, row  # integer accumulators and one rounding: nothing may differ
        print(f"{graph.file}: {len(rows)} tensors, {np.mean([row.equal for row in rows]):.2%} of the integers equal")


def test_both_runtimes_sound_alike(integer: Artifact, make: Make) -> None:
    expected, found = waveform(integer, "onnxruntime"), waveform(integer, "litert")
    print(f"{integer.manifest.name} {integer.manifest.recipe}: {snr(expected, found):.1f} dB")
    assert snr(expected, found) > 30
    floats = waveform(make(integer.manifest.family, FP32), "onnxruntime")
    assert snr(floats, found) > snr(floats, expected) - 1


def test_the_file_holds_the_integers_and_scales_of_the_onnx_graph(integer: Artifact) -> None:
    for name in integer.manifest.graphs:
        file, model = read(integer, name), onnx.load(integer.graph_path(name))
        tensors, codes = file.subgraphs[0].tensors, [code.builtinCode for code in file.operatorCodes]
        convolutions = [o for o in file.subgraphs[0].operators if codes[o.opcodeIndex] == schema().BuiltinOperator.CONV_2D]
        dequantized = {o.outputs[0]: o.inputs[0] for o in file.subgraphs[0].operators if len(o.inputs) == 1}
        weights = [tensors[dequantized.get(o.inputs[1], o.inputs[1])] for o in convolutions]
        found = Counter(sorted_numbers(file.buffers[w.buffer].data.view(np.int8), w.quantization.scale) for w in weights if w.quantization is not None)
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        producers = {output: node for node in model.graph.node for output in node.output}
        sources = [producers[node.input[1]].input for node in model.graph.node if node.op_type == "Conv" and node.input[1] in producers]
        assert found == Counter(sorted_numbers(constants[weight], constants[scale]) for weight, scale, *_ in sources)
        assert found.total() == sum(row.precision != "float" for row in integer.manifest.layers if row.graph == name)


def sorted_numbers(integers: np.ndarray, scales: np.ndarray) -> tuple[bytes, bytes]:
    """Channels may stand in another order."""
    return np.sort(integers.ravel()).tobytes(), np.sort(scales.ravel()).astype(np.float32).tobytes()


def read(artifact: Artifact, graph: str) -> object:
    """A TFLite file as the objects of its schema."""
    data = artifact.derived_path("tflite", graph).read_bytes()
    return schema().ModelT.InitFromObj(schema().Model.GetRootAs(data, 0))


def test_xnnpack_runs_every_convolution_and_no_axis_moves_but_the_mels(integer: Artifact) -> None:
    for name, graph in integer.manifest.graphs.items():
        taken, left = map(Counter, delegated(open_interpreter(integer.derived_path("tflite", name))))
        convolutions = sum(row.graph == name for row in integer.manifest.layers)
        assert taken["CONV_2D"] == convolutions and not left["CONV_2D"]
        assert f"{name}: TFLite" in summary(integer) and f"{convolutions} of {convolutions} convolutions" in summary(integer)
        assert set(left) <= {"QUANTIZE", "DEQUANTIZE", "GATHER", "RESHAPE", "STRIDED_SLICE"}  # 16 bits; edges to reflect; rows of a schedule
        assert (taken + left)["TRANSPOSE"] == sum(port.name == "mel" for port in graph.inputs)


def test_the_files_are_derived_entries(make: Make, tmp_path: Path) -> None:
    artifact = make("hifigan", STATIC)
    assert artifact.manifest.derived == {"tflite": {"network": "tflite/network.tflite"}}
    assert set(artifact.manifest.files) == {"graphs/network.onnx", "tflite/network.tflite"}
    manifest = json.loads((artifact.folder / MANIFEST).read_text())
    del manifest["derived"], manifest["files"]["tflite/network.tflite"]
    shutil.copytree(artifact.folder / "graphs", tmp_path / "graphs")
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    without = Artifact.open(tmp_path)
    assert without.identity == artifact.identity
    with pytest.raises(VcompressError, match=r"holds no tflite file of network.*--format tflite"):
        load("litert", without)


def test_an_altered_file_is_refused(make: Make, tmp_path: Path) -> None:
    folder = shutil.copytree(make("melgan", STATIC).folder, tmp_path / "artifact")
    file = Artifact.open(folder).derived_path("tflite", "network")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(VcompressError, match="does not match its hash"):
        Artifact.open(folder)


def test_an_operator_without_a_translation_says_its_name_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(module: object, form: object, path: Path) -> None:
        save(path, [helper.make_node("Erf", ["x"], ["y"], "stem.gelu")], [1, 3, "frames"], TensorProto.FLOAT)

    monkeypatch.setattr(artifact_writer, "export_graph", export)
    with pytest.raises(VcompressError, match=r"The operator Erf \(stem.gelu\) has no translation to TFLite"):
        write_artifact(tiny_folded("hifigan"), FP32, "x", tmp_path / "artifact", formats=("onnx", "tflite"))
    assert not list(tmp_path.iterdir())


def test_formats_are_read_as_they_are_typed() -> None:
    assert read_formats([]) == ("onnx",)
    assert read_formats(["onnx,tflite", "tflite"]) == read_formats(["tflite"]) == ("onnx", "tflite")
    with pytest.raises(VcompressError, match="no format 'tflit'; choose of onnx, tflite"):
        read_formats(["tflit"])


# --- tflite-runtime in a process of its own ---


@pytest.fixture
def python_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that finds under the name of tflite-runtime what LiteRT offers under the same names; or the real one, where there is one."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE])
    package = tmp_path / "packages" / "tflite_runtime"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("from ai_edge_litert.interpreter import Interpreter\n")
    (package.parent / "tflite_runtime-2.14.0.dist-info").mkdir()
    (package.parent / "tflite_runtime-2.14.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: tflite-runtime\nVersion: 2.14.0\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(python))
    return python


@pytest.mark.usefixtures("python_of_its_own")
@pytest.mark.parametrize("family", ["hifigan", "diffwave"])
def test_a_process_of_its_own_computes_the_same(make: Make, family: str) -> None:
    artifact = make(family, STATIC)
    session = load("tflite_runtime", artifact)
    assert session.environment["tflite_runtime"] == "2.14.0"
    expected = waveform(artifact, "litert")
    for _ in range(2):
        assert snr(expected, synthesize(artifact, session, tiny_mels(1)[0])) > 15
    with pytest.raises(VcompressError, match=r"tflite-runtime cannot run graph .*export the artifact again"):
        session.run(next(iter(artifact.manifest.graphs)), {"mel": np.zeros((1, 3), np.float32)})


def test_a_python_that_is_not_there_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = make("hifigan", STATIC)
    said_of = {"": f"set {VARIABLE}", "/nowhere/python": "names /nowhere/python, which cannot be run", "/bin/false": "cannot run tflite-runtime"}
    for python, said in said_of.items():
        monkeypatch.setenv(VARIABLE, python)
        with pytest.raises(VcompressError, match=said):
            load("tflite_runtime", artifact)


# --- single operators against ONNX Runtime ---


def save(path: Path, nodes: list[onnx.NodeProto], shape: list[int | str], dtype: int, constants: Sequence[TensorProto] = ()) -> None:
    """An ONNX graph of x -> y, a float."""
    x, y = helper.make_tensor_value_info("x", dtype, shape), helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [x], [y], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def agrees(path: Path, nodes: list[onnx.NodeProto], shape: list[int | str], constants: dict[str, np.ndarray], inputs: list[np.ndarray]) -> list[str]:
    """Translate a graph of x -> y, compare it at each input, and give its operators."""
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    save(path, nodes, shape, helper.np_dtype_to_tensor_dtype(inputs[0].dtype), initializers)
    translation = translate(path)
    session, interpreter = open_session(path), open_interpreter(translation.file)
    for array in inputs:
        expected = np.asarray(session.run(None, {"x": array})[0])
        found = run_interpreter(interpreter, {0: array})[0]
        assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-6
    return list(translation.operators)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("perm", permutations(range(4)), ids=str)
def test_axes_are_split_moved_and_joined_as_in_onnx(tmp_path: Path, perm: tuple[int, ...]) -> None:
    sizes = (1, 4, 3, -1)  # (B, 12, F) -> (B, 4, 3, F)
    first, second = (perm[i] for i in (2, 3))
    joined = [sizes[perm[0]], sizes[perm[1]], -1 if -1 in (sizes[first], sizes[second]) else sizes[first] * sizes[second]]
    constants = {"split": np.array(sizes, np.int64), "join": np.array(joined, np.int64), "slope": np.float32(0.5).reshape(1, 1, 1)}
    nodes = [
        helper.make_node("Reshape", ["x", "split"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=perm),
        helper.make_node("Reshape", ["b", "join"], ["c"]),
        helper.make_node("Mul", ["c", "slope"], ["y"]),
    ]
    operators = agrees(tmp_path / "x.onnx", nodes, [1, 12, "frames"], constants, [numbers(1, 12, frames) for frames in (5, 32, 2)])
    assert operators.count("TRANSPOSE") <= 2


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize("pads", [(2, 2), (0, 3), (1, 0)], ids=str)
def test_edges_are_padded_as_in_onnx(tmp_path: Path, mode: str, pads: tuple[int, int]) -> None:
    constants = {"pads": np.array([0, 0, pads[0], 0, 0, pads[1]], np.int64)}
    nodes = [helper.make_node("Pad", ["x", "pads"], ["y"], mode=mode)]
    agrees(tmp_path / "x.onnx", nodes, [1, 3, "frames"], constants, [numbers(1, 3, frames) for frames in (4, 40)])


@pytest.mark.parametrize(("start", "end", "step"), [(1, 2**31, 1), (0, -2, 1), (-3, -1, 1), (2, 4, 1), (0, 2**31, 2), (1, -1, 3)])
def test_slices_are_cut_as_in_onnx(tmp_path: Path, start: int, end: int, step: int) -> None:
    constants = {name: np.array([number], np.int64) for name, number in (("start", start), ("end", end), ("axis", 2), ("step", step))}
    nodes = [helper.make_node("Slice", ["x", "start", "end", "axis", "step"], ["y"])]
    agrees(tmp_path / "x.onnx", nodes, [1, 3, "frames"], constants, [numbers(1, 3, frames) for frames in (12, 6)])


CONVOLUTIONS = {  # weight, attributes
    "same": ((6, 4, 3), {"pads": [1, 1]}),
    "dilated": ((6, 4, 3), {"pads": [2, 2], "dilations": [2]}),
    "full": ((6, 4, 3), {"pads": [2, 2]}),
    "strided": ((6, 4, 4), {"pads": [1, 1], "strides": [2]}),
    "depthwise": ((4, 1, 3), {"pads": [1, 1], "group": 4}),
    "grouped": ((6, 2, 3), {"pads": [1, 1], "group": 2}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_are_those_of_onnx(tmp_path: Path, name: str) -> None:
    shape, attributes = CONVOLUTIONS[name]
    constants = {"weight": numbers(*shape) / 4, "bias": numbers(shape[0])}
    nodes = [helper.make_node("Conv", ["x", "weight", "bias"], ["y"], kernel_shape=[shape[2]], **attributes)]
    agrees(tmp_path / "x.onnx", nodes, [1, 4, "frames"], constants, [numbers(1, 4, frames) for frames in (8, 20)])


def test_parts_and_bounds_are_those_of_onnx(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Split", ["x", "sizes"], ["a", "b"], axis=1),
        helper.make_node("Clip", ["b", "low", "high"], ["c"]),
        helper.make_node("Concat", ["c", "a"], ["y"], axis=1),
    ]
    constants = {"sizes": np.array([1, 3], np.int64), "low": np.array(-0.5, np.float32), "high": np.array(0.25, np.float32)}
    agrees(tmp_path / "x.onnx", nodes, [1, 4, "frames"], constants, [numbers(1, 4, frames) for frames in (8, 20)])


@pytest.mark.parametrize("operator", ["Relu", "LeakyRelu"])
def test_what_is_read_with_two_scales_is_computed_in_integers_for_each(tmp_path: Path, operator: str) -> None:
    zero = {"before": 100, "one": 0, "other": 7}
    scales = {"before": 0.02, "one": 0.011, "other": 0.013}
    constants = {name: np.array(number, np.float32) for name, number in scales.items()} | {f"zero_{name}": np.array(z, np.uint8) for name, z in zero.items()}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "before", "zero_before"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "before", "zero_before"], ["d"]),
        helper.make_node(operator, ["d"], ["r"]),
        *(helper.make_node("QuantizeLinear", ["r", name, f"zero_{name}"], [f"q_{name}"]) for name in ("one", "other")),
        *(helper.make_node("DequantizeLinear", [f"q_{name}", name, f"zero_{name}"], [f"d_{name}"]) for name in ("one", "other")),
        helper.make_node("Sub", ["d_one", "d_other"], ["y"]),
    ]
    path = tmp_path / "x.onnx"
    save(path, nodes, [1, 3, "frames"], TensorProto.FLOAT, [numpy_helper.from_array(array, name) for name, array in constants.items()])
    rows = {row.tensor: row for row in compare(path, {"x": numbers(1, 3, 50)})}
    assert set(rows) == {"q", "q_one", "q_other"} and max(row.difference for row in rows.values()) <= 1
    for name in ("q_one", "q_other"):
        assert rows[name].operators in {("LEAKY_RELU",), ("RELU",), ("QUANTIZE",)}


def test_rows_of_a_schedule_are_gathered_as_in_onnx(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gather", ["table", "x"], ["a"], axis=0), helper.make_node("Unsqueeze", ["a", "axis"], ["y"])]
    agrees(tmp_path / "x.onnx", nodes, [1], {"table": numbers(6, 4), "axis": np.array([2], np.int64)}, [np.array([i], np.int64) for i in (0, 5)])


def test_a_shape_that_is_not_known_beforehand_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["a"]), helper.make_node("Cast", ["a"], ["y"], to=TensorProto.FLOAT)]
    with pytest.raises(VcompressError, match="NonZero"):
        agrees(tmp_path / "x.onnx", nodes, [1, 3, "frames"], {}, [numbers(1, 3, 4)])
