"""What fits where, reckoned from graphs: against what a run shows, against sums done by hand, and as a command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import CommandLine
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from test_targets import OWN, own
from tiny_bench import BANDS, FRONT_END, HOP, diffusion, gan, write_artifact

from vcompress.benchmarks.flops import executed_gflops_per_second
from vcompress.benchmarks.modelled import modelled_records
from vcompress.benchmarks.records import Record, read_records
from vcompress.benchmarks.report import write_report
from vcompress.benchmarks.rows import rows_of
from vcompress.errors import VcompressError
from vcompress.runtime.artifact import Artifact
from vcompress.targets.fit import fit
from vcompress.targets.profile import Profile, Quantity, built_in, find_profile
from vcompress.targets.remedies import remedies
from vcompress.targets.shapes import Graph
from vcompress.targets.workload import Layer, Storage, Stream, Workload, workload_of, workload_of_row
from vcompress.vocoders.catalogue import catalogue

SECONDS = 1.0
FRAMES = round(SECONDS * FRONT_END.sample_rate / HOP)


def workload(**changes: object) -> Workload:
    """A second of audio: a million MACs in int8, ten kilobytes of weights, a kilobyte to stream."""
    fields = dict(
        name="toy", family="toy", size="S", recipe="static_w8a8", identity="0123", seconds=1.0, storage=Storage(10_000),
        layers=(Layer("network", "Conv", 1_000_000, 10_000, 4000, 8, 1),), peak_bytes=50_000, stream=Stream(1000, 24),
    )  # fmt: skip
    return Workload(**{**fields, **changes})  # type: ignore[arg-type]


def board(folder: Path, *changes: tuple[str, str]) -> Profile:
    """A microcontroller of 1000 bytes of flash, 500 of RAM and 100 MHz at 4 to 6 cycles per MAC, where nothing is changed."""
    return find_profile(str(own(folder, *changes, text=OWN)))


def computer(rate: tuple[float, float], bandwidth: float, fp32: float | None = None) -> Profile:
    """The Raspberry Pi 4 with other rates."""
    single = Quantity(fp32, source="a test") if fp32 else Quantity(reason="nobody has measured it")
    rates = {"int8_macs_per_second": Quantity(rate[0], rate[0], rate[1], source="a test"), "fp32_macs_per_second": single}
    return replace(find_profile("rpi-4b"), **rates, bandwidth=Quantity(bandwidth, source="a test"))


def chain(folder: Path, channels: int = 4, kernel: int = 3, dilation: int = 2, reflect: bool = False) -> Artifact:
    """Two float convolutions: one of width 1, one dilated, padded with zeros or by reflection."""
    margin = (kernel - 1) * dilation // 2
    constants = {
        "narrow": np.ones((channels, BANDS, 1), np.float32),
        "wide": np.ones((1, channels, kernel), np.float32),
        "margins": np.array([0, 0, margin, 0, 0, margin], np.int64),
    }
    pad = [helper.make_node("Pad", ["hidden", "margins"], ["padded"], mode="reflect")] if reflect else []
    pads = {} if reflect else {"pads": [margin, margin]}
    nodes = [
        helper.make_node("Conv", ["mel", "narrow"], ["hidden"]),
        *pad,
        helper.make_node("Conv", ["padded" if reflect else "hidden", "wide"], ["sum"], dilations=[dilation], **pads),
        helper.make_node("Tanh", ["sum"], ["waveform"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("mel", [1, BANDS, "f"]), ("waveform", [1, 1, "s"]))]
    graph = helper.make_graph(nodes, "network", ports[:1], ports[1:], [numpy_helper.from_array(array, name) for name, array in constants.items()])
    return write_artifact(folder, {"network": helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)}, "fp32")


@pytest.mark.parametrize("make", [gan, diffusion], ids=["gan", "diffusion"])
def test_operations_are_those_that_a_run_counts(make, tmp_path: Path) -> None:
    artifact = make(tmp_path)
    assert workload_of(artifact, SECONDS).macs_per_second * 2e-9 == pytest.approx(executed_gflops_per_second(artifact), rel=1e-5)  # 62 frames for 62.5


@settings(deadline=None, max_examples=25)
@given(frames=st.integers(1, 9), phases=st.integers(1, 5))
def test_shapes_are_those_of_a_run_whatever_is_reckoned_from_them(frames: int, phases: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    constants = {"one": np.ones(1, np.int64), "two": np.array([2], np.int64), "phases": np.array([phases], np.int64), "last": np.array([2], np.int64)}
    nodes = [
        helper.make_node("Shape", ["mel"], ["length"], start=2),
        helper.make_node("Mul", ["length", "phases"], ["samples"]),
        helper.make_node("Concat", ["one", "two", "samples"], ["wanted"], axis=0),
        helper.make_node("Tile", ["mel", "repeats"], ["tiled"]),
        helper.make_node("Reshape", ["tiled", "wanted"], ["laid"]),
        helper.make_node("Slice", ["laid", "one", "samples", "last"], ["cut"]),
    ]
    constants["repeats"] = np.array([1, 1, phases], np.int64)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, None]) for name in ("mel", "cut", "laid")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [numpy_helper.from_array(array, name) for name, array in constants.items()])
    path = tmp_path_factory.mktemp("shapes") / "g.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    mel = np.zeros((1, 2, frames), np.float32)
    tensors = Graph(path).tensors({"mel": mel})
    for name, value in zip(("cut", "laid"), onnxruntime.InferenceSession(str(path)).run(["cut", "laid"], {"mel": mel}), strict=True):
        assert (tensors[name].shape, tensors[name].dtype) == (value.shape, value.dtype)


def test_int8_layers_and_their_bytes_are_seen_through_their_quantization(tmp_path: Path) -> None:
    found = workload_of(gan(tmp_path, "static_w8a8"), SECONDS)
    assert found.storage == Storage(weights=HOP * BANDS, biases=4 * HOP, constants=0, channels=HOP, curves=1)
    assert found.int8_share == 1 and found.layers[0].weight_bytes == HOP * BANDS
    assert workload_of(gan(tmp_path / "fp32"), SECONDS).storage.weights == 4 * HOP * BANDS


def test_a_sampler_s_calls_all_count(tmp_path: Path) -> None:
    layers = workload_of(diffusion(tmp_path), SECONDS).layers
    assert {layer.graph: layer.calls for layer in layers} == {"conditioner": 1, "step": 6}


@settings(deadline=None, max_examples=25)
@given(channels=st.integers(1, 6), kernel=st.sampled_from([1, 3, 5]), dilation=st.integers(1, 4))
def test_a_stream_holds_what_each_convolution_still_needs(channels: int, kernel: int, dilation: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = workload_of(chain(tmp_path_factory.mktemp("chain"), channels, kernel, dilation), SECONDS)
    assert found.stream == Stream(rings=4 * channels * (kernel - 1) * dilation, frames=4 * (BANDS + channels))


def test_activations_are_counted_where_most_are_alive(tmp_path: Path) -> None:
    # the mel is the graph's input and stays; at the second convolution `hidden` and its output are alive beside it
    assert workload_of(chain(tmp_path, channels=4), SECONDS).peak_bytes == 4 * FRAMES * (BANDS + 4 + 1)


def test_reflect_padding_cannot_stream(tmp_path: Path) -> None:
    found = fit(find_profile("portenta-h7"), workload_of(chain(tmp_path, reflect=True), SECONDS))
    assert found.fits is False and found.verdict == "does not fit: cannot stream"
    assert any("zero padding" in sentence for sentence in remedies(found))
    assert fit(find_profile("rpi-1b"), found.workload).fits is True


def test_flash_holds_weights_biases_multipliers_and_tables(tmp_path: Path) -> None:
    held = workload(storage=Storage(weights=600, biases=40, constants=8, channels=10, curves=1))
    for requantization, bytes_of_one in (("q31", 5), ("q15", 3)):
        budget = fit(board(tmp_path, ('"q31"', f'"{requantization}"')), held).budget("flash")
        assert budget is not None and budget.needed == 600 + 40 + 8 + 10 * bytes_of_one + 256
        assert budget.parts[-1].bytes is None and budget.parts[-1].reason


def test_time_on_a_microcontroller_is_cycles_over_clock(tmp_path: Path) -> None:
    found = fit(board(tmp_path), workload()).speed
    assert (found.fast, found.slow) == pytest.approx((0.04, 0.06))  # 1e6 MACs x 4 to 6 cycles / 100 MHz


def test_a_layer_takes_the_longer_of_arithmetic_and_memory() -> None:
    by_arithmetic = fit(computer((1e6, 2e6), 1e9), workload()).speed
    assert (by_arithmetic.fast, by_arithmetic.slow) == pytest.approx((0.5, 1.0))
    by_memory = fit(computer((1e9, 1e9), 1e4), workload(other_bytes=6000)).speed
    assert (by_memory.fast, by_memory.slow) == pytest.approx((1.0, 2.0))  # weights alone; weights, activations and the rest


@settings(deadline=None, max_examples=25)
@given(
    macs=st.integers(1, 10**9),
    weights=st.integers(1, 10**7),
    moved=st.integers(0, 10**7),
    low=st.floats(1e3, 1e12),
    wide=st.floats(1, 9),
    bandwidth=st.floats(1e3, 1e12),
)
def test_the_slow_end_is_never_faster(macs: int, weights: int, moved: int, low: float, wide: float, bandwidth: float) -> None:
    layer = Layer("network", "Conv", macs, weights, moved, 8, 3)
    found = fit(computer((low, low * wide), bandwidth), workload(layers=(layer,), other_bytes=moved)).speed
    assert found.fast is not None and found.slow is not None and 0 < found.fast <= found.slow


def test_a_speed_that_is_not_known_says_why(tmp_path: Path) -> None:
    single = workload(recipe="fp32", layers=(Layer("network", "Conv", 1000, 10, 10, 32, 1),))
    assert "nobody has measured it" in fit(computer((1e6, 1e6), 1e9), single).speed.reason
    assert "quantize it" in fit(board(tmp_path), single).speed.reason
    assert "LX7" in fit(find_profile("esp32-s3"), workload()).speed.reason
    assert fit(computer((1e6, 1e6), 1e9, fp32=1e6), single).speed.slow == pytest.approx(0.001)


@pytest.mark.parametrize(
    "changes, verdict",
    [
        ({}, "does not fit: flash 10x, RAM 2.05x"),
        ({"storage": Storage(100), "stream": Stream(100, 10)}, "fits as far as is known, real time"),
        (
            {"storage": Storage(100), "stream": Stream(100, 10), "layers": (Layer("n", "Conv", 20_000_000, 1, 1, 8, 1),)},
            "fits as far as is known, real time in doubt",
        ),
        (
            {"storage": Storage(100), "stream": Stream(100, 10), "layers": (Layer("n", "Conv", 10**9, 1, 1, 8, 1),)},
            "fits as far as is known, slower than real time",
        ),
        ({"storage": Storage(100), "stream": None, "identity": ""}, "fits as far as is known, real time"),
    ],
)
def test_the_verdict_is_said_in_words(changes: dict[str, object], verdict: str, tmp_path: Path) -> None:
    found = fit(board(tmp_path), workload(**changes))
    assert found.verdict == verdict
    assert bool(remedies(found)) == (verdict != "fits as far as is known, real time")


def test_what_would_have_to_give_names_the_largest_that_fits(tmp_path: Path) -> None:
    found = fit(board(tmp_path), workload())
    small = workload(name="small", storage=Storage(200), stream=Stream(10, 10))
    medium = workload(name="medium", storage=Storage(900), stream=Stream(10, 10))
    slow = workload(name="slow", storage=Storage(950), stream=Stream(10, 10), layers=(Layer("n", "Conv", 10**9, 1, 1, 8, 1),))
    *_, last = remedies(found, [small, medium, slow, found.workload])
    assert "medium" in last and "900" in last
    assert "slow" in remedies(found, [slow])[-1] and "Nothing that fits is surely in real time" in remedies(found, [slow])[-1]
    assert remedies(found, [found.workload])[-1] == "Nothing of what there is fits."


def test_every_configuration_against_every_target(vcompress: CommandLine) -> None:
    answer = vcompress("fit", "--all", "--json")
    fits = json.loads(answer.out)["fits"]
    assert answer.code == 0 and len(fits) == len(catalogue()) * len(built_in())
    nano = {one["target"]: one for one in fits if one["name"] == "vocos-nano"}
    assert nano["nano-33-ble"]["fits"] is None and nano["nano-33-ble"]["rtf"]["slow"] < 1 < nano["atmega2560"]["rtf"]["fast"]
    assert all(one["artifact"] is None and one["recipe"] == "int8" for one in fits)


def test_the_table_is_printed_as_text_and_as_markdown(vcompress: CommandLine) -> None:
    lines = vcompress("fit", "--all", "--target", "rpi-3b", "--target", "pico").out.splitlines()
    assert sum("rpi-3b" in line for line in lines) == sum("pico" in line for line in lines) == len(catalogue())
    markdown = vcompress("fit", "--all", "--target", "rpi-3b", "--target", "pico", "--markdown").out.splitlines()
    assert len(markdown) == len(catalogue()) + 2 and all(line.count("|") == 5 for line in markdown)


def test_the_command_ends_with_whether_it_fits(tmp_path: Path, vcompress: CommandLine) -> None:
    artifact = gan(tmp_path / "artifact", "static_w8a8").folder
    fitting = vcompress("fit", artifact, "--target", "rpi-1b")
    assert fitting.code == 0 and "fits" in fitting.out and "modelled" in fitting.out
    misfit = vcompress("fit", artifact, "--target", own(tmp_path))
    assert misfit.code == 1 and "does not fit: flash" in misfit.out and "The largest that fits" not in misfit.out
    assert vcompress("fit", artifact, "--target", own(tmp_path), "--json").code == 1
    assert vcompress("fit", artifact, "--all", "--target", own(tmp_path)).code == 0


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "nothing to fit"),
        (("somewhere",), "no target"),
        (("somewhere", "--target", "rpi-3b"), "not an artifact"),
        (("--all", "--target", "rpi-33"), "no target 'rpi-33'"),
        (("--all", "--markdown", "--json"), "--markdown"),
    ],
)
def test_mistakes_end_with_a_sentence(arguments: tuple[str, ...], words: str, vcompress: CommandLine) -> None:
    answer = vcompress("fit", *arguments)
    assert (answer.code, answer.out) == (2, "") and words in answer.err and len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"no graph at all", b"\x08\x0a\x12\xff\xff\xff\xff\x0f"])
def test_a_graph_that_is_damaged_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(content)
    with pytest.raises(VcompressError, match=r"network\.onnx.*\.$"):
        Graph(path)


def test_an_operator_whose_work_is_not_counted_is_not_passed_over(tmp_path: Path) -> None:
    nodes = [helper.make_node("GRU", ["mel", "w", "r"], ["y"], hidden_size=1)]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 1]) for name in ("mel", "w", "r", "y")]
    path = tmp_path / "network.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", ports[:3], ports[3:])), path)
    with pytest.raises(VcompressError, match="GRU"):
        Graph(path)


def test_records_are_modelled_and_appended_once(tmp_path: Path, vcompress: CommandLine) -> None:
    artifact = gan(tmp_path / "artifact", "static_w8a8")
    path = tmp_path / "records.jsonl"
    arguments = ("fit", artifact.folder, "--all", "--target", "rpi-4b", "--target", "pico", "--target", "esp32-s3", "--records", path)
    assert vcompress(*arguments).code == vcompress(*arguments).code == 0
    records = read_records(path)
    assert len(records) == len(path.read_text().splitlines()) == 3 * 4 + 2 * 5  # both ends of RTF and energy; RAM (and flash), each with its budget
    assert {record.known for record in records} == {"modelled"} and {record.artifact for record in records} == {artifact.identity}
    absent = [record for record in records if record.value is None]
    assert {(record.metric, record.target) for record in absent} == {("rtf", "esp32-s3"), ("energy", "esp32-s3"), ("energy", "pico")} and all(
        record.reason for record in absent
    )
    vcompress("fit", "--all", "--target", "pico", "--records", "workspace", "--workspace", tmp_path / "runs")
    assert {record.recipe for record in read_records(tmp_path / "runs" / "records.jsonl")} == {"int8"}


def test_modelled_figures_stand_in_no_row_beside_measured_ones(tmp_path: Path) -> None:
    modelled = modelled_records([fit(find_profile("pico"), workload())])
    measured = Record("0123", "toy", "toy", "S", "static_w8a8", "onnxruntime", "host", "rtf", 0.5, "s/s", time="2025-01-01T00:00:00")
    (row,) = rows_of([measured, *modelled])
    assert row.value("rtf") == 0.5 and set(row.figures) == {"rtf"}
    assert rows_of(modelled) == []
    with pytest.raises(VcompressError, match="no records to report on"):
        write_report(modelled, tmp_path, tmp_path / "report", "x")


def test_a_row_of_the_catalogue_is_a_byte_a_parameter() -> None:
    row = next(row for row in catalogue() if (row.family, row.size) == ("hifigan", "S"))
    found = workload_of_row(row, 4.0)
    assert found.storage == Storage(row.parameters_folded) and found.macs_per_second == pytest.approx(row.gflops_per_second * 5e8)
