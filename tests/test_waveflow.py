"""WaveFlow: its likelihood, its inverse row by row, and one scale table in the form that is trained and in those that ship."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_bench import FRONT_END, babble
from tiny_vocoders import CONFIGS, calibrated, tiny_checkpoint, tiny_mels
from torch import Tensor
from torch.fx import Interpreter, Node
from torch.utils.flop_counter import FlopCounterMode

from vcompress.benchmarks.flops import executed_gflops_per_second
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.graph import PreparedGraph, source
from vcompress.compress.prepared import PreparedVocoder, run_form
from vcompress.compress.qat import FineTuning, fine_tune
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.compress.static import SCALES
from vcompress.compress.trainable import shipped_table, trainable
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact, GraphSpec, TensorSpec
from vcompress.runtime.backends import load
from vcompress.runtime.samplers import Tensors, make_sampler, waveflow
from vcompress.runtime.states import with_states
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.catalogue import catalogue
from vcompress.vocoders.objectives import LikelihoodObjective
from vcompress.vocoders.plan import TrainingPlan
from vcompress.vocoders.registry import find_family
from vcompress.vocoders.segments import Batch, Segments
from vcompress.vocoders.waveflow import FAMILY, SIZES, WaveFlow, WaveFlowConfig, row_forms, squeeze, unsqueeze
from vcompress.vocoders.waveflow_plain import PlainInverse

CONFIG: WaveFlowConfig = CONFIGS["waveflow"]
ODD = WaveFlowConfig(channels=4, height=8, flows=3, layers=3, upsample_strides=(16, 16))  # an odd number of flows turns the rows around
FRAMES = 4


def network_of(config: WaveFlowConfig) -> WaveFlow:
    """Random weights, none at zero: the flow changes what it is given."""
    network = tiny_checkpoint("waveflow", config).build()
    assert isinstance(network, WaveFlow)
    return network


def waveform_and_mel(batch: int = 2, frames: int = FRAMES) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(batch, 1, frames * 256, generator=draw), torch.rand(batch, 80, frames, generator=draw)


def test_a_column_is_neighbours_in_time() -> None:
    x = torch.arange(24.0).reshape(1, 1, 24)
    assert squeeze(x, 4)[0, 0, :, 1].tolist() == [4, 5, 6, 7]
    assert torch.equal(unsqueeze(squeeze(x, 4)), x)


@torch.no_grad()
@pytest.mark.parametrize("config", [CONFIG, ODD], ids=["even", "odd"])
def test_the_plain_inverse_gives_the_waveform_back(config: WaveFlowConfig) -> None:
    network = network_of(config)
    waveform, mel = waveform_and_mel()
    latent, _ = network(waveform, mel)
    assert latent.shape == waveform.shape and (latent - waveform).abs().max() > 0.1
    assert (PlainInverse(network)(latent, mel) - waveform).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("config", [CONFIG, ODD], ids=["even", "odd"])
def test_rows_that_are_kept_give_what_the_plain_inverse_does(config: WaveFlowConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(config)
    waveform, mel = waveform_and_mel(1)
    latent, _ = network(waveform, mel)
    assert (inverse_of(latent, mel, network, config, monkeypatch) - PlainInverse(network)(latent, mel)).abs().max() < 1e-5


def inverse_of(latent: Tensor, mel: Tensor, network: WaveFlow, config: WaveFlowConfig, monkeypatch: pytest.MonkeyPatch, run: Any = None) -> Tensor:
    """What the sampler makes of this latent instead of noise, by the float forms where no other `run` is given."""
    forms = {form.name: form for form in row_forms(network, config)}

    class Given:
        def __init__(self, seed: int):
            pass

        def normal(self, shape: tuple[int, ...]) -> np.ndarray:
            return latent.numpy().reshape(shape)

    with monkeypatch.context() as patch:
        patch.setattr(waveflow, "RandomStream", Given)
        sampler = make_sampler(FAMILY.sampler(config), config.hop_length)
        found = sampler.synthesize(run or (lambda graph, inputs: run_form(forms[graph], forms[graph].module, inputs)), mel[0].numpy())
    assert found.shape == (mel.shape[2] * config.hop_length,)  # no sample is dropped
    return torch.from_numpy(found).reshape(1, 1, -1)


@pytest.mark.parametrize(("size", "saved"), [("S", 5.28), ("M", 9.08), ("L", 9.25)])
def test_rows_that_are_kept_cost_a_fraction_of_the_plain_inverse(size: str, saved: float) -> None:
    """Of a 3x3 convolution height - 1 rows instead of (height - 1) (height / 2 + 2); the projections of the mel and the upsampler cost the same."""
    config = SIZES[size]
    sampler = make_sampler(FAMILY.sampler(config), config.hop_length)
    with torch.device("meta"), torch.no_grad():
        network = WaveFlow(config)
        flops = 0
        for form in row_forms(network, config, 25)[:2]:  # the flows cost the same
            with FlopCounterMode(display=False) as counter:
                form.module(*form.inputs.values())
            flops += counter.get_total_flops() * (1 if form.name == "conditioner" else 8 * sampler.calls[form.name])
    plain = next(row.gflops_per_second for row in catalogue() if (row.family, row.size) == ("waveflow", size))
    assert plain / (flops * 2.5 / 1e9) == pytest.approx(saved, rel=0.01)


def test_the_flow_begins_as_the_identity() -> None:
    waveform, mel = waveform_and_mel()
    latent, determinants = WaveFlow(CONFIG)(waveform, mel)
    assert torch.equal(latent, waveform) and not determinants.any()


def test_the_log_determinant_is_that_of_the_jacobian() -> None:
    network = network_of(ODD).double()
    waveform, mel = (tensor.double() for tensor in waveform_and_mel(1, 1))
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x, mel)[0], waveform).reshape(256, 256)
    assert network(waveform, mel)[1].sum().item() == pytest.approx(torch.linalg.slogdet(jacobian).logabsdet.item(), rel=1e-6)


def test_silence_and_then_a_loud_sample_do_not_overflow() -> None:
    """What likelihood rewards where a recording is silent: every log scale at its limit."""
    network = network_of(ODD)
    for flow in network.flows:
        torch.nn.init.constant_(flow.projection.bias, 1e6)
        flow.projection.bias.data[1] = 0
    waveform, mel = waveform_and_mel()
    waveform[..., :-7] = 0
    waveform[..., -7:] = 1
    loss = LikelihoodObjective().loss(network, Batch(mel, waveform, 0))
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    _, determinants = network(waveform, mel)
    rows = 2 * FRAMES * ODD.columns * (ODD.height - 1)
    torch.testing.assert_close(determinants, torch.full((3,), 4.0 * rows))


# --- the sampler ------------------------------------------------------------------------------------------------------------


def test_states_pass_untouched_and_are_the_two_rows_above() -> None:
    height, layers = 4, 2
    kept: dict[str, list[list[np.ndarray]]] = defaultdict(list)

    def run(graph: str, inputs: Tensors) -> Tensors:
        if graph == "conditioner":
            return {f"condition_{h}": np.full(3, h, np.uint8) for h in range(height)}
        calls = kept[graph]
        states = {name: array for name, array in inputs.items() if name not in ("previous", "latent", "condition")}
        expected = {f"newer_{i}": calls[-1][i] for i in range(layers) if calls} | {f"older_{i}": calls[-2][i] for i in range(layers) if len(calls) > 1}
        assert states.keys() == expected.keys() and all(states[name] is expected[name] for name in states)
        order = list(range(height)) if graph == "flow_0" else list(reversed(range(height)))
        assert inputs["condition"].tolist() == [order[len(calls) + 1]] * 3
        calls.append([np.array([len(calls), i], np.uint8) for i in range(layers)])
        return {"current": inputs["latent"] + inputs["previous"], **{f"seen_{i}": calls[-1][i] for i in range(layers)}}

    steps: list[int] = []
    sampler = make_sampler({"name": "waveflow", "height": height, "flows": 2, "sigma": 0.1}, 8)
    waveform = sampler.synthesize(run, np.zeros((80, 5), np.float32), seed=1, on_step=lambda k, w: steps.append(k))
    assert {graph: len(calls) for graph, calls in kept.items()} | {"conditioner": 1} == sampler.calls
    assert steps == [1, 0] and waveform.shape == (40,) and np.abs(waveform).max() <= 1
    quiet = make_sampler({"name": "waveflow", "height": height, "flows": 2, "sigma": 0.0}, 8)
    kept.clear()
    assert not quiet.synthesize(run, np.zeros((80, 5), np.float32)).any()


@pytest.mark.parametrize("settings", [{"sigma": -1}, {"sigma": "loud"}, {"height": 3}, {"flows": 0}, {"height": None}], ids=str)
def test_damaged_settings_are_refused(settings: dict) -> None:
    with pytest.raises(VcompressError, match="settings of the waveflow sampler are damaged"):
        make_sampler({"name": "waveflow", "height": 8, "flows": 8, "sigma": 1.0, **settings}, 256)


def test_a_state_that_is_not_given_is_its_zero_point() -> None:
    ports = (TensorSpec("x", (1, 1, "8*frames"), "float32"), TensorSpec("kept", (1, "8*frames", 3), "uint8", 0.1, 77))
    graph = GraphSpec("x.onnx", ports, (TensorSpec("seen", (1, "8*frames", 3), "uint8", 0.1, 77),), {}, {}, {"kept": "seen"})
    x = np.zeros((1, 1, 16), np.float32)
    found = with_states(graph, {"x": x})
    assert found["x"] is x and found["kept"].dtype == np.uint8 and found["kept"].shape == (1, 16, 3) and (found["kept"] == 77).all()
    given = {"x": x, "kept": np.ones((1, 16, 3), np.uint8)}
    assert with_states(graph, given) is given


# --- one table, two forms ---------------------------------------------------------------------------------------------------


class Noting(Interpreter):
    """Runs a prepared graph and notes the integers of each tensor that it computes."""

    def __init__(self, graph: PreparedGraph, found: dict[str, list[Tensor]]):
        super().__init__(graph.module)
        self._keys, self._found = graph.keys, found

    def run_node(self, n: Node) -> Any:
        result = super().run_node(n)
        if n.op == "call_module" and source(n).op == "call_function":
            scale, zero_point = self.module.get_submodule(str(n.target)).calculate_qparams()  # type: ignore[operator]
            if source(n).name in self._keys:  # else it is a weight
                self._found[self._keys[source(n).name]].append((result / scale + zero_point).round())
        return result


@torch.no_grad()
def test_one_table_gives_the_form_that_is_trained_the_integers_of_those_that_ship(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quantized flow can still be undone: what the rows compute from its latent are the integers that it computed, row by row."""
    vocoder, shipped, table = calibrated("waveflow")
    trained = PreparedVocoder(vocoder.family, vocoder.network, CONFIG, training=True)
    table.begin(trained.graphs.values())
    trained.mode(faking=True)
    shipped.mode(faking=True)
    waveform, mel = waveform_and_mel(1)
    forward: dict[str, list[Tensor]] = defaultdict(list)
    latent, _ = Noting(trained.graphs["forward"], forward).run(waveform, mel, enable_io_processing=False)
    backward: dict[str, list[Tensor]] = defaultdict(list)

    def run(graph: str, inputs: Tensors) -> Tensors:
        prepared = shipped.graphs[graph]
        inputs = {**prepared.form.zero_states({name: array.shape for name, array in inputs.items()}), **inputs}
        outputs = Noting(prepared, backward).run(*(torch.from_numpy(inputs[name]) for name in prepared.form.flat_inputs), enable_io_processing=False)
        return {name: tensor.numpy() for name, tensor in zip(prepared.form.outputs, outputs, strict=True)}

    found = inverse_of(latent, mel, vocoder.network, CONFIG, monkeypatch, run)
    shipped.mode()
    assert (found - waveform).abs().max() < 1e-4
    layers = {key for key in forward if key.startswith(("flows.", "upsampler."))}
    assert {key.rpartition(":")[2] for key in layers - backward.keys()} == {"pad"}  # which in a row is a concatenation with the rows before
    assert len(layers & backward.keys()) > 10 * CONFIG.flows * CONFIG.layers
    for key in layers & backward.keys():
        (expected,), again = forward[key], torch.cat(backward[key], dim=2)
        different = (expected - again).abs()
        assert different.max() <= 1 and different.count_nonzero() <= 1e-3 * different.numel(), key


def test_what_was_learned_goes_back_into_the_forms_that_ship() -> None:
    config = WaveFlowConfig(channels=2, height=4, flows=1, layers=2, upsample_strides=(256,))
    vocoder = FoldedVocoder.of(tiny_checkpoint("waveflow", config))
    training = trainable(vocoder, tiny_mels(1))
    before = ScaleTable.of(training.graphs.values()).entries
    learned = training.graphs["forward"].tensors["flows.0.layers.0:add_2"]
    with torch.no_grad():
        learned.stretch.fill_(0.01)
    table = shipped_table(vocoder, training, tiny_mels(1)).entries
    for key in ("flows.0.layers.0:add_2", "flows.0.layers.1:cat"):  # the second one only the rows have, with the same integers
        assert table[key].scale == pytest.approx(before["flows.0.layers.0:add_2"].scale * np.exp(0.1), rel=1e-5)
    assert table["flows.0.layers.1:add"] == before["flows.0.layers.1:add"]


def test_a_table_that_lacks_a_tensor_to_be_trained_is_refused() -> None:
    vocoder, _, table = calibrated("waveflow")
    training = PreparedVocoder(vocoder.family, vocoder.network, CONFIG, training=True)
    entries = {key: entry for key, entry in table.entries.items() if not key.startswith("flows.1.layers.0:")}
    with pytest.raises(VcompressError, match=r"no entry for flows\.1\.layers\.0:\w+ of graph forward"):
        ScaleTable(entries).begin(training.graphs.values())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Artifact]:
    """A run of two steps of QAT, and its artifact."""
    folder = tmp_path_factory.mktemp("qat")
    vocoder = FoldedVocoder.of(tiny_checkpoint("waveflow", WaveFlowConfig(channels=2, height=4, flows=1, layers=2, upsample_strides=(256,))))
    plan = TrainingPlan(steps=2, batch_size=2, frames=4, every=2, warmup=1, learning_rate=1e-3, accelerator="cpu")
    clips = Segments([babble(0.5), babble(0.4, 1)], FRONT_END, plan.frames)
    assert fine_tune(vocoder, FineTuning(plan, clips, clips, tiny_mels(1)), True, folder).complete
    return folder, write_artifact(FoldedVocoder.read(folder), Recipe("qat"), "tiny", folder / "artifact", ScaleTable.read(folder / SCALES))


def test_qat_trains_forward_and_ships_rows(trained: tuple[Path, Artifact]) -> None:
    _, artifact = trained
    waveform = synthesize(artifact, load("onnxruntime", artifact), tiny_mels(1)[0])
    assert np.isfinite(waveform).all() and waveform.any()
    assert set(artifact.manifest.graphs) == {"conditioner", "flow_0"}


def test_what_is_executed_can_be_counted(trained: tuple[Path, Artifact]) -> None:
    """Two layers' three convolutions, input and projection in three of four rows; the upsampler's three rows of two taps, once."""
    c = 2
    row = 2 * (9 * c * 2 * c + 80 * 2 * c + c * 2 * c) + c + 2 * c
    found = executed_gflops_per_second(trained[1])
    assert found == pytest.approx(2e-9 * 16000 * (row * 3 / 4 + 80 * 3 * 2), rel=0.02)


def test_states_and_conditions_are_integers_with_one_scale_at_both_ends(trained: tuple[Path, Artifact]) -> None:
    graphs = Artifact.open(trained[1].folder).manifest.graphs
    flow, table = graphs["flow_0"], ScaleTable.read(trained[0] / SCALES).entries
    ports = {port.name: port for port in (*flow.inputs, *flow.outputs)}
    assert flow.states == {f"{name}_{i}": f"seen_{i}" for name in ("older", "newer") for i in range(2)}
    for i, key in enumerate(("flows.0.input:conv2d", "flows.0.layers.0:add_2")):
        for name in (f"older_{i}", f"newer_{i}", f"seen_{i}"):
            assert (ports[name].dtype, ports[name].zero_point) == ("uint8", table[key].zero_point)
            assert ports[name].scale == pytest.approx(table[key].scale, rel=1e-6) and ports[name].shape[3] == 2  # channels last
    conditions = [*graphs["conditioner"].outputs, ports["condition"]]
    assert len(conditions) == 5 and {(port.dtype, port.scale, port.zero_point) for port in conditions} == {
        ("uint8", conditions[0].scale, table["upsampler:leaky_relu"].zero_point)
    }
    assert {name for name, port in ports.items() if port.dtype == "float32"} == {"previous", "latent", "current"}


@pytest.mark.parametrize("name", ["waveflow", "waveglow"])
def test_every_flow_of_an_imported_network_keeps_its_waveform_in_float(name: str) -> None:
    """However many it has: of those beyond the published number nothing is rounded that others keep."""
    family = find_family(name)
    config = replace(CONFIGS[name], flows=15)
    kept = {path.removeprefix("flows.0.") for path in family.floats(config) if path.startswith("flows.0.")}
    assert kept and family.floats(config).keys() >= {f"flows.{k}.{path}" for k in range(15) for path in kept}
