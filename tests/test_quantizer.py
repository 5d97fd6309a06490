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


@pytest.mark.parametrize(("name", "size"), [(row.family, row.size) for row in catalogue()])
def test_no_weight_layer_of_a_real_network_is_passed_over(name: str, size: str) -> None:
    family = find_family(name)
    with torch.device("meta"):  # nothing is computed: the graph decides
        forms = family.forms(fold(family.network(family.sizes[size])), family.sizes[size])
    unused = set(family.floats) | set(family.wide)
    for form in forms:
        graph = trace(form)
        keys = {node.name: key for node, key in tensor_keys(graph, form)}
        quantizer = VocoderQuantizer(keys, family.floats, family.wide)
        quantizer.annotate(graph)
        assert quantizer.quantized.keys() | quantizer.skipped.keys() == weight_layers(form)
        assert not quantizer.quantized.keys() & quantizer.skipped.keys()
        assert quantizer.skipped == {path: family.floats[path] for path in quantizer.skipped} and all(quantizer.skipped.values())
        unused -= set(keys.values()) | quantizer.skipped.keys()
    assert not unused  # every exception that the family asks for is one of this network's


@pytest.mark.parametrize("name", CONFIGS)
def test_every_weight_layer_gets_its_quantizers(name: str) -> None:
    vocoder, prepared, _ = calibrated(name)
    for graph in prepared.graphs.values():
        assert graph.quantized.keys() | graph.skipped.keys() == weight_layers(graph.form)
        assert graph.skipped.keys() == vocoder.family.floats.keys() & weight_layers(graph.form)
        quantizers = [module for module in graph.module.modules() if isinstance(module, WeightQuantizer)]
        assert len(quantizers) == len(graph.quantized)
    missing = {key for key in vocoder.family.wide if not any(key in graph.tensors for graph in prepared.graphs.values())}
    assert not missing


def test_wide_tensors_have_16_bits_and_all_others_8() -> None:
    vocoder, prepared, table = calibrated("hifigan")
    graph = prepared.graphs["network"]
    assert {key for key, quantizer in graph.tensors.items() if quantizer.bits == 16} == set(vocoder.family.wide)
    assert {key for key, entry in table.entries.items() if entry.bits == 16} == set(vocoder.family.wide)
    assert {path for path, bits in graph.quantized.items() if bits == 16} == {"stem", "stages.0.upsample.convolution"}
    assert all(table.entries[key].zero_point == 0 for key in vocoder.family.wide)


def test_bounded_outputs_have_the_scales_of_the_tables() -> None:
    _, _, table = calibrated("diffwave")
    for key, entry in table.entries.items():
        if key.endswith(":tanh"):
            assert (entry.scale, entry.zero_point) == (2.0**-7, 128)
        if key.endswith(":sigmoid"):
            assert (entry.scale, entry.zero_point) == (2.0**-8, 0)
    assert any(key.endswith(":tanh") for key in table.entries) and any(key.endswith(":sigmoid") for key in table.entries)


@pytest.mark.parametrize("name", CONFIGS)
def test_data_movement_shares_the_scale_of_what_it_moves(name: str) -> None:
    _, prepared, _ = calibrated(name)
    moved = 0
    for graph in prepared.graphs.values():
        for key, quantizer in graph.tensors.items():
            module, _, operator = key.rpartition(":")
            convolution = graph.tensors.get(f"{module}.convolution:conv1d")
            if convolution is not None and operator.split("_")[0] in ("reshape", "transpose", "slice"):
                assert quantizer is convolution
                moved += 1
    assert moved


def test_the_last_layer_hands_nothing_on() -> None:
    """DiffWave's layers give an input for the next; of the last nobody reads it, so nothing is computed or quantized for it."""
    _, prepared, table = calibrated("diffwave")
    last = CONFIGS["diffwave"].layers - 1
    divided = {key for key in table.entries if key.endswith(":div")}
    assert divided == {"denoiser:div", *(f"denoiser.layers.{i}:div" for i in range(last))}
    assert f"denoiser.layers.{last}.output" in prepared.graphs["step"].quantized  # its other half is the skip


def test_fake_quantizers_are_off_until_they_are_asked() -> None:
    _, prepared, _ = calibrated("melgan")
    quantizers = [module for module in prepared.modules() if isinstance(module, ActivationQuantizer | WeightQuantizer)]
    assert quantizers and not any(quantizer.faking for quantizer in quantizers)
    prepared.mode(faking=True)
    assert all(quantizer.faking for quantizer in quantizers)
    prepared.mode()
