"""Size, operations, time, memory, energy, environment."""

import getpass
import platform
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from tiny_bench import BANDS, HOP, diffusion, gan

from vcompress.benchmarks import flops, memory, rtf, size, speedup
from vcompress.benchmarks.environment import environment
from vcompress.benchmarks.flops import executed_gflops_per_second, graph_macs
from vcompress.benchmarks.rtf import Timing, time_runs
from vcompress.benchmarks.speedup import Contestant, interleaved
from vcompress.benchmarks.subject import BenchSettings, Subject
from vcompress.errors import VcompressError

QUICK = BenchSettings(seconds=0.2, repeats=3, warmup=1)
FRAMES_A_SECOND = 16000 / HOP


def test_sizes_are_totals_and_one_for_each_of_several_graphs(tmp_path: Path) -> None:
    artifact = diffusion(tmp_path)
    sizes = {planned.metric: planned.measure().value for planned in size.plan(Subject(artifact, QUICK))}
    files = [artifact.graph_path(graph).stat().st_size for graph in ("conditioner", "step")]
    assert sizes["file_bytes"] == sum(files) and [sizes["file_bytes_conditioner"], sizes["file_bytes_step"]] == files


@pytest.mark.parametrize("recipe", ["fp32", "static_w8a8"])
def test_operations_are_those_of_the_convolution_in_fp32_and_int8_alike(tmp_path: Path, recipe: str) -> None:
    assert executed_gflops_per_second(gan(tmp_path, recipe)) == pytest.approx(2e-9 * FRAMES_A_SECOND * BANDS * HOP)


def test_operations_count_every_call_and_what_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    step = 16000 * 3 + 128  # a kernel of 3 for each sample; the code's product once a call
    assert executed_gflops_per_second(diffusion(tmp_path)) == pytest.approx(2e-9 * (FRAMES_A_SECOND * BANDS * HOP + 6 * step))


@pytest.mark.parametrize(
    ("operator", "data", "weights", "attributes", "macs"),
    [
        ("Conv", (1, 4, 9, 7), (6, 2, 3, 3), {"group": 2}, 6 * 7 * 5 * 2 * 9),
        ("ConvTranspose", (1, 4, 10), (4, 3, 8), {"strides": [4]}, 4 * 10 * 3 * 8),
        ("MatMul", (2, 5, 7), (7, 3), {}, 2 * 5 * 3 * 7),
        ("Gemm", (7, 5), (7, 3), {"transA": 1}, 5 * 3 * 7),
    ],
)
def test_macs_of_an_operator(tmp_path: Path, operator: str, data: tuple, weights: tuple, attributes: dict, macs: int) -> None:
    node = helper.make_node(operator, ["x", "w"], ["y"], **attributes)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, data)]
    graph = helper.make_graph(
        [node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [numpy_helper.from_array(np.ones(weights, np.float32), "w")]
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "g.onnx")
    assert graph_macs(tmp_path / "g.onnx", {"x": np.ones(data, np.float32)}) == macs


def test_operations_are_absent_with_their_reason_when_onnx_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = gan(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    (planned,) = flops.plan(Subject(artifact, QUICK))
    assert planned.missing.startswith("onnx is not installed")


def test_time_runs_stops_early_but_not_before_three_when_patience_is_spent() -> None:
    assert len(time_runs(lambda: None, 1.0, repeats=50, warmup=0, patience=0.0).wall) == 3


def test_times_are_medians_per_second_of_audio() -> None:
    timing = Timing((1.0, 2.0, 9.0), (3.0, 3.0, 3.0), audio=2.0)
    assert (timing.rtf.value, timing.cpu_per_second.value, timing.milliseconds.value) == (1.0, 1.5, 2000.0)
    assert timing.rtf.spread == pytest.approx((5.5 - 1.5) / 2)  # quartiles 1.5 and 5.5 of 1, 2, 9


def test_rtf_has_a_figure_for_each_number_of_threads_and_each_graph(tmp_path: Path) -> None:
    settings = BenchSettings(seconds=0.1, repeats=3, warmup=1, threads=(1, 2))
    planned = list(rtf.plan(Subject(diffusion(tmp_path), settings)))
    assert {(p.metric, p.settings["threads"]) for p in planned} == {
        (metric, threads) for metric in ("rtf", "cpu_seconds_per_second", "core_hour_ratio", "call_ms_conditioner", "call_ms_step") for threads in (1, 2)
    }
    assert all(p.measure().value > 0 and p.measure().repeats == 3 for p in planned if p.settings["threads"] == 1)


def test_interleaved_gives_the_ratio_of_paired_runs(tmp_path: Path) -> None:
    contestants = [Contestant("fp32", gan(tmp_path / "a")), Contestant("int8", gan(tmp_path / "b", "static_w8a8"))]
    race = interleaved(contestants, QUICK)
    ratio = race.ratio("fp32", "int8")
    assert len(ratio.samples) == QUICK.repeats and ratio.spread is not None
    assert ratio.value == pytest.approx(np.median(np.divide(race.timings["fp32"].wall, race.timings["int8"].wall)))


def test_speedup_is_over_fp32_and_over_one_thread(tmp_path: Path) -> None:
    settings = BenchSettings(seconds=0.1, repeats=3, warmup=1, threads=(1, 2))
    fp32 = Subject(gan(tmp_path / "a"), settings)
    fp32.fp32 = fp32
    int8 = Subject(gan(tmp_path / "b", "static_w8a8"), settings, fp32=fp32)
    assert [(p.metric, p.settings["threads"]) for p in speedup.plan(int8)] == [("speedup", 1), ("speedup", 2), ("thread_speedup", 2)]
    assert [p.metric for p in speedup.plan(fp32)] == ["thread_speedup"]
    assert next(speedup.plan(int8)).measure().value > 0


@pytest.mark.skipif(not memory.STATUS.exists(), reason="no /proc/self/status here")
def test_peak_memory_is_that_of_a_fresh_process(tmp_path: Path) -> None:
    held = np.ones(50_000_000)  # what this process holds (400 MB) must not count
    figure = memory.peak_memory(gan(tmp_path), seconds=0.2)
    assert held[0] and figure.value is not None and 0 < figure.value < 100e6


def test_peak_memory_is_absent_with_its_reason_when_the_process_fails(tmp_path: Path) -> None:
    artifact = gan(tmp_path)
    artifact.graph_path("network").unlink()
    figure = memory.peak_memory(artifact)
    assert figure.value is None and "lacks graphs/network.onnx" in figure.reason


def test_environment_names_the_machine_but_neither_host_nor_user_nor_path() -> None:
    found = environment()
    assert found["machine"].startswith(found["cpu"]) and "core" in found["machine"] and found["numpy"] == np.__version__
    told = " ".join(found.values())
    assert platform.node() not in told.split() and getpass.getuser() not in told.split() and str(Path.home()) not in told


@pytest.mark.parametrize(
    "changes",
    [{"threads": ()}, {"threads": (0,)}, {"seconds": 0.0}, {"repeats": 0}, {"batch": 0}, {"windows": 0}, {"window_seconds": 0.0}, {"protocol": "mine"}],
)
def test_settings_refuse_what_cannot_be_measured(changes: dict) -> None:
    with pytest.raises(VcompressError):
        BenchSettings(**changes)
