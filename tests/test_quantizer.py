"""Where quantization happens: every weight layer is quantized, or skipped with a reason."""

import pytest
import torch
from tiny_vocoders import CONFIGS, calibrated

from vcompress.compress.fake_quantize import ActivationQuantizer, WeightQuantizer
from vcompress.compress.fold import fold
from vcompress.compress.graph import tensor_keys, trace
from vcompress.compress.quantizer import WEIGHTED_MODULES, VocoderQuantizer
from vcompress.vocoders.catalogue import catalogue
from vcompress.vocoders.forms import Form
from vcompress.vocoders.registry import find_family


def weight_layers(form: Form) -> set[str]:
    return {path for path, module in form.module.named_modules() if isinstance(module, WEIGHTED_MODULES)}


# The flows' sizes differ in width and rows, not in their graph, which takes seconds to trace.
REAL = [(row.family, row.size) for row in catalogue() if row.size == "S" or row.family not in ("waveflow", "waveglow")]


@pytest.mark.parametrize(("name", "size"), REAL)
def test_no_weight_layer_of_a_real_network_is_passed_over(name: str, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcompress.compress.graph.dynamic_shapes", lambda form, batched: None)  # of no matter here, and slow
    family = find_family(name)
    with torch.device("meta"):  # nothing is computed: the graph decides
        network, config = fold(family.network(family.sizes[size])), family.sizes[size]
        forms = family.forms(network, config) + (family.training_forms(network, config) if family.training_forms else [])
    floats, wide = family.floats(config), family.wide(config)
    unused = set(floats) | set(wide)
    for form in forms:
        graph = trace(form)
        keys = {node.name: key for node, key in tensor_keys(graph, form)}
        quantizer = VocoderQuantizer(keys, floats, wide)
        quantizer.annotate(graph)
        assert quantizer.quantized.keys() | quantizer.skipped.keys() == weight_layers(form)
        assert not quantizer.quantized.keys() & quantizer.skipped.keys()
        assert quantizer.skipped == {path: floats[path] for path in quantizer.skipped} and all(quantizer.skipped.values())
        unused -= set(keys.values()) | quantizer.skipped.keys()
    assert not unused  # every exception that the family asks for is one of this network's


@pytest.mark.parametrize("name", CONFIGS)
def test_every_weight_layer_gets_its_quantizers(name: str) -> None:
    vocoder, prepared, _ = calibrated(name)
    for graph in prepared.graphs.values():
        assert graph.quantized.keys() | graph.skipped.keys() == weight_layers(graph.form)
        assert graph.skipped.keys() == vocoder.family.floats(vocoder.trained.config).keys() & weight_layers(graph.form)
        quantizers = [module for module in graph.module.modules() if isinstance(module, WeightQuantizer)]
        assert len(quantizers) == len(graph.quantized)


@pytest.mark.parametrize("name", ["melgan", "hifigan"])
def test_wide_tensors_have_16_bits_and_all_others_8(name: str) -> None:
    vocoder, prepared, table = calibrated(name)
    wide, graph = vocoder.family.wide(vocoder.trained.config), prepared.graphs["network"]
    found = {key: entry for key, entry in table.entries.items() if entry.bits == 16}
    assert found.keys() == {key for key, quantizer in graph.tensors.items() if quantizer.bits == 16} == wide.keys() & graph.tensors.keys()
    assert all(entry.zero_point == 0 for entry in found.values())
    for path, bits in graph.quantized.items():
        assert (bits.output == 16) == (f"{path}:conv1d" in wide)
        assert bool(bits.reason) == (16 in (bits.input, bits.output))
    assert any(bits.input == 16 for bits in graph.quantized.values())


def test_bounded_outputs_have_the_scales_of_the_tables() -> None:
    _, _, table = calibrated("diffwave")
    for key, entry in table.entries.items():
        if key.endswith(":tanh"):
            assert (entry.scale, entry.zero_point) == (2.0**-7, 128)
        if key.endswith(":sigmoid"):
            assert (entry.scale, entry.zero_point) == (2.0**-8, 0)
    assert any(key.endswith(":tanh") for key in table.entries) and any(key.endswith(":sigmoid") for key in table.entries)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "wavegrad"])  # it has no transposed convolution
def test_data_movement_shares_the_scale_of_what_it_moves(name: str) -> None:
    _, prepared, _ = calibrated(name)
    moved = 0
    for graph in prepared.graphs.values():
        for key, quantizer in graph.tensors.items():
            module, _, operator = key.rpartition(":")
            convolution = graph.tensors.get(f"{module}.convolution:conv1d", graph.tensors.get(f"{module}.convolution:conv2d"))
            if convolution is not None and operator.split("_")[0] in ("reshape", "transpose", "permute", "slice"):
                assert quantizer is convolution
                moved += 1
    assert moved


def test_the_last_layer_hands_nothing_on() -> None:
    """DiffWave's layers give an input for the next; of the last nobody reads it, so nothing is computed or quantized for it."""
    _, prepared, table = calibrated("diffwave")
    last = CONFIGS["diffwave"].layers - 1
    added = [sum(key.startswith(f"denoiser.layers.{i}:add") for key in table.entries) for i in range(last + 1)]
    assert added == [3] * last + [2]  # the shift, the condition, and the residual
    assert f"denoiser.layers.{last}.output" in prepared.graphs["step"].quantized  # its other half is the skip


def test_fake_quantizers_are_off_until_they_are_asked() -> None:
    _, prepared, _ = calibrated("melgan")
    quantizers = [module for module in prepared.modules() if isinstance(module, ActivationQuantizer | WeightQuantizer)]
    assert quantizers and not any(quantizer.faking for quantizer in quantizers)
    prepared.mode(faking=True)
    assert all(quantizer.faking for quantizer in quantizers)
    prepared.mode()
