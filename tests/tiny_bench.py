"""More artifacts of a few kilobytes, for the bench: the tiny GAN in int8 QDQ, and a diffusion vocoder of two graphs."""

from pathlib import Path

import numpy as np
import onnx
import soundfile
from onnx import TensorProto, helper, numpy_helper
from tiny import GRAPH, tiny_model

from vcompress.runtime.artifact import MANIFEST, Artifact, GraphSpec, Manifest, TensorSpec
from vcompress.runtime.files import sha256
from vcompress.runtime.mel import FrontEnd
from vcompress.runtime.schedule import align
from vcompress.vocoders.corpus import Clip

FRONT_END = FrontEnd(maximum=8.0, level_db=-25.0)
BANDS, HOP = FRONT_END.n_mels, FRONT_END.hop_length


def quantized_model(seed: int = 0) -> onnx.ModelProto:
    """`tiny_model` with QuantizeLinear, DequantizeLinear around the convolution's inputs: u8 activations, s8 weights per channel."""
    model = tiny_model(FRONT_END, seed)
    weights = numpy_helper.to_array(next(i for i in model.graph.initializer if i.name == "weights"))
    scale = (np.abs(weights).max(axis=(1, 2)) / 127).astype(np.float32)
    constants = {
        "mel_scale": np.float32(4 / 255),
        "mel_zero_point": np.uint8(0),
        "weights_q": np.round(weights / scale[:, None, None]).astype(np.int8),
        "weights_scale": scale,
        "weights_zero_point": np.zeros(HOP, np.int8),
    }
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items())
    del model.graph.initializer[next(i for i, t in enumerate(model.graph.initializer) if t.name == "weights")]
    nodes = [
        helper.make_node("QuantizeLinear", ["mel", "mel_scale", "mel_zero_point"], ["mel_q"]),
        helper.make_node("DequantizeLinear", ["mel_q", "mel_scale", "mel_zero_point"], ["mel_d"]),
        helper.make_node("DequantizeLinear", ["weights_q", "weights_scale", "weights_zero_point"], ["weights"], axis=0),
        *model.graph.node,
    ]
    nodes[3].input[0] = "mel_d"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def diffusion_models(damping: float = 0.5) -> dict[str, onnx.ModelProto]:
    """conditioner: a 1x1 convolution laid out in time; step: noise = damping * audio + condition / 100 + a product of the step's code."""
    conditioner = tiny_model(FRONT_END)
    conditioner.graph.node[-1].output[0] = conditioner.graph.output[0].name = "condition"
    constants = {"damping": np.full((1, 1, 3), damping / 3, np.float32), "hundredth": np.float32(0.01), "column": np.full((128, 1), 1e-3, np.float32)}
    nodes = [
        helper.make_node("Conv", ["audio", "damping"], ["damped"], pads=[1, 1]),
        helper.make_node("Mul", ["condition", "hundredth"], ["shift"]),
        helper.make_node("MatMul", ["code", "column"], ["embedded"]),
        helper.make_node("Add", ["damped", "shift"], ["sum"]),
        helper.make_node("Add", ["sum", "embedded"], ["noise"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, "samples"]) for name in ("audio", "condition")]
    inputs.append(helper.make_tensor_value_info("code", TensorProto.FLOAT, [1, 128]))
    outputs = [helper.make_tensor_value_info("noise", TensorProto.FLOAT, [1, 1, "samples"])]
    graph = helper.make_graph(nodes, "step", inputs, outputs, [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()])
    return {"conditioner": conditioner, "step": helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)}


def write_artifact(folder: Path, models: dict[str, onnx.ModelProto], recipe: str, family: str = "hifigan") -> Artifact:
    """Write models as an artifact and open it; two graphs make it a diffusion vocoder. Bytes are counted as if all were graph."""
    sampler = {"name": "feed_forward"}
    if "step" in models:
        schedule = align()
        sampler = {"name": "diffusion", "betas": schedule.betas, "steps": schedule.steps, "noise": True, "folded": False}
    graphs, files = {}, {}
    for name, model in models.items():
        path = folder / GRAPH.replace("network", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        tensors = [tuple(TensorSpec(v.name, (), "float32") for v in values) for values in (model.graph.input, model.graph.output)]
        size = path.stat().st_size
        graphs[name] = GraphSpec(str(path.relative_to(folder)), *tensors, {"weights": 0, "scales": 0, "biases": 0, "graph": size, "file": size})
        files[graphs[name].file] = sha256(path)
    manifest = Manifest(family, "S", f"{family}-s", recipe, {}, FRONT_END, sampler, graphs, (), files)
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return Artifact.open(folder)


def gan(folder: Path, recipe: str = "fp32", seed: int = 0) -> Artifact:
    """A tiny GAN; a recipe with "w8" is quantized."""
    return write_artifact(folder, {"network": quantized_model(seed) if "w8" in recipe else tiny_model(FRONT_END, seed)}, recipe)


def diffusion(folder: Path, recipe: str = "fp32", damping: float = 0.5) -> Artifact:
    """A tiny diffusion vocoder."""
    return write_artifact(folder, diffusion_models(damping), recipe, "diffwave")


def babble(seconds: float = 1.5, seed: int = 0) -> np.ndarray:
    """Something like speech: harmonics of a gliding voice under a syllable's envelope, float32 (T,), 16 kHz, about -25 dB."""
    draw = np.random.default_rng(seed)
    time = np.arange(round(seconds * 16000)) / 16000
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.3 * time + seed)) / 16000
    voice = sum(draw.uniform(0.3, 1) / k * np.sin(k * phase) for k in range(1, 30))
    return (0.06 * voice * np.maximum(0, np.sin(2 * np.pi * 2 * time)) + 1e-4 * draw.standard_normal(len(time))).astype(np.float32)


def write_clips(folder: Path, count: int = 2, seconds: float = 1.5) -> list[Clip]:
    """Clips of babble as a corpus would give them."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        soundfile.write(folder / f"clip_{index}.wav", babble(seconds, index), 16000, subtype="PCM_16")
    return [Clip(folder / f"clip_{index}.wav", "clip") for index in range(count)]
