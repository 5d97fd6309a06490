"""The scale table: kept, read, refused, and the same in every form of a network."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_vocoders import calibrated, tiny_folded
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter, Node

from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.graph import PreparedGraph, prepare, tensor_keys
from vcompress.compress.scale_table import Entry, ScaleTable
from vcompress.errors import VcompressError
from vcompress.vocoders.forms import Form, Nested

ENTRIES = {"input:mel": Entry(0.1, 3), "stem:conv1d": Entry(2.0**-15, 0, 16), "head:tanh": Entry(2.0**-7, 128)}


def test_a_table_that_was_saved_reads_the_same(tmp_path: Path) -> None:
    ScaleTable(ENTRIES).save(tmp_path / "scales.json")
    assert ScaleTable.read(tmp_path / "scales.json") == ScaleTable(ENTRIES)
    assert [path.name for path in tmp_path.iterdir()] == ["scales.json"]


def test_a_calibrated_table_survives_saving_to_the_bit(tmp_path: Path) -> None:
    _, _, table = calibrated("diffwave")
    table.save(tmp_path / "scales.json")
    assert ScaleTable.read(tmp_path / "scales.json").entries == table.entries


BAD: dict[str, Any] = {
    "no file": lambda path: path.unlink(),
    "empty": lambda path: path.write_text(""),
    "cut": lambda path: path.write_text(path.read_text()[:-5]),
    "a list": lambda path: path.write_text("[1, 2]"),
    "an entry without zero point": lambda path: path.write_text('{"a": [1.0, 8]}'),
    "words": lambda path: path.write_text('{"a": ["x", 0, 8]}'),
    "a negative scale": lambda path: path.write_text('{"a": [-1.0, 0, 8]}'),
    "a scale of zero": lambda path: path.write_text('{"a": [0, 0, 8]}'),
    "NaN": lambda path: path.write_text('{"a": [NaN, 0, 8]}'),
    "a zero point above 255": lambda path: path.write_text('{"a": [1.0, 256, 8]}'),
    "a zero point of 16 bits": lambda path: path.write_text('{"a": [1.0, 1, 16]}'),
    "12 bits": lambda path: path.write_text('{"a": [1.0, 0, 12]}'),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("what", BAD)
def test_read_refuses(tmp_path: Path, what: str) -> None:
    path = tmp_path / "scales.json"
    path.write_text(json.dumps({key: [e.scale, e.zero_point, e.bits] for key, e in ENTRIES.items()}))
    act: Callable[[Path], object] = BAD[what]
    act(path)
    with pytest.raises(VcompressError, match=re.escape(str(path))) as caught:
        ScaleTable.read(path)
    assert str(caught.value).endswith("again.") and "\n" not in str(caught.value)


# --- one table, several forms -----------------------------------------------------------------------------------------------


class WholeForm(nn.Module):
    """The whole DiffWave as it is trained, in one graph."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.conditioner, self.shifts, self.denoiser = network.conditioner, network.shifts, network.denoiser

    def forward(self, audio: Tensor, code: Tensor, mel: Tensor) -> Tensor:
        return self.denoiser(audio, self.shifts(code), self.conditioner(mel))


def with_scales(vocoder: FoldedVocoder, form: Form, table: ScaleTable, batched: bool = False) -> PreparedGraph:
    prepared = prepare(form, vocoder.family.floats(vocoder.trained.config), vocoder.family.wide(vocoder.trained.config), batched)
    table.apply(prepared)
    return prepared


class Integers(Interpreter):
    """Runs a converted graph and notes the integers of every named tensor; `given` takes the place of what would be computed."""

    def __init__(self, graph: PreparedGraph, given: Mapping[str, Tensor] | None = None):
        self._keys = {node.name: key for node, key in tensor_keys(graph.module, graph.form)}
        graph.module(*graph.form.inputs.values())  # the weight quantizers see their weights
        super().__init__(graph.converted())
        self.given, self.found = dict(given or {}), dict[str, Tensor]()

    def run_node(self, n: Node) -> Any:
        result = super().run_node(n)
        if "quantize_per_tensor" in str(n.target) and "dequantize" not in str(n.target) and n.args[0].name in self._keys:
            key = self._keys[n.args[0].name]
            result = self.given.get(key, result)
            self.found.setdefault(key, result)
            assert torch.equal(self.found[key], result)  # all who read a tensor read the same integers
        return result


@torch.no_grad()
def integers(graph: PreparedGraph, inputs: Mapping[str, Nested], given: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Table key -> the integers that a form computes on these inputs."""
    interpreter = Integers(graph, given)
    flat = [tensor for name in graph.form.inputs for tensor in (inputs[name] if isinstance(inputs[name], list) else [inputs[name]])]
    assert isinstance(interpreter.module, GraphModule)
    interpreter.run(*flat, enable_io_processing=False)
    return interpreter.found


@pytest.fixture(scope="module")
def diffwave() -> tuple[FoldedVocoder, ScaleTable, dict[str, Nested], dict[str, Tensor]]:
    """The vocoder, its table, inputs for its forms, and the integers that conditioner and step, a batch of one, make of them."""
    _, _, table = calibrated("diffwave")
    vocoder = tiny_folded("diffwave")
    conditioner, step = vocoder.family.forms(vocoder.network, vocoder.trained.config)
    inputs: dict[str, Nested] = {**conditioner.inputs, **step.inputs}
    with torch.no_grad():
        inputs["condition"] = vocoder.network.conditioner(inputs["mel"])
    found = integers(with_scales(vocoder, conditioner, table), inputs)
    conditions = {key: found[key] for key in step.links.values()}
    found |= integers(with_scales(vocoder, step, table), inputs, conditions)
    return vocoder, table, inputs, found


def test_the_whole_training_graph_has_the_integers_of_conditioner_and_step(diffwave: Any) -> None:
    vocoder, table, inputs, expected = diffwave
    arguments = {name: inputs[name] for name in ("audio", "code", "mel")}
    form = Form("whole", WholeForm(vocoder.network), arguments, {"audio": {2: 256}, "mel": {2: 1}}, ("noise",))
    whole = with_scales(vocoder, form, table, batched=True)
    assert whole.tensors.keys() == table.entries.keys()
    found = integers(whole, inputs)
    assert table.entries.keys() < found.keys() == expected.keys()  # beyond the table: what is scaled by a number, whose scale follows
    for key, value in expected.items():
        assert value.dtype == found[key].dtype
        assert torch.equal(found[key], value), key


def test_the_folded_schedule_has_the_integers_of_the_unfolded_step(diffwave: Any) -> None:
    vocoder, table, inputs, expected = diffwave
    folded = vocoder.with_schedule_folded()
    _, step = folded.family.forms(folded.network, folded.trained.config)
    graph = with_scales(folded, step, table)
    shared = graph.tensors.keys() & expected.keys()
    assert shared == graph.tensors.keys()  # nothing in it that the one table does not know
    given = {key: expected[key] for key in (*step.links.values(), *(key for key in shared if key.startswith("shifts:")))}
    found = integers(graph, {**inputs, "step": torch.tensor([2])}, given)
    assert sum(key.startswith("shifts:") for key in given) == vocoder.trained.config.layers
    for key in shared:
        assert torch.equal(found[key], expected[key]), key


def test_apply_refuses_a_table_that_lacks_a_tensor_or_has_it_in_other_bits(diffwave: Any) -> None:
    vocoder, table, _, _ = diffwave
    conditioner, _ = vocoder.family.forms(vocoder.network, vocoder.trained.config)
    graph = prepare(conditioner, vocoder.family.floats(vocoder.trained.config))
    key = "conditioner.projections.0:conv1d"
    for entries in ({k: e for k, e in table.entries.items() if k != key}, {**table.entries, key: Entry(1.0, 0, 16)}):
        with pytest.raises(VcompressError, match=rf"no entry for {key} of graph conditioner; quantize"):
            ScaleTable(entries).apply(graph)


def test_a_table_needs_a_calibration_that_reached_every_tensor() -> None:
    vocoder = tiny_folded("diffwave")
    conditioner, _ = vocoder.family.forms(vocoder.network, vocoder.trained.config)
    with pytest.raises(VcompressError, match="never reached input:mel of graph conditioner"):
        ScaleTable.of([prepare(conditioner, vocoder.family.floats(vocoder.trained.config))])
