"""WaveRNN's whole loop as one ONNX graph: the samples of the reference, and of the sampler that calls the steps one by one."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator
from tiny_vocoders import tiny_mels
from tiny_wavernn import CONFIG, FRAMES, exported

from vcompress.benchmarks import rtf, wavernn_loops
from vcompress.benchmarks.subject import BenchSettings, Subject
from vcompress.benchmarks.wavernn_loops import with_loops
from vcompress.benchmarks.wavernn_speed import random_steps
from vcompress.compress.dynamic import quantize_dynamic
from vcompress.errors import VcompressError
from vcompress.export.onnx_graph import IR_VERSION, OPSET
from vcompress.export.onnx_loop import derived
from vcompress.export.onnx_loop.derived import whole
from vcompress.export.onnx_loop.steps import IntegerSteps
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.backends.onnxruntime_cpu import open_session
from vcompress.runtime.random import RandomStream
from vcompress.runtime.synthesis import synthesize
from vcompress.runtime.wavernn import reference
from vcompress.runtime.wavernn.steps import Half, Steps

HOP = 12


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("loops")
    return {"static": with_loops(exported(), folder / "static"), "fp32": with_loops(exported("fp32", loop=False), folder / "fp32")}


def words(seed: int, count: int) -> np.ndarray:
    return (RandomStream(seed).words(2 * count) >> np.uint64(32)).astype(np.uint32).reshape(-1, 2)


def test_in_integers_it_gives_the_samples_of_the_reference(artifacts: dict[str, Artifact]) -> None:
    artifact, mel = artifacts["static"], tiny_mels(1)[0]
    session = load("onnx-loop", artifact)
    found = synthesize(artifact, session, mel, 2**63 + 7)
    conditions = load("onnxruntime", artifact).run("conditioner", {"mel": mel[None]})
    steps = Steps.read(artifact.derived_path("loop", "steps"))
    expected = reference.generate(steps, conditions["condition_coarse"][0], conditions["condition_fine"][0], CONFIG.hop_length, 2**63 + 7)
    assert np.array_equal(found * 32768, expected) and len(set(expected.tolist())) > 50
    assert not np.array_equal(found, synthesize(artifact, session, mel, 8))


def test_in_float_it_gives_the_samples_of_the_steps(artifacts: dict[str, Artifact]) -> None:
    artifact, mel = artifacts["fp32"], tiny_mels(1)[0]
    found, expected = (synthesize(artifact, load(backend, artifact), mel, 7) for backend in ("onnx-loop", "onnxruntime"))
    assert np.array_equal(found, expected) and len(set(expected.tolist())) > 50


def test_of_steps_with_dynamic_integers_too_it_gives_their_samples(artifacts: dict[str, Artifact], tmp_path: Path) -> None:
    plain = artifacts["fp32"]
    dynamic = Artifact(shutil.copytree(plain.folder, tmp_path / "dynamic"), plain.manifest)
    for graph in ("coarse", "fine"):
        quantize_dynamic(plain.graph_path(graph), dynamic.graph_path(graph))
    dynamic, mel = with_loops(dynamic, tmp_path / "loops"), tiny_mels(1)[0]
    found, expected = (synthesize(dynamic, load(backend, dynamic), mel, 7) for backend in ("onnx-loop", "onnxruntime"))
    assert np.array_equal(found, expected) and not np.array_equal(found, synthesize(plain, load("onnxruntime", plain), mel, 7))


@pytest.mark.parametrize("method", ["static", "fp32"])
def test_another_runtime_gives_the_same_samples(artifacts: dict[str, Artifact], method: str) -> None:
    """ONNX's own evaluator, in numpy: the file stands for itself, and random numbers are all that it is told."""
    artifact, mel = artifacts[method], tiny_mels(1)[0][:, :2]
    model = onnx.load(artifact.derived_path("onnx-loop", "loop"))
    onnx.checker.check_model(model, full_check=True)
    (found,) = ReferenceEvaluator(model).run(None, {"mel": mel[None], "words": words(7, 2 * CONFIG.hop_length)})
    expected = synthesize(artifact, load("onnx-loop", artifact), mel, 7) * 32768
    assert found.dtype == np.int16 and (found == expected).mean() > (0.4 if method == "fp32" else 0.99)  # sums of floats in another order


def conditioner(units: int) -> onnx.GraphProto:
    """A graph that hands a mel of 3 `units` bands over as the conditions of both halves."""
    nodes = [
        helper.make_node("Transpose", ["mel"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("Cast", ["rows"], ["integers"], to=onnx.TensorProto.INT16),
        helper.make_node("Split", ["integers"], ["condition_coarse", "condition_fine"], axis=2, num_outputs=2),
    ]
    mel = helper.make_tensor_value_info("mel", onnx.TensorProto.FLOAT, [1, 3 * units, "frames"])
    outputs = [helper.make_tensor_value_info(f"condition_{half}", onnx.TensorProto.INT16, [1, "frames", 3 * units // 2]) for half in ("coarse", "fine")]
    return helper.make_graph(nodes, "conditioner", [mel], outputs)


def extreme(steps: Steps) -> Steps:
    """All weights 127 or -127."""
    halves = ({name: replace(p, weights=np.where(p.weights < 0, -127, 127).astype(np.int8)) for name, p in vars(half).items()} for half in vars(steps).values())
    return Steps(*(Half(**half) for half in halves))


@pytest.mark.parametrize("steps", [random_steps(34, 19, 0.0, 1), random_steps(66, 33, 0.9, 2), extreme(random_steps(64, 32, 0.0))])
def test_every_network_is_computed_to_the_bit(steps: Steps, tmp_path: Path) -> None:
    mel = np.random.default_rng(steps.units).integers(-32767, 32768, (1, 3 * steps.units, 3)).astype(np.float32)
    model = helper.make_model(whole(IntegerSteps(steps), conditioner(steps.units), HOP), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, tmp_path / "loop.onnx")
    (found,) = open_session(tmp_path / "loop.onnx").run(None, {"mel": mel, "words": words(3, 3 * HOP)})
    half = 3 * steps.units // 2
    expected = reference.generate(steps, *(mel[0, rows].T.astype(np.int16) for rows in (slice(half), slice(half, None))), HOP, 3)
    assert np.array_equal(found, expected)


def test_a_bench_of_it_times_the_whole_and_says_why_no_graph(artifacts: dict[str, Artifact]) -> None:
    subject = Subject(artifacts["fp32"], BenchSettings(backend="onnx-loop", seconds=0.02, repeats=3, warmup=0))
    planned = {one.metric: one for one in rtf.plan(subject)}
    assert planned["rtf"].measure().value > 0
    assert {metric for metric, one in planned.items() if "makes no calls of it" in one.missing} == {f"call_ms_{g}" for g in ("conditioner", "coarse", "fine")}


@pytest.mark.skipif(shutil.which("cc") is None, reason="cc (a C compiler) is not installed")
def test_the_loops_are_timed_in_turn() -> None:
    race = wavernn_loops.measure({"fp32": exported("fp32", loop=False), "static_w8a8": exported()}, 0.01, 2)
    assert set(race.timings) == {f"{recipe} {backend}" for recipe, backend in wavernn_loops.CONTESTS}
    assert wavernn_loops.table([("S", race)]).count("\n") == 6


def test_what_is_no_wavernn_or_was_not_exported_with_it_is_refused(artifacts: dict[str, Artifact], tmp_path: Path) -> None:
    artifact = artifacts["static"]
    with pytest.raises(VcompressError, match="no WaveRNN"):
        derived.derive(tmp_path, replace(artifact.manifest, sampler={"name": "istft"}), None)
    with pytest.raises(VcompressError, match="--format onnx-loop"):
        load("onnx-loop", exported())
    path = artifact.derived_path("onnx-loop", "loop")
    broken = Artifact(tmp_path, artifact.manifest)
    (tmp_path / "onnx-loop").mkdir()
    (tmp_path / "onnx-loop" / path.name).write_bytes(path.read_bytes()[:1000])
    with pytest.raises(VcompressError, match="cannot open"):
        load("onnx-loop", broken)
    with pytest.raises(VcompressError, match="cannot run"):
        load("onnx-loop", artifact).run("loop", {"mel": np.zeros((1, 3, FRAMES), np.float32), "hop_length": np.array([8]), "seed": np.array([0])})
