"""Every family in ONNX Runtime, LiteRT and tflite-runtime of a Raspberry Pi: the same integers as here, layer by layer, and the same sound."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from emulated import FP32, STATIC, Make, decibels, exported, system_of, taken_apart

from vcompress.benchmarks.workload import graph_inputs, steady_mel
from vcompress.compress.recipes import Recipe
from vcompress.export.tflite.agreement import layers
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize
from vcompress.targets.userlands.machines import cores
from vcompress.targets.userlands.program import run_program
from vcompress.targets.userlands.running import file_outputs, graph_outputs, run

pytestmark = pytest.mark.pi
NAMES = ("vocos-nano", "vocos-s", "melgan-s", "hifigan-s", "diffwave-s", "wavegrad", "waveflow", "waveglow")
QUICK = NAMES[:4]
FRAMES = 8
CORES = ("cortex-a53", "cortex-a72", "cortex-a76")


@pytest.mark.parametrize("name, core", [(name, "cortex-a72") for name in NAMES] + [(name, core) for name in ("vocos-nano", "melgan-s") for core in CORES[::2]])
def test_onnx_runtime_has_the_integers_that_it_has_here(artifact: Make, name: str, core: str, tmp_path: Path) -> None:
    opened, (system, chosen) = artifact(name, STATIC), system_of(core)
    for graph, inputs in graph_inputs(opened, load("onnxruntime", opened), FRAMES).items():
        apart, given, expected = taken_apart(opened.graph_path(graph), inputs, tmp_path)
        found = graph_outputs(system, chosen, apart, given)
        assert found.keys() == expected.keys() and found
        differences = np.concatenate([np.abs(found[tensor].astype(np.int64) - array.astype(np.int64)).ravel() for tensor, array in expected.items()])
        assert differences.max() <= 1 and differences.mean() < 0.01  # ties, rounded the other way


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("core", ["cortex-a72", "cortex-a7"])
def test_each_layer_of_the_tflite_file_differs_by_one_at_most(artifact: Make, name: str, core: str) -> None:
    opened, (system, chosen) = artifact(name, STATIC), system_of(core)
    for graph, inputs in graph_inputs(opened, load("onnxruntime", opened), FRAMES).items():
        found = layers(opened.graph_path(graph), inputs)
        results = file_outputs(system, chosen, [(layer.file, layer.inputs) for layer in found])
        assert found and max(layer.agreement(result).difference for layer, result in zip(found, results, strict=True)) <= 1


@pytest.mark.parametrize("name, backend", [*((name, "onnxruntime") for name in QUICK), *((name, "litert") for name in QUICK[::2])])
@pytest.mark.parametrize("recipe", [FP32, STATIC], ids=lambda recipe: recipe.name)
def test_a_waveform_is_that_of_this_machine(artifact: Make, name: str, backend: str, recipe: Recipe) -> None:
    opened, (system, chosen) = artifact(name, recipe), system_of("cortex-a72")
    mel = steady_mel(opened.manifest.front_end, FRAMES)
    here, there = synthesize(opened, load(backend, opened), mel), run(system, chosen, opened, backend, mel).waveform
    # A tie in one layer that is rounded the other way spreads through those behind it; float kernels differ in their last bits.
    assert decibels(here, there) > (80 if recipe is FP32 else 35)


def test_the_command_writes_the_same_file_there(artifact: Make, tmp_path: Path) -> None:
    opened, (system, chosen) = artifact("vocos-nano", STATIC), system_of("cortex-a53")
    np.save(tmp_path / "mel.npy", steady_mel(opened.manifest.front_end, 50))
    system.python(chosen, ["-m", "vcompress", "synth", str(opened.folder), str(tmp_path / "mel.npy"), "-o", str(tmp_path / "there.wav")])
    here = synthesize(opened, load("onnxruntime", opened), np.load(tmp_path / "mel.npy"))
    there, rate = soundfile.read(tmp_path / "there.wav", dtype="int16")
    assert rate == 16000 and len(there) == 50 * 256
    assert np.abs(np.round(np.clip(here, -1, 1) * 32767) - there).max() <= 1


def test_the_c_program_of_an_armv6_has_every_sample(tmp_path: Path) -> None:
    opened = exported("vocos-nano", STATIC, tmp_path / "artifact", "c")
    mel = steady_mel(opened.manifest.front_end, 20)
    here, there = synthesize(opened, load("c", opened), mel), run_program(cores()["arm1176"], opened, mel, repeats=1)
    assert len(here) == 20 * 256 and np.abs(here).max() > 0.01 and np.array_equal(here, there.waveform)
    assert 1e5 < there.counts[0] == run_program(cores()["arm1176"], opened, mel, repeats=1).counts[0]
