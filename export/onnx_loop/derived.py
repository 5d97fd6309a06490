"""The loop's file of an artifact: mel and random numbers in, samples out, and the integer draws of runtime/draws.py as operators inside."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from ...errors import VcompressError
from ...runtime.artifact import Artifact, Manifest
from ...runtime.backends.onnx_loop import FILE, FORMAT, LOOP, WORDS
from ...runtime.draws import weight_table
from ...runtime.files import replacing
from ...runtime.wavernn.steps import CENTRE, HALVES
from ..c.program import TargetFacts
from ..loop import read_steps
from ..onnx_graph import IR_VERSION, OPSET
from .body import Body, Port
from .steps import GraphSteps, IntegerSteps, StepWriter

FOLDER = "onnx-loop"
INTEGERS = "in integers throughout"


def check_installed() -> None:
    """Nothing is needed that the ONNX export does not need."""


def derive(folder: Path, manifest: Manifest, target: TargetFacts | None) -> dict[str, str]:
    """Write `onnx-loop/loop.onnx`. Raises VcompressError for an artifact that is no WaveRNN."""
    if manifest.sampler.get("name") != "wavernn":
        raise VcompressError(f"{manifest.name} is no WaveRNN, whose loop the format {FORMAT} is for; leave out --format {FORMAT}.")
    graphs = {name: onnx.load(folder / spec.file).graph for name, spec in manifest.graphs.items()}
    writer: StepWriter
    try:
        writer, kind = IntegerSteps(read_steps(folder, manifest)), INTEGERS
    except VcompressError:  # float, or other bits than the family's own
        writer, kind = GraphSteps(graphs), "of the graphs as they are"
    model = helper.make_model(
        whole(writer, graphs["conditioner"], manifest.front_end.hop_length), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    model.producer_name, model.doc_string = "vcompress", f"steps {kind}"
    with replacing(folder / FOLDER / FILE) as part:
        onnx.save(model, part)
    return {LOOP: f"{FOLDER}/{FILE}"}


def summary(artifact: Artifact) -> str:
    """What the graph is: a line for the terminal."""
    path = artifact.derived_path(FORMAT, LOOP)
    return f"ONNX loop: {path.stat().st_size / 1e6:.3f} MB, {onnx.load(path).doc_string}"


def whole(writer: StepWriter, conditioner: onnx.GraphProto, hop_length: int) -> onnx.GraphProto:
    """mel: float32 (1, n_mels, F), words: uint32 (hop F, 2), one for each draw -> samples: int16 (hop F,)."""
    outer = Body("o")
    conditions = outer.include(conditioner, {"mel": "mel"})
    rows = [_rows(outer, conditions[f"condition_{half}"], writer) for half in HALVES]
    words = outer("Reshape", outer("Cast", "words", to=onnx.TensorProto.INT64), np.array([-1, hop_length, WORDS]))
    start = np.array([[CENTRE, 0]], np.uint8)
    *_, symbols = outer("Scan", writer.start, start, *rows, words, outputs=3, body=_frame(writer, hop_length), num_scan_inputs=3)
    pairs = outer("Mul", outer("Cast", symbols, to=onnx.TensorProto.INT32), np.array([256, 1], np.int32))
    centred = outer("Sub", outer("ReduceSum", pairs, np.array([-1]), keepdims=0), np.int32(32768))
    samples = outer("Reshape", outer("Cast", centred, to=onnx.TensorProto.INT16), np.array([-1]), called="samples")
    mel = next(port for port in conditioner.input if port.name == "mel").type.tensor_type.shape.dim[1].dim_value
    return outer.graph([("mel", np.float32, (1, mel, "frames")), ("words", np.uint32, ("samples", WORDS))], [(samples, np.int16, ("samples",))])


def _rows(outer: Body, condition: str, writer: StepWriter) -> str:
    """What the conditioner gives, as rows that a scan takes one by one: (F, 3 units of a half)."""
    if np.issubdtype(writer.dtype, np.floating):  # its channels are not the last
        condition = outer("Transpose", condition, perm=[0, 2, 1])
    row = outer("Squeeze", condition, np.array([0]))
    return str(outer("Cast", row, to=helper.np_dtype_to_tensor_dtype(writer.dtype)))


def _frame(writer: StepWriter, hop_length: int) -> onnx.GraphProto:
    """The samples of a frame."""
    body = Body("f")
    state, seen, symbols = body("Scan", "f_state", "f_seen", "f_words", outputs=3, body=_sample(writer), num_scan_inputs=1)
    kept = _kept("f_state", "f_seen", writer)
    rows: list[Port] = [(f"f_{half}", writer.dtype, None) for half in HALVES]
    return body.graph([*kept, *rows, ("f_words", np.int64, (hop_length, WORDS))], [*_kept(state, seen, writer), (symbols, np.uint8, None)])


def _sample(writer: StepWriter) -> onnx.GraphProto:
    """Coarse, a draw, fine given that symbol, a draw."""
    body = Body("s")
    words = body("Split", "s_words", num_outputs=2, outputs=2)
    own, drawn, seen = [], [], "s_seen"
    for half, word in zip(HALVES, words, strict=True):
        logits, next_state = writer.half(body, half, "s_state", seen, f"f_{half}")
        own.append(next_state)
        drawn.append(body("Cast", _draw(body, logits, word), to=onnx.TensorProto.UINT8))
        seen = body("Concat", "s_seen", drawn[-1], axis=1)
    state, seen = body("Concat", *own, axis=writer.channels), body("Concat", *drawn, axis=1)
    outputs: list[Port] = [*_kept(state, seen, writer), (body("Identity", seen), np.uint8, None)]
    return body.graph([*_kept("s_state", "s_seen", writer), ("s_words", np.int64, (WORDS,))], outputs)


def _kept(state: str, seen: str, writer: StepWriter) -> list[Port]:
    return [(state, writer.start.dtype, writer.start.shape), (seen, np.dtype(np.uint8), (1, 2))]


def _draw(body: Body, logits: str, word: str) -> str:
    """As runtime/draws.py: logits' integers, int64 (256,), and the upper half of a word, int64 (1,) -> the symbol, int64 (1, 1)."""
    table = weight_table().astype(np.int64)
    below = body("Min", body("Sub", body("ReduceMax", logits, keepdims=1), logits), np.array(len(table) - 1))
    cumulative = body("CumSum", body("Gather", table, below), np.array(0))
    uniform = body("Div", body("Mul", word, body("Gather", cumulative, np.array([255]))), np.array(1 << 32))
    passed = body("Cast", body("LessOrEqual", cumulative, uniform), to=onnx.TensorProto.INT64)
    return str(body("Unsqueeze", body("ReduceSum", passed, keepdims=1), np.array([0])))
