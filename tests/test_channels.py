"""Channels that are taken away: who is tied to whom, and a smaller network that computes what the masked one does."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_vocoders import CONFIGS, sampler_of, tiny_folded, tiny_mels
from torch import Tensor, nn

from vcompress.compress.channels import Slot, Tied, least_important, tied_channels
from vcompress.compress.folded import WEIGHTS, FoldedVocoder
from vcompress.compress.graph import trace
from vcompress.compress.prepared import run_form
from vcompress.compress.pruning import shrunk
from vcompress.compress.recipes import find_recipe
from vcompress.compress.shrinking import without
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.forms import Form


@cache
def ties(family: str) -> list[Tied]:
    vocoder = tiny_folded(family)
    return tied_channels(vocoder.family.forms(vocoder.network, vocoder.trained.config))


def layers_with(tied: list[Tied], path: str, side: str) -> list[set[str]]:
    """Of each set that holds a side of a layer, all that it holds, such as "stem out"."""
    return [{f"{layer} {where}" for layer, where in alike.layers} for alike in tied if (path, side) in alike.layers]


@torch.no_grad()
def masked(network: nn.Module, gone: set[Slot]) -> nn.Module:
    """A copy with zeros where a slot is written or read."""
    network = copy.deepcopy(network)
    for path, side, channel in gone:
        layer: Any = network.get_submodule(path)
        layer.weight.select(1 if side == "in" else 0, channel).zero_()
        if side != "in" and layer.bias is not None:
            layer.bias[channel] = 0
    return network


@pytest.mark.parametrize("family", CONFIGS)
def test_the_shrunk_network_computes_what_the_masked_one_does(family: str, tmp_path: Path) -> None:
    vocoder = tiny_folded(family)
    gone = least_important(vocoder.network, ties(family), 0.5)
    small = vocoder.with_weights(without(vocoder.network, gone))
    torch.manual_seed(1)
    inputs = [torch.rand_like(x).double() for x in vocoder.family.inputs(vocoder.trained.config, 6)]
    outputs: list[Tensor] = []
    for network in (small.network, masked(vocoder.network, gone), vocoder.network):
        given = copy.deepcopy(network).double()(*inputs)
        outputs.append(given[0] if isinstance(given, tuple) else given)
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-9)
    assert not torch.allclose(outputs[1], outputs[2], rtol=0, atol=1e-4)  # what went had a say
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (small.network, vocoder.network)]
    assert sizes[0] < 0.7 * sizes[1]

    small.save(tmp_path)
    again = FoldedVocoder.read(tmp_path)
    assert all(torch.equal(value, again.network.state_dict()[key]) for key, value in small.network.state_dict().items())
    for form in again.family.forms(again.network, again.trained.config):  # what is exported: graphs with free frames
        given = run_form(form, trace(form), _inputs(form))
        assert all(np.isfinite(array).all() for array in given.values())


def _inputs(form: Form) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in form.flat_inputs.items()}


def test_a_shrunk_vocoder_ships_with_links_between_its_graphs(tmp_path: Path) -> None:
    small = shrunk(tiny_folded("diffwave"), 0.5)
    artifact = write_artifact(small, find_recipe("channels50_fp32"), "tiny", tmp_path / "artifact")
    kernels = sum(parameter.numel() for parameter in small.network.parameters() if parameter.ndim > 1)
    assert sum(graph.bytes["weights"] for graph in artifact.manifest.graphs.values()) == 4 * kernels
    forms = {form.name: form for form in small.family.forms(small.network, small.trained.config)}
    expected = sampler_of(small).synthesize(lambda name, inputs: run_form(forms[name], forms[name].module, inputs), tiny_mels(1)[0], 0)
    np.testing.assert_allclose(synthesize(artifact, load("onnxruntime", artifact, 1), tiny_mels(1)[0], 0), expected, rtol=0, atol=1e-4)


def test_what_is_summed_goes_together() -> None:
    tied = ties("hifigan")
    (stream,) = layers_with(tied, "stages.1.upsample.convolution", "out")
    block = "stages.1.blocks"
    assert stream >= {f"{block}.{j}.undilated.0 out" for j in (0, 1)} | {f"{block}.{j}.dilated.0 in" for j in (0, 1)} | {"head in"}
    (inner,) = layers_with(tied, f"{block}.0.dilated.0", "out")
    assert inner == {f"{block}.0.dilated.0 out", f"{block}.0.undilated.0 in"}


def test_the_phases_of_an_upsampled_channel_go_together() -> None:
    tied = ties("melgan")
    (alike,) = [one for one in tied if ("stages.0.upsample.convolution", "out") in one.layers]
    for group in alike.groups:
        phases = sorted(channel for path, side, channel in group if (path, side) == ("stages.0.upsample.convolution", "out"))
        assert phases == list(range(phases[0], phases[0] + 16)) and phases[0] % 16 == 0


def test_the_halves_of_a_gate_go_together_through_the_link_between_two_graphs() -> None:
    (alike,) = [one for one in ties("diffwave") if ("denoiser.layers.0.dilated", "out") in one.layers]
    assert ("conditioner.projections.0", "out") in alike.layers and len(alike.groups) == 4
    for group in alike.groups:
        tanh, sigmoid = sorted(channel for path, side, channel in group if (path, side) == ("denoiser.layers.0.dilated", "out"))
        assert sigmoid == tanh + 4
        assert [channel for path, _, channel in group if path == "denoiser.layers.0.output"] == [tanh]


def test_what_enters_or_leaves_stays_and_so_does_what_is_added_to_a_constant() -> None:
    held = {slot for tied in ties("wavegrad") for slot in tied.layers}
    assert not held & {("denoiser.input", "in"), ("denoiser.output", "out"), ("conditioner.stem", "in")}
    assert not held & {("denoiser.films.0.input", "out"), ("denoiser.films.0.scale", "in")}  # the code of the noise level is added there
    flows = {slot for tied in ties("waveglow") for slot in tied.layers}
    assert not any(path.endswith("mix") or (path.endswith("start") and side == "in") or (path.endswith("end") and side == "out") for path, side in flows)


def test_the_channels_with_the_smallest_weights_go_and_one_stays() -> None:
    vocoder = tiny_folded("melgan")
    stem = vocoder.network.get_submodule("stem")
    with torch.no_grad():
        stem.weight[[1, 5]] *= 1e-3
    tied = [one for one in ties("melgan") if ("stem", "out") in one.layers]
    assert {channel for path, side, channel in least_important(vocoder.network, tied, 2 / 16) if (path, side) == ("stem", "out")} == {1, 5}
    assert len([slot for slot in least_important(vocoder.network, tied, 0.999) if slot[:2] == ("stem", "out")]) == 15


def test_too_little_to_take_away_is_said() -> None:
    with pytest.raises(VcompressError, match="no channels to take away"):
        shrunk(tiny_folded("melgan"), 0.01)


@pytest.mark.parametrize("change", ["one layer", "wider", "phases", "kernel"])
def test_weights_that_do_not_fit_each_other_are_damaged(tmp_path: Path, change: str) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    tiny_folded("melgan").save(tmp_path)
    with safe_open(tmp_path / WEIGHTS, framework="pt") as file:
        metadata, weights = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    key = "stages.0.upsample.convolution" if change == "phases" else "stem"
    weight, bias = weights[f"{key}.weight"], weights[f"{key}.bias"]
    changed = {
        "one layer": (weight[:3], bias[:3]), "wider": (torch.cat([weight, weight]), torch.cat([bias, bias])),
        "phases": (weight[:-1], bias[:-1]), "kernel": (weight[..., :-1], bias),
    }[change]  # fmt: skip
    weights |= {f"{key}.weight": changed[0].contiguous(), f"{key}.bias": changed[1].contiguous()}
    save_file(weights, tmp_path / WEIGHTS, metadata)
    with pytest.raises(VcompressError, match="is damaged"):
        FoldedVocoder.read(tmp_path)
