"""Userlands for tests, and vocoders to run in them: those whose weights are in the package, tiny ones of the other families."""

from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import onnx
from onnx import helper
from tiny_bench import babble
from tiny_vocoders import tiny_checkpoint

from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends.onnxruntime_cpu import open_session
from vcompress.runtime.samplers import Tensors, make_sampler
from vcompress.targets.userlands.machines import Core, cores
from vcompress.targets.userlands.userland import Userland, userland
from vcompress.vocoders.checkpoint import read_checkpoint, shipped_checkpoint

CommandLine = Callable[..., Any]  # the fixture `vcompress` of every test
Make = Callable[[str, Recipe], Artifact]  # the fixture `artifact` of the tests in pi/
FP32, STATIC = Recipe(), Recipe("static")


def missing_tools(*names: str) -> list[str]:
    """Programs that are not here, of these and of those that every userland needs."""
    return [name for name in ("mmdebstrap", "cc", *names) if which(name) is None]


def system_of(core: str, packages: tuple[str, ...] = ()) -> tuple[Userland, Core]:
    """The userland of a processor, from the user's cache or made now."""
    found = cores()[core]
    return userland(found.architecture, found, packages=packages), found


def exported(name: str, recipe: Recipe, folder: Path, *formats: str) -> Artifact:
    """`vocos-nano`: with the shipped weights; `waveflow`: a tiny one with random weights. int8 is calibrated on babble."""
    family, _, size = name.partition("-")
    path = shipped_checkpoint(family, size) if size else None
    checkpoint = read_checkpoint(path) if path else tiny_checkpoint(family)
    vocoder, table = FoldedVocoder.of(checkpoint), None
    if recipe.calibrated:
        prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config)
        calibrate(prepared, make_sampler(vocoder.sampler, vocoder.front_end.hop_length), [checkpoint.front_end.mel(babble(0.25, 1))])
        table, vocoder = ScaleTable.of(prepared.graphs.values()), FoldedVocoder.of(checkpoint)
    return write_artifact(vocoder, recipe, name, folder, table, formats=("onnx", *(formats or ("tflite",))))


def decibels(expected: np.ndarray, found: np.ndarray) -> float:
    """SNR of one waveform against another."""
    return float(10 * np.log10(np.sum(expected**2) / max(float(np.sum((found - expected) ** 2)), 1e-20)))


def taken_apart(path: Path, inputs: Tensors, folder: Path) -> tuple[Path, Tensors, dict[str, np.ndarray]]:
    """A graph in which every quantized tensor is an input, and what is computed of it an output, `<name>_made`.

    Gives its file, its inputs with the integers that ONNX Runtime has here, and these integers by the name of the output.
    """
    integers = _integers(path, inputs, folder / "every.onnx")
    model = onnx.load(path)
    graph, kinds = model.graph, {constant.name: constant.data_type for constant in model.graph.initializer}
    quantizers = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
    for name, node in quantizers.items():
        node.output[0] = f"{name}_made"
    del graph.output[:]
    graph.output.extend(onnx.ValueInfoProto(name=f"{name}_made") for name in quantizers)
    read = {name for node in graph.node for name in node.input}
    fed = [name for name in quantizers if name in read]
    graph.input.extend(helper.make_tensor_value_info(name, kinds[quantizers[name].input[2]], None) for name in fed)
    onnx.save(model, folder / "apart.onnx")
    return folder / "apart.onnx", {**inputs, **{name: integers[name] for name in fed}}, {f"{name}_made": array for name, array in integers.items()}


def _integers(path: Path, inputs: Tensors, every: Path) -> dict[str, np.ndarray]:
    model = onnx.load(path)
    names = [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    have = {port.name for port in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in have)
    onnx.save(model, every)
    return dict(zip(names, map(np.asarray, open_session(every).run(names, dict(inputs))), strict=True))
