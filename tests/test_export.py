"""Artifacts of the three families: what is in them, and that they sound like the network they are made of."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tiny_vocoders import CONFIGS, calibrated, sampler_of, tiny_folded, tiny_mels

from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import run_form
from vcompress.compress.quantizer import WEIGHTED_MODULES
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.errors import VcompressError
from vcompress.export import artifact_writer
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.samplers import Tensors
from vcompress.runtime.synthesis import synthesize

STATIC, FP32 = Recipe("static"), Recipe()
Make = Callable[[str, Recipe], Artifact]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """`make(family, recipe)`: the artifact of a tiny network, exported when it is first asked for."""
    made: dict[tuple[str, Recipe], Artifact] = {}

    def export(family: str, recipe: Recipe) -> Artifact:
        if (family, recipe) not in made:
            folder = tmp_path_factory.mktemp("artifacts") / recipe.name
            table = calibrated(family)[2] if recipe.method == "static" else None
            made[family, recipe] = write_artifact(tiny_folded(family), recipe, f"{family}-tiny", folder, table)
        return made[family, recipe]

    return export


def waveform(artifact: Artifact, seed: int = 0) -> np.ndarray:
    return synthesize(artifact, load("onnxruntime", artifact), tiny_mels(1)[0], seed)


def torch_run(vocoder: FoldedVocoder) -> Callable[[str, Tensors], Tensors]:
    """What a sampler drives: the float modules themselves."""
    forms = {form.name: form for form in vocoder.family.forms(vocoder.network, vocoder.trained.config)}

    return lambda graph, inputs: run_form(forms[graph], forms[graph].module, inputs)


def snr(expected: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(expected**2) / np.sum((found - expected) ** 2)))


@pytest.mark.parametrize("name", CONFIGS)
def test_float_graphs_compute_what_torch_does(make: Make, name: str) -> None:
    vocoder = tiny_folded(name)
    expected = sampler_of(vocoder).synthesize(torch_run(vocoder), tiny_mels(1)[0], 0)
    assert len(expected) == 15 * CONFIGS[name].hop_length and np.abs(expected).max() > 1e-3
    assert np.abs(waveform(make(name, FP32)) - expected).max() < 1e-5


@pytest.mark.parametrize("name", CONFIGS)
def test_integer_graphs_compute_what_torch_fakes(make: Make, name: str) -> None:
    vocoder, prepared, _ = calibrated(name)
    prepared.mode(faking=True)
    expected = sampler_of(vocoder).synthesize(prepared.run, tiny_mels(1)[0], 0)
    prepared.mode()
    found = waveform(make(name, STATIC))
    assert snr(expected, found) > 30
    assert np.abs(found - waveform(make(name, FP32))).max() > 1e-5  # it is another network than the float one


@pytest.mark.parametrize("name", CONFIGS)
def test_an_int8_artifact_opens_and_says_what_it_is(make: Make, name: str) -> None:
    artifact = Artifact.open(make(name, STATIC).folder)
    manifest = artifact.manifest
    assert (manifest.family, manifest.size, manifest.recipe, manifest.name) == (name, "S", "static_w8a8", f"{name}-tiny")
    assert set(manifest.graphs) == set(sampler_of(tiny_folded(name)).calls)
    assert json.loads(json.dumps(vars(CONFIGS[name]))) == manifest.config
    assert "1 steps" in manifest.training
    assert artifact.identity != make(name, FP32).identity
    assert sorted(path.name for path in artifact.folder.rglob("*") if path.is_file()) == sorted(
        ["manifest.json", *(Path(graph.file).name for graph in manifest.graphs.values())]
    )


@pytest.mark.parametrize("recipe", [FP32, STATIC], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_weight_layer_has_its_row(make: Make, name: str, recipe: Recipe) -> None:
    vocoder, rows = tiny_folded(name), make(name, recipe).manifest.layers
    modules = {path: module for path, module in vocoder.network.named_modules() if isinstance(module, WEIGHTED_MODULES)}
    assert {row.name for row in rows} == set(modules) and len(rows) == len(modules)
    for row in rows:
        assert row.kind == type(modules[row.name]).__name__
        assert row.parameters == sum(parameter.numel() for parameter in modules[row.name].parameters())
        if recipe is FP32:
            assert row.precision == "float"
        else:
            assert (row.precision == "float") == (row.name in vocoder.family.floats(vocoder.trained.config))
            assert bool(row.reason) == (row.precision != "w8a8")


@pytest.mark.parametrize("name", CONFIGS)
def test_every_convolution_but_the_named_ones_is_an_integer_kernel(make: Make, name: str) -> None:
    manifest = make(name, STATIC).manifest
    for graph_name, graph in manifest.graphs.items():
        rows = [row for row in manifest.layers if row.graph == graph_name]
        integer = sum(row.precision == "w8a8" for row in rows)
        assert graph.kernels.get("QLinearConv", 0) == integer > 0
        assert sum(graph.kernels.get(kernel, 0) for kernel in ("Conv", "FusedConv")) == len(rows) - integer
        assert not {"Gemm", "MatMul"} & graph.kernels.keys()
        assert graph_name == "network" or not {"Tanh", "Sigmoid"} & graph.kernels.keys()


@pytest.mark.parametrize("recipe", [FP32, STATIC], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("name", CONFIGS)
def test_bytes_add_up_to_the_file(make: Make, name: str, recipe: Recipe) -> None:
    artifact, network = make(name, recipe), tiny_folded(name).network
    for graph_name, graph in artifact.manifest.graphs.items():
        layers = [(row, network.get_submodule(row.name)) for row in artifact.manifest.layers if row.graph == graph_name]
        assert graph.bytes["weights"] == sum(layer.weight.numel() * (4 if row.precision == "float" else 1) for row, layer in layers)
        zeros = {len(layer.weight) for _, layer in layers if layer.bias is None}  # torch exports a bias all the same, and equal ones are one
        assert graph.bytes["biases"] == 4 * (sum(layer.bias.numel() for _, layer in layers if layer.bias is not None) + sum(zeros))
        assert (graph.bytes["scales"] > 0) == (recipe is STATIC)
        assert sum(graph.bytes[kind] for kind in ("weights", "scales", "biases", "graph")) == graph.bytes["file"]
        assert graph.bytes["file"] == artifact.graph_path(graph_name).stat().st_size
        model = onnx.load(artifact.graph_path(graph_name))
        assert not model.metadata_props and not model.graph.value_info and not any(node.doc_string for node in model.graph.node)


@pytest.mark.parametrize("name", CONFIGS)
def test_weights_are_int8_without_minus_128_and_biases_int32(make: Make, name: str) -> None:
    artifact = make(name, STATIC)
    for graph_name in artifact.manifest.graphs:
        model = onnx.load(artifact.graph_path(graph_name))
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        producers = {output: node for node in model.graph.node for output in node.output}
        for node in model.graph.node:
            if node.op_type != "Conv" or node.name in tiny_folded(name).family.floats(CONFIGS[name]):
                continue
            scales = [constants[producers[tensor].input[1]] for tensor in node.input]
            weight, bias = (constants[producers[tensor].input[0]] for tensor in node.input[1:])
            assert weight.dtype == np.int8 and np.abs(weight.astype(int)).max(axis=(1, *range(2, weight.ndim))).tolist() == [127] * len(weight)
            assert bias.dtype == np.int32
            np.testing.assert_allclose(scales[2], scales[0] * scales[1], rtol=1e-6)


def test_conditions_are_integers_channels_last_with_one_scale_at_both_ends(make: Make) -> None:
    manifest = make("diffwave", STATIC).manifest
    channels, layers = CONFIGS["diffwave"].channels, CONFIGS["diffwave"].layers
    given, taken = manifest.graphs["conditioner"].outputs, [spec for spec in manifest.graphs["step"].inputs if spec.name.startswith("condition")]
    assert len(given) == len(taken) == layers
    table = calibrated("diffwave")[2]
    for index, (one, other) in enumerate(zip(given, taken, strict=True)):
        entry = table.entries[f"conditioner.projections.{index}:conv1d"]
        for spec in (one, other):
            assert (spec.name, spec.dtype, spec.zero_point) == (f"condition_{index}", "uint8", entry.zero_point)
            assert spec.scale == pytest.approx(entry.scale, rel=1e-6)
            assert (spec.shape[0], spec.shape[2]) == (1, 2 * channels) and isinstance(spec.shape[1], str)
    others = {spec for graph in manifest.graphs.values() for spec in (*graph.inputs, *graph.outputs)} - {*given, *taken}
    assert {(spec.name, spec.dtype) for spec in others} == {(name, "float32") for name in ("mel", "audio", "code", "noise")}


def test_a_folded_schedule_computes_what_the_unfolded_one_does(make: Make) -> None:
    unfolded, folded = make("diffwave", FP32), make("diffwave", Recipe("fp32", folded=True))
    assert folded.manifest.recipe == "folded_fp32" and folded.manifest.sampler["folded"]
    assert np.abs(waveform(folded) - waveform(unfolded)).max() < 1e-5
    assert not any(row.name.startswith("shifts") for row in folded.manifest.layers)
    assert folded.manifest.graphs["step"].bytes["weights"] < unfolded.manifest.graphs["step"].bytes["weights"] / 10
    small = make("diffwave", Recipe("static", folded=True))
    assert snr(waveform(make("diffwave", STATIC)), waveform(small)) > 10  # the shifts are constants that were never rounded
    assert small.manifest.graphs["step"].kernels["QLinearConv"] == 2 * CONFIGS["diffwave"].layers


def test_the_last_layers_residual_is_not_computed(make: Make) -> None:
    artifact = make("diffwave", FP32)
    model = onnx.load(artifact.graph_path("step"))
    layers = CONFIGS["diffwave"].layers
    assert sum(node.op_type == "Div" for node in model.graph.node) == layers - 1 + 1  # of every residual but the last, and of the sum of skips


def test_dynamic_quantization_runs_integer_convolutions(make: Make) -> None:
    artifact = make("melgan", Recipe("dynamic"))
    graph = artifact.manifest.graphs["network"]
    assert graph.kernels["ConvInteger"] > 0 and "Conv" not in graph.kernels
    assert snr(waveform(make("melgan", FP32)), waveform(artifact)) > 15
    assert graph.bytes["weights"] < 0.3 * make("melgan", FP32).manifest.graphs["network"].bytes["weights"]
    assert list((artifact.folder / "graphs").iterdir()) == [artifact.graph_path("network")]


def test_integer_recipes_need_the_table_of_their_network(tmp_path: Path) -> None:
    with pytest.raises(VcompressError, match="static_w8a8 needs a scale table"):
        write_artifact(tiny_folded("melgan"), STATIC, "x", tmp_path / "artifact")
    with pytest.raises(VcompressError, match="has no entry for input:mel"):
        write_artifact(tiny_folded("melgan"), STATIC, "x", tmp_path / "artifact", ScaleTable({}))
    with pytest.raises(VcompressError, match="MelGAN has no schedule to fold"):
        write_artifact(tiny_folded("melgan"), Recipe("fp32", folded=True), "x", tmp_path / "artifact")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("failure", [VcompressError("no."), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()], ids=type)
def test_nothing_is_half_written_when_an_export_fails(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, kept: bool) -> None:
    """The last graph of two fails; what was there before stays as it was."""
    model = make("diffwave", FP32).graph_path("conditioner")
    monkeypatch.setattr(artifact_writer, "export_graph", lambda module, form, path, *_: path.write_bytes(model.read_bytes()))
    folder = tmp_path / "artifact"
    if kept:
        write_artifact(tiny_folded("diffwave"), FP32, "before", folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    graphs: list[Path] = []

    def fail(path: Path) -> dict[str, int]:
        graphs.append(path)
        if len(graphs) == 2:
            raise failure
        return {}

    monkeypatch.setattr(artifact_writer, "kernels", fail)
    with pytest.raises(KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else VcompressError):
        write_artifact(tiny_folded("diffwave"), FP32, "after", folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert len(list(tmp_path.iterdir())) == kept


def test_an_artifact_is_replaced_as_a_whole(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make("melgan", FP32).graph_path("network")
    monkeypatch.setattr(artifact_writer, "export_graph", lambda module, form, path, *_: path.write_bytes(model.read_bytes()))
    for name in ("first", "second"):
        write_artifact(tiny_folded("melgan"), FP32, name, tmp_path / "artifact")
    assert Artifact.open(tmp_path / "artifact").manifest.name == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]
