"""WaveRNN's loop: read from an artifact, in numpy, and in C with whatever instructions this machine has, always the same samples."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import CommandLine
from tiny_bench import write_clips
from tiny_vocoders import tiny_checkpoint, tiny_mels
from tiny_wavernn import CONFIG, FRAMES, exported
from wavernn_on_arm import COMPILER, EMULATOR, run_on_arm

from vcompress.benchmarks import rtf, wavernn_speed
from vcompress.benchmarks.environment import environment
from vcompress.benchmarks.subject import BenchSettings, Subject
from vcompress.benchmarks.wavernn_speed import measure, random_steps
from vcompress.errors import VcompressError
from vcompress.export import loop
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize
from vcompress.runtime.wavernn import kernel as kernels
from vcompress.runtime.wavernn import reference
from vcompress.runtime.wavernn.kernel import NATIVE, Kernel
from vcompress.runtime.wavernn.panels import Panels
from vcompress.runtime.wavernn.steps import Half, Product, Steps
from vcompress.vocoders.checkpoint import save_checkpoint
from vcompress.vocoders.wavernn import SIZES

compiled = pytest.mark.skipif(shutil.which("cc") is None, reason="cc (a C compiler) is not installed")
missing_on_arm = next((tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None), None)
FLAGS = {"plain": (), "native": NATIVE} | ({"avx2": ("-mavx2",)} if "avx2" in environment()["instruction_sets"].split() else {})


def steps_of(artifact: Artifact) -> Steps:
    return Steps.read(artifact.derived_path("loop", "steps"))


def conditions(units: int, frames: int = 3, seed: int = 0, most: int = 6000) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.integers(-most, most, (frames, 3 * units // 2)).astype(np.int16) for _ in range(2)]


def test_a_step_in_integers_is_that_of_the_graph() -> None:
    """The same integers in: the next state within 1, as 32-bit floats round where integers do not; the logits within what one unit of 8 bits moves."""
    artifact = exported()
    session, steps, draw = load("onnxruntime", artifact), steps_of(artifact), np.random.default_rng(0)
    for name, symbols in (("coarse", 2), ("fine", 3)):
        half, n = getattr(steps, name), CONFIG.half
        for _ in range(40):
            state, condition = draw.integers(-32767, 32768, 2 * n), draw.integers(-20000, 20000, 3 * n)
            seen = draw.integers(0, 256, symbols)
            inputs = {"state": state.astype(np.int16)[None, None], "condition": condition.astype(np.int16)[None, None]}
            given = session.run(name, {**inputs, "seen": ((seen - 128) / np.float32(128)).astype(np.float32).reshape(1, -1, 1)})
            logits, own = reference.step(half, state, state[:n] if name == "coarse" else state[n:], seen, condition)
            assert np.abs(own - given["next"].reshape(-1).astype(int)).max() <= 1
            assert np.abs(logits - given["logits"].reshape(-1) * 256).max() <= 4


@compiled
def test_the_loop_of_an_artifact_gives_the_samples_of_the_reference() -> None:
    artifact, mel = exported(), tiny_mels(1)[0]
    session = load("loop", artifact)
    found = synthesize(artifact, session, mel, 7)
    given = session.run("conditioner", {"mel": mel[None]})
    expected = reference.generate(steps_of(artifact), given["condition_coarse"][0], given["condition_fine"][0], CONFIG.hop_length, 7)
    assert np.array_equal(found * 32768, expected) and len(set(expected.tolist())) > 50
    assert session.environment["loop"] in ("avx512-vnni", "avx2", "neon", "neon-dotprod", "plain")
    assert not np.array_equal(found, synthesize(artifact, session, mel, 8))
    in_onnxruntime = synthesize(artifact, load("onnxruntime", artifact), mel[:, :FRAMES], 7)
    assert (in_onnxruntime == synthesize(artifact, session, mel[:, :FRAMES], 7)).mean() > 0.4  # the same draws until a sum is rounded otherwise


@compiled
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
@pytest.mark.parametrize(("units", "hidden", "sparsity"), [(34, 19, 0.0), (66, 33, 0.8), (48, 64, 0.95)])
def test_every_kernel_gives_the_samples_of_the_reference(flags: tuple[str, ...], units: int, hidden: int, sparsity: float) -> None:
    steps = random_steps(units, hidden, sparsity, seed=units)
    coarse, fine = conditions(units)
    expected = reference.generate(steps, coarse, fine, 30, 2**63 + 5)
    kernel = Kernel(steps, flags)
    assert (kernel.name == "plain") == (not flags) or "neon" in kernel.name
    assert any(panels.columns is not None for panels in kernel.panels.values()) == (sparsity > 0)
    assert np.array_equal(kernel.generate(coarse, fine, 30, 2**63 + 5), expected)
    assert np.array_equal(Kernel(steps, flags, dense=True).generate(coarse, fine, 30, 2**63 + 5), expected)
    assert len(set(expected.tolist())) > 60


@pytest.mark.skipif(missing_on_arm is not None, reason=f"{missing_on_arm} is not installed")
@pytest.mark.parametrize(("name", "flags"), [("neon", ()), ("neon-dotprod", ("-march=armv8.2-a+dotprod",))])
@pytest.mark.parametrize("sparsity", [0.0, 0.9])
def test_an_arm_gives_the_samples_of_the_reference(tmp_path: Path, name: str, flags: tuple[str, ...], sparsity: float) -> None:
    steps, given = random_steps(66, 33, sparsity), conditions(66)
    expected = (name, reference.generate(steps, *given, 30, 9).tolist())
    kernel, samples = run_on_arm(tmp_path, steps, given, 30, 9, flags)
    assert (kernel, samples.tolist()) == expected


@compiled
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_extremes_neither_overflow_nor_saturate_on_the_way(flags: tuple[str, ...]) -> None:
    """All weights 127 or -127, gates far beyond their grid: pair sums of 8-bit products would not fit 16 bits."""
    signs = np.where(np.arange(64) % 3, 127, -127).astype(np.int8)

    def extreme(product: Product) -> Product:
        return replace(product, weights=np.broadcast_to(signs[: len(product.weights.T)], product.weights.shape).copy())

    plain = random_steps(32, 32, 0.0)
    steps = Steps(*(Half(*(extreme(product) for product in vars(half).values())) for half in (plain.coarse, plain.fine)))
    coarse, fine = conditions(32, most=32767)
    assert np.array_equal(Kernel(steps, flags).generate(coarse, fine, 20, 1), reference.generate(steps, coarse, fine, 20, 1))


def test_halves_are_rounded_to_even_and_nothing_leaves_8_bits() -> None:
    states = np.array([-32767, -384, -128, -127, 127, 128, 129, 384, 32639, 32640, 32767])
    assert reference.narrow(states).tolist() == [-128, -2, 0, 0, 0, 0, 1, 2, 127, 127, 127]
    sigmoid, tanh = reference.tables()
    assert (sigmoid[32768], tanh[32768], sigmoid[-1], tanh[0]) == (16384, 0, 32767, -32767)
    assert sigmoid[32768 + 2048] == round(32768 / (1 + np.exp(-1))) and tanh[32768 + 2048] == round(32768 * np.tanh(1))


@pytest.mark.parametrize("dense", [False, True])
def test_panels_hold_the_matrix_and_nothing_of_its_empty_columns(dense: bool) -> None:
    product = random_steps(66, 33, 0.8).coarse.recurrent
    panels = Panels.of(product, 128, dense)
    rows, columns = product.weights.shape
    found = np.zeros((len(panels.starts) - 1, 16, 68), np.int64)
    for i, (first, last) in enumerate(zip(panels.starts, panels.starts[1:], strict=False)):
        for k in range(first, last):
            at = panels.columns[k] if panels.columns is not None else 4 * (k - first) + np.arange(4)
            for column, weights in zip(at, panels.weights[k].T, strict=True):
                found[i][:, column] += weights
    assert np.array_equal(found.reshape(-1, 68)[:rows, :columns], product.weights)
    assert (panels.bytes < product.weights.size / 2) == (not dense)
    assert np.array_equal(panels.bias[:rows], -128 * product.weights.sum(1, dtype=np.int64)) and not panels.bias_signed.any()


# --- what is refused ----------------------------------------------------------------------------------------------------------


def test_what_has_no_loop_is_refused(tmp_path: Path) -> None:
    artifact = exported()
    with pytest.raises(VcompressError, match="no WaveRNN"):
        loop.derive(tmp_path, replace(artifact.manifest, sampler={"name": "istft"}), None)
    with pytest.raises(VcompressError, match="--format loop"):
        load("loop", Artifact(artifact.folder, replace(artifact.manifest, derived={})))
    folder = shutil.copytree(artifact.folder, tmp_path / "artifact")
    graph = onnx.load(folder / artifact.manifest.graphs["fine"].file)
    gate = next(t for t in graph.graph.initializer if onnx.numpy_helper.to_array(t).size == 1 and onnx.numpy_helper.to_array(t) == 2.0**-11)
    gate.CopyFrom(onnx.numpy_helper.from_array(np.float32(2.0**-10), gate.name))
    onnx.save(graph, folder / artifact.manifest.graphs["fine"].file)
    with pytest.raises(VcompressError, match="not integers with the family's own bits"):
        loop.derive(folder, artifact.manifest, None)


@pytest.mark.parametrize("damage", ["empty", "truncated", "pickled", "shape", "type"])
def test_a_damaged_file_of_steps_is_refused(tmp_path: Path, damage: str) -> None:
    path, steps = tmp_path / "steps.npz", random_steps(34, 19, 0.0)
    if damage == "shape":
        steps = replace(steps, fine=replace(steps.fine, hidden=steps.fine.logits))
    if damage == "type":
        steps = replace(steps, fine=replace(steps.fine, hidden=replace(steps.fine.hidden, bias=np.zeros(19))))
    steps.save(path)
    if damage == "pickled":
        np.savez(path, **{"coarse.recurrent.weights": np.array([{}], object)})
    path.write_bytes({"empty": b"", "truncated": path.read_bytes()[:-40]}.get(damage, path.read_bytes()))
    with pytest.raises(VcompressError, match="export its run again"):
        Steps.read(path)


def test_without_a_compiler_the_loop_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    with pytest.raises(VcompressError, match="needs a C compiler"):
        kernels._library.__wrapped__(("-march=native",))


# --- the benchmark and the commands ---------------------------------------------------------------------------------------------


@compiled
def test_the_benchmark_times_every_network_and_its_zeros_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {size: (config.units, config.hidden) for size, config in SIZES.items()} == wavernn_speed.UNITS
    monkeypatch.setattr(wavernn_speed, "UNITS", {"S": (64, 32)})
    _, rows = measure(["S"], [0.9], 0.02, 2, sample_rate=24000)
    assert [(row.size, row.sparsity) for row in rows] == [("S", 0.0), ("S", 0.9)]
    assert rows[1].kilobytes < rows[0].kilobytes and rows[0].over_dense.value == 1
    assert all(row.rtf.value > 0 and row.cpu.value > 0 and len(row.rtf.samples) == 2 for row in rows)


@compiled
def test_a_bench_of_the_loop_times_the_whole_and_says_why_not_the_steps() -> None:
    subject = Subject(exported(), BenchSettings(backend="loop", seconds=0.02, repeats=3, warmup=0))
    planned = {one.metric: one for one in rtf.plan(subject)}
    assert planned["rtf"].measure().value > 0 and planned["call_ms_conditioner"].measure().value > 0
    assert {metric for metric, one in planned.items() if "makes no calls of it" in one.missing} == {"call_ms_coarse", "call_ms_fine"}


@compiled
def test_from_weights_to_a_recording(vcompress: CommandLine, tmp_path: Path) -> None:
    weights, workspace = tmp_path / "tiny.safetensors", ["--workspace", tmp_path / "runs"]
    save_checkpoint(weights, tiny_checkpoint("wavernn", CONFIG))
    write_clips(tmp_path / "clips", 3, 0.3)
    answer = vcompress(
        "quantize", "wavernn", "--weights", weights, "--data", tmp_path / "clips", "--validation", "clip_0", "--calibration-clips", 1, *workspace
    )
    assert answer.code == 0, answer.err
    answer = vcompress("export", "--int8", "--format", "loop,onnx-loop", *workspace, "--json")
    assert answer.code == 0, answer.err
    artifact = json.loads(answer.out)["artifact"]
    mel, outputs = tmp_path / "mel.npy", {backend: tmp_path / f"{backend}.wav" for backend in ("loop", "onnx-loop")}
    np.save(mel, tiny_mels(1)[0])
    for backend, output in outputs.items():
        answer = vcompress("synth", artifact, mel, "--backend", backend, "-o", output)
        assert answer.code == 0, answer.err
    assert outputs["loop"].read_bytes() == outputs["onnx-loop"].read_bytes()
    for command in (["sensitivity"], ["quantize", "--mixed"]):
        answer = vcompress(*command, "wavernn", "--weights", weights, "--data", tmp_path / "clips", "--calibration-clips", 1, *workspace)
        assert answer.code == 2 and "no layer's damage can be heard" in answer.err, answer.err
