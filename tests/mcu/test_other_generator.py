"""An independent generator's C of the same graph, on a simulated Cortex-M4: emx-onnx-cgen computes in floats what the QDQ graph says."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper, shape_inference
from tiny_bench import babble
from tiny_vocoders import calibrated, tiny_folded

from vcompress.compress.recipes import Recipe
from vcompress.export.artifact_writer import write_artifact
from vcompress.export.c.program import InverseSTFT
from vcompress.export.c.reference.executor import run_whole
from vcompress.runtime.artifact import Artifact
from vcompress.targets.firmware.build import build
from vcompress.targets.firmware.exported import Exported
from vcompress.targets.firmware.outcome import read_outcome
from vcompress.targets.profile import find_profile
from vcompress.targets.simulators import simulate

cli = pytest.importorskip("emx_onnx_cgen.cli")
pytestmark = pytest.mark.mcu
FRAMES = 6
APART = 2  # steps of 16 bits
SHIM = """\
#include "vcompress.h"
#include <math.h>
void model(const float mel[1][VC_MELS][FRAMES], float magnitude[1][BINS][FRAMES], float direction[1][2 * BINS][FRAMES]);
static float mel[1][VC_MELS][FRAMES], magnitude[1][BINS][FRAMES], direction[1][2 * BINS][FRAMES];
static int pushed, flushed;
void vc_init(void) { pushed = flushed = 0; }
int vc_push(const vc_mel_t row[VC_MELS], int16_t out[VC_MAX_SAMPLES])
{
    (void)out;
    for (int band = 0; band < VC_MELS; band++) mel[0][band][pushed] = ((float)row[band] - ZERO_POINT) * SCALE;
    pushed++;
    return 0;
}
int vc_flush(int16_t out[VC_MAX_SAMPLES])
{
    if (flushed == FRAMES) return 0;
    if (!flushed) model((const float(*)[VC_MELS][FRAMES])mel, magnitude, direction);
    for (int bin = 0; bin < BINS; bin++) out[bin] = (int16_t)lrintf(magnitude[0][bin][flushed] / MAGNITUDE);
    for (int bin = 0; bin < 2 * BINS; bin++) out[BINS + bin] = (int16_t)lrintf(direction[0][bin][flushed] / DIRECTION);
    flushed++;
    return VC_MAX_SAMPLES;
}
"""


def test_another_generator_gives_the_same_spectrum(tmp_path: Path) -> None:
    artifact = write_artifact(tiny_folded("vocos"), Recipe("static"), "vocos-tiny", tmp_path / "artifact", calibrated("vocos")[2])
    profile = find_profile("nano-33-ble")
    export = Exported.of(artifact, profile)
    program = export.library.program
    front_end = artifact.manifest.front_end
    mel = export.mel(front_end.mel(babble(FRAMES * front_end.hop_length / 16000))[:, :FRAMES])
    transform = next(step for step in program.steps if isinstance(step, InverseSTFT))
    magnitude, direction = transform.inputs
    bins, quantized = magnitude.channels, program.tensors[program.input]

    library = tmp_path / "library"
    library.mkdir()
    onnx.save(pinned(artifact, mel, quantized.scale, quantized.zero_point), tmp_path / "pinned.onnx")
    options = ["--large-weight-threshold", "0", "--large-temp-threshold", "0"]
    assert cli.main(["compile", *options, str(tmp_path / "pinned.onnx"), str(library / "model.c")]) == 0
    facts = {
        "FRAMES": FRAMES, "BINS": bins, "SCALE": f"{quantized.scale!r}f", "ZERO_POINT": quantized.zero_point, "MAGNITUDE": f"{magnitude.scale!r}f",
        "DIRECTION": f"{direction.scale!r}f", "VC_MELS": front_end.n_mels, "VC_MAX_SAMPLES": 3 * bins,
    }  # fmt: skip
    interface = "typedef int8_t vc_mel_t;\nvoid vc_init(void);\nint vc_push(const vc_mel_t *, int16_t *);\nint vc_flush(int16_t *);\n"
    (library / "vcompress.h").write_text("#include <stdint.h>\n" + "".join(f"#define {key} {value}\n" for key, value in facts.items()) + interface)
    (library / "shim.c").write_text(SHIM)

    image = build(library, profile, mel, tmp_path / "built")
    theirs = read_outcome(simulate(image.board.simulator, image.program), FRAMES).samples.reshape(FRAMES, 3 * bins)
    tensors = run_whole(export.library.lowered, mel.astype(np.int64))
    ours = np.concatenate([tensors[view.tensor][:FRAMES, : view.channels] for view in (magnitude, direction)], axis=1)
    assert np.abs(theirs - ours).max() <= APART


def pinned(artifact: Artifact, mel: np.ndarray, scale: float, zero_point: int) -> onnx.ModelProto:
    """The network's graph with every shape a number, as the generator wants it."""
    model = shape_inference.infer_shapes(onnx.load(artifact.graph_path("network")))
    types = {value.name: value.type.tensor_type.elem_type for value in [*model.graph.value_info, *model.graph.output]}
    wanted = [value.name for value in model.graph.output]
    every = onnx.ModelProto()
    every.CopyFrom(model)
    every.graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name, kind in types.items() if name not in wanted)
    session = onnxruntime.InferenceSession(every.SerializeToString(), providers=["CPUExecutionProvider"])
    floats = ((mel.T[None].astype(np.float32) - zero_point) * np.float32(scale)).astype(np.float32)
    values = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"mel": floats}), strict=True))
    known = {name for node in model.graph.node if node.op_type in ("Shape", "Squeeze") for name in node.output}
    nodes = [node for node in model.graph.node if not known & set(node.output)]
    constants = [*model.graph.initializer, *(numpy_helper.from_array(np.asarray(values[name]), name) for name in known)]
    shapes = {name: helper.make_tensor_value_info(name, types[name], values[name].shape) for name in values if name not in known}
    graph = helper.make_graph(
        nodes, "network", [helper.make_tensor_value_info("mel", onnx.TensorProto.FLOAT, floats.shape)], [shapes.pop(name) for name in wanted], constants,
        value_info=list(shapes.values()),
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
