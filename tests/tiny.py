"""Artifacts of a few kilobytes for tests: a network of one layer that honours the signature of a GAN vocoder."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vcompress.runtime.artifact import MANIFEST, Artifact, GraphSpec, LayerRow, Manifest, TensorSpec
from vcompress.runtime.files import sha256
from vcompress.runtime.mel import FrontEnd
from vcompress.runtime.workspace import Run, Workspace

GRAPH = "graphs/network.onnx"


def tiny_model(front_end: FrontEnd, seed: int = 0) -> onnx.ModelProto:
    """mel (1, n_mels, F) -> waveform (1, 1, hop F): one convolution of width 1, its channels laid out in time, tanh."""
    bands, hop = front_end.n_mels, front_end.hop_length
    weights = np.random.default_rng(seed).normal(0, 0.1, (hop, bands, 1)).astype(np.float32)
    constants = {"weights": weights, "bias": np.zeros(hop, np.float32), "shape": np.array([1, 1, -1], np.int64)}
    nodes = [
        helper.make_node("Conv", ["mel", "weights", "bias"], ["channels"]),
        helper.make_node("Transpose", ["channels"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("Reshape", ["frames", "shape"], ["flat"]),
        helper.make_node("Tanh", ["flat"], ["waveform"]),
    ]
    mel = helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, bands, "frames"])
    waveform = helper.make_tensor_value_info("waveform", TensorProto.FLOAT, [1, 1, "samples"])
    graph = helper.make_graph(nodes, "network", [mel], [waveform], [numpy_helper.from_array(array, name) for name, array in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def tiny_artifact(folder: Path, recipe: str = "fp32", seed: int = 0, family: str = "hifigan", size: str = "S", front_end: FrontEnd | None = None) -> Artifact:
    """Write an artifact into `folder` and open it; another seed makes another network."""
    front_end = front_end or FrontEnd(maximum=5.0)
    path = folder / GRAPH
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(tiny_model(front_end, seed), path)
    count = front_end.hop_length * front_end.n_mels
    biases = 4 * front_end.hop_length
    size_of_file = path.stat().st_size
    spec = GraphSpec(
        GRAPH,
        (TensorSpec("mel", (1, front_end.n_mels, "frames"), "float32"),),
        (TensorSpec("waveform", (1, 1, "samples"), "float32"),),
        {"weights": 4 * count, "scales": 0, "biases": biases, "graph": size_of_file - 4 * count - biases, "file": size_of_file},
        {"Conv": 1, "Transpose": 1, "Reshape": 1, "Tanh": 1},
    )
    manifest = Manifest(
        family=family,
        size=size,
        name=f"{family}-{size.lower()}",
        recipe=recipe,
        config={},
        front_end=front_end,
        sampler={"name": "feed_forward"},
        graphs={"network": spec},
        layers=(LayerRow("network", "network", "conv", "float", count),),
        files={GRAPH: sha256(path)},
        training="random weights, for tests",
    )
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return Artifact.open(folder)


def tiny_run(workspace: Workspace, recipe: str = "fp32", seed: int = 0, family: str = "hifigan", size: str = "S") -> Run:
    """A complete run of a workspace with its artifact."""
    run = workspace.new_run(family, size, recipe)
    tiny_artifact(run.artifact, recipe, seed, family, size)
    return run.update(complete=True)


def tone(seconds: float = 1.0, sample_rate: int = 16000, level: float = 0.1) -> np.ndarray:
    """A 220 Hz tone with its harmonics, float32 (T,)."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (level * sum(np.sin(2 * np.pi * 220 * k * time) / k for k in range(1, 6))).astype(np.float32)
