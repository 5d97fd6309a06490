"""The integer graph as a program: read from ONNX, run whole and row by row, laid out in memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from c_programs import Chain, chains, integer_mel, narrow, state_program
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tiny import tiny_artifact
from tiny_vocoders import tiny_mels

from vcompress.errors import VcompressError
from vcompress.export.c.agreement import compare
from vcompress.export.c.arena import Buffer, lower_bound, place
from vcompress.export.c.derived import program_of
from vcompress.export.c.generate.library import Library
from vcompress.export.c.lowering import lower
from vcompress.export.c.memory import lay_out
from vcompress.export.c.program import Program, TargetFacts
from vcompress.export.c.reading import read_program
from vcompress.export.c.reference.executor import quantize_mel, run_streaming, run_whole, waveform
from vcompress.export.c.streaming import stream
from vcompress.runtime.backends import load
from vcompress.runtime.backends.onnxruntime_cpu import open_session
from vcompress.runtime.synthesis import synthesize

FAMILIES = ("melgan", "hifigan", "vocos")
few = settings(max_examples=30, deadline=None)


def program(family: str) -> Program:
    artifact = narrow(family)
    return program_of(artifact.folder, artifact.manifest)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("variant", ("q31", "q15"))
def test_every_step_fed_the_same_integers_differs_by_one_at_most(family: str, variant: str) -> None:
    lowered = lower(program(family), variant)
    found = compare(lowered, narrow(family).graph_path("network"), {"mel": tiny_mels(1)[0][None]})
    assert len(found) >= len(lowered.steps) - 2  # the head and its tanh, or the inverse STFT, are floats in ONNX
    assert max(step.difference for step in found) <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_utterance_sounds_as_the_onnx_graph_does(family: str) -> None:
    artifact, mel = narrow(family), tiny_mels(1)[0]
    expected = synthesize(artifact, load("onnxruntime", artifact), mel)
    made = program(family)
    samples = waveform(made, run_whole(lower(made, "q31"), quantize_mel(made, mel)), mel.shape[1]) / 32768
    noise = np.sum((samples - expected) ** 2)
    assert samples.shape == expected.shape and np.sum(expected**2) > 100 * noise


@few
@given(program=chains(), frames=st.integers(1, 6), variant=st.sampled_from(("q31", "q15")))
def test_streaming_equals_the_whole_utterance_sample_for_sample(program: Program, frames: int, variant: str) -> None:
    lowered, mel = lower(program, variant), integer_mel(program, frames)
    expected = waveform(program, run_whole(lowered, mel), frames)
    assert len(expected) == frames * program.hop
    assert np.array_equal(run_streaming(lowered, stream(program), mel), expected)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frames", (1, 4))
def test_a_network_streams_edges_included(family: str, frames: int) -> None:
    made = program(family)
    lowered, mel = lower(made, "q31"), quantize_mel(made, tiny_mels(1)[0][:, :frames])
    assert np.array_equal(run_streaming(lowered, stream(made), mel), waveform(made, run_whole(lowered, mel), frames))


def test_a_state_is_what_the_step_before_gave() -> None:
    made = state_program()
    lowered, mel = lower(made, "q31"), integer_mel(made, 12)
    state, expected = np.zeros(2, np.int64), []
    for row in mel:
        total = np.clip((200 * (row - 3) + 0.5 * state + 0.5) // 1, -32768, 32767).astype(np.int64)
        curve = made.steps[1].values.astype(np.int64)  # type: ignore[attr-defined]
        index, fraction = np.divmod(total + 32768, 256)
        state = curve[index] + (((curve[index + 1] - curve[index]) * fraction + 128) >> 8)
        expected.append(int(np.floor((90 * state[0] - 70 * state[1] + 5) * 0.004 + 0.5)))
    assert np.abs(run_streaming(lowered, stream(made), mel) - np.array(expected)).max() <= 1


def recurrent_graph(path: Path) -> None:
    """A gated step on 16-bit states: gate = sigmoid(W mel), new = state + gate (tanh(V mel) - state), as a QDQ graph whose states are integers."""
    rng = np.random.default_rng(0)
    sixteen, eight = ("unit", "zero16"), ("mel_scale", "zero8")
    constants = {"mel_scale": np.float32(0.05), "zero8": np.uint8(120), "unit": np.float32(2.0**-15), "wide": np.float32(2.0**-13), "zero16": np.int16(0)}
    nodes = [helper.make_node("QuantizeLinear", ["mel", *eight], ["mel_q"]), helper.make_node("DequantizeLinear", ["mel_q", *eight], ["mel_d"])]
    nodes.append(helper.make_node("DequantizeLinear", ["older", *sixteen], ["state"]))

    def quantized(name: str, scale: str = "unit") -> None:
        nodes.append(helper.make_node("QuantizeLinear", [name, scale, "zero16"], [f"{name}_q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", scale, "zero16"], [f"{name}_d"]))

    for name in ("w", "v"):
        constants |= {f"{name}_weight": rng.integers(-127, 128, (4, 3, 1)).astype(np.int8), f"{name}_scale": np.full(4, 0.01, np.float32)}
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_weight", f"{name}_scale"], [f"{name}_float"], axis=0))
        nodes.append(helper.make_node("Conv", ["mel_d", f"{name}_float"], [f"{name}_sum"]))
        quantized(f"{name}_sum", "wide")
    for operator, inputs, name in (
        ("Sigmoid", ["w_sum_d"], "gate"),
        ("Tanh", ["v_sum_d"], "candidate"),
        ("Sub", ["candidate_d", "state"], "difference"),
        ("Mul", ["gate_d", "difference_d"], "update"),
        ("Add", ["state", "update_d"], "new"),
    ):
        nodes.append(helper.make_node(operator, inputs, [name]))
        quantized(name, "wide" if name == "difference" else "unit")
    constants |= {"head": rng.integers(-127, 128, (1, 4, 1)).astype(np.int8), "head_scale": np.array([0.003], np.float32)}
    nodes.append(helper.make_node("DequantizeLinear", ["head", "head_scale"], ["head_float"], axis=0))
    nodes.append(helper.make_node("Conv", ["new_d", "head_float"], ["head_sum"]))
    nodes.append(helper.make_node("Tanh", ["head_sum"], ["waveform"]))
    nodes.append(helper.make_node("Reshape", ["new_q", "shape"], ["newer"]))
    constants["shape"] = np.array([1, 4, 1], np.int64)
    ports = [
        helper.make_tensor_value_info(name, kind, [1, channels, 1])
        for name, kind, channels in (
            ("mel", TensorProto.FLOAT, 3),
            ("older", TensorProto.INT16, 4),
            ("waveform", TensorProto.FLOAT, 1),
            ("newer", TensorProto.INT16, 4),
        )
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "step", ports[:2], ports[2:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def test_a_recurrent_step_with_16_bit_states_runs_as_the_onnx_graph_does(tmp_path: Path) -> None:
    path = tmp_path / "step.onnx"
    recurrent_graph(path)
    made = read_program(path, "step", {"name": "feed_forward"}, 16000, 1, {"older": "newer"})
    mel = np.random.default_rng(1).uniform(-5, 5, (3, 40)).astype(np.float32)
    samples = run_streaming(lower(made, "q31"), stream(made), quantize_mel(made, mel))
    session, state, expected = open_session(path), np.zeros((1, 4, 1), np.int16), []
    for column in mel.T:
        waveform, state = session.run(["waveform", "newer"], {"mel": column[None, :, None], "older": state})
        expected.append(float(np.asarray(waveform).reshape(())))
    assert np.ptp(expected) > 0.3 and np.abs(samples / 32768 - expected).max() < 2e-3  # int8 weights of the head, curves of 257 values


def test_delays_keep_branches_in_step_and_no_row_is_kept_for_nothing() -> None:
    chain = Chain(0)
    chain.convolution(4, 1, 1, 0)
    trunk = chain.last
    chain.convolution(4, 3, 2, 1)  # looks three rows ahead
    late = chain.last.tensor
    chain.sum(trunk)
    plan = stream(chain.program())
    assert plan.delays[late] == 3 and plan.delays[trunk.tensor] == 0
    assert plan.rows[trunk.tensor] == 5 and plan.rows[late] == 1  # from 1 row before to 3 behind, and the sum reads it 3 rows late


def test_memory_does_not_grow_with_the_utterance_and_meets_the_lower_bound() -> None:
    for family in FAMILIES:
        memory = lay_out(stream(program(family)))
        assert memory.arena.bytes == memory.arena.lower_bound  # so narrow that the best is found
        for one, offset in zip(memory.buffers, memory.arena.offsets, strict=True):
            assert offset % one.align == 0


@few
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9), st.integers(0, 5), st.sampled_from((1, 2, 4))), max_size=12))
def test_buffers_that_live_together_do_not_overlap(spans: list[tuple[int, int, int, int]]) -> None:
    buffers = [Buffer(str(i), size, first, first + length, align) for i, (size, first, length, align) in enumerate(spans)]
    arena = place(buffers)
    assert arena.lower_bound == lower_bound(buffers) <= arena.bytes
    for i, (one, at) in enumerate(zip(buffers, arena.offsets, strict=True)):
        assert at % one.align == 0 and at + one.bytes <= arena.bytes
        for other, there in zip(buffers[:i], arena.offsets[:i], strict=True):
            assert not one.meets(other) or at + one.bytes <= there or there + other.bytes <= at


def test_a_float_head_becomes_integers_and_says_so() -> None:
    (note,) = program("melgan").notes
    assert "head" in note and "int8" in note


def test_samplers_and_floats_without_a_c_form_are_refused_by_name(tmp_path: Path) -> None:
    artifact, floats = narrow("melgan"), tiny_artifact(tmp_path)
    with pytest.raises(VcompressError, match="The diffusion sampler has no C form"):
        program_of(artifact.folder, replace(artifact.manifest, sampler={"name": "diffusion"}))
    with pytest.raises(VcompressError, match=r"The operator Conv .* reads floats"):
        program_of(floats.folder, floats.manifest)


@pytest.mark.parametrize(
    "operator, attributes, said",
    [
        ("Softsign", {}, r"The operator Softsign .* has no C form"),
        ("Pad", {"mode": "reflect"}, r"The operator Pad .* pads by reflection, .* zero padding"),
        ("Pad", {"mode": "constant"}, r"The operator Pad .* pads outside of a convolution"),
    ],
)
def test_an_operator_without_a_kernel_names_itself(operator: str, attributes: dict[str, str], said: str, tmp_path: Path) -> None:
    constants = {"scale": np.float32(0.1), "zero": np.uint8(9), "pads": np.array([0, 0, 1, 0, 0, 1], np.int64)}
    nodes = [
        helper.make_node("QuantizeLinear", ["mel", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node(operator, ["d", "pads"] if operator == "Pad" else ["d"], ["y"], **attributes),
        helper.make_node("QuantizeLinear", ["y", "scale", "zero"], ["z"]),
        helper.make_node("DequantizeLinear", ["z", "scale", "zero"], ["waveform"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, "frames"]) for name in ("mel", "waveform")]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors)
    path = tmp_path / "network.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    with pytest.raises(VcompressError, match=said):
        read_program(path, "x", {"name": "feed_forward"}, 16000, 1)


def test_a_scale_that_overflows_the_multiplier_and_an_array_too_large_are_refused() -> None:
    made = program("vocos")
    step = made.steps[1]
    overflowing = replace(made, steps=(made.steps[0], replace(step, factor=step.factor * 2.0**60), *made.steps[2:]))  # type: ignore[attr-defined, call-arg]
    with pytest.raises(VcompressError, match="overflows"):
        lower(overflowing, "q31")
    with pytest.raises(VcompressError, match=r"^Convolution 1 \(80 to 6 channels, 3 taps\) has .* bytes of constants, and an array has 500 at most on tiny"):
        Library.of(made, TargetFacts("tiny", largest_object=500))
