"""Folding: other operators, the same numbers."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_vocoders import CONFIGS, tiny_checkpoint
from torch import nn
from torch.nn.utils import parametrize

from vcompress.compress.fold import PointwiseLinear, fold
from vcompress.compress.polyphase import Polyphase
from vcompress.errors import VcompressError
from vcompress.vocoders.registry import find_family


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> tuple[nn.ConvTranspose1d | nn.ConvTranspose2d, torch.Tensor]:
    """Any layer that has a polyphase form, and an input for it."""
    inputs, outputs, bias = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.booleans())
    kernel, stride, length = draw(st.integers(1, 9)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    padding, extra = draw(st.integers(0, kernel)), draw(st.integers(0, stride - 1))
    assume((length - 1) * stride - 2 * padding + kernel + extra > 0)  # torch gives no empty output
    torch.manual_seed(draw(st.integers(0, 1000)))
    if draw(st.booleans()):
        return nn.ConvTranspose1d(inputs, outputs, kernel, stride, padding, extra, bias=bias), torch.randn(2, inputs, length)
    height = draw(st.integers(1, 4))
    above = draw(st.integers(0, height - 1))
    layer = nn.ConvTranspose2d(inputs, outputs, (height, kernel), (1, stride), (above, padding), (0, extra), bias=bias)
    return layer, torch.randn(2, inputs, height + 2, length)


@given(transposed_convolutions())
@settings(deadline=None, max_examples=150)
@torch.no_grad()
def test_polyphase_equals_the_transposed_convolution(case: tuple[nn.ConvTranspose1d | nn.ConvTranspose2d, torch.Tensor]) -> None:
    layer, x = case
    expected, found = layer(x), Polyphase(layer)(x)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5


REFUSED = {
    "groups": nn.ConvTranspose1d(4, 4, 4, 2, groups=2),
    "dilation": nn.ConvTranspose1d(2, 2, 4, 2, dilation=2),
    "stride in height": nn.ConvTranspose2d(2, 2, 4, (2, 2)),
    "dilation in height": nn.ConvTranspose2d(2, 2, 4, (1, 2), dilation=(2, 1)),
    "more padding than kernel in height": nn.ConvTranspose2d(2, 2, (3, 4), (1, 2), padding=(3, 1)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_polyphase_refuses(what: str) -> None:
    with pytest.raises(VcompressError, match=r"no polyphase form.*\.$"):
        Polyphase(REFUSED[what])


@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_pointwise_linear_equals_the_linear_layer(bias: bool) -> None:
    linear, x = nn.Linear(5, 3, bias=bias), torch.randn(4, 5)
    torch.testing.assert_close(PointwiseLinear(linear)(x), linear(x))


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_a_folded_network_computes_what_it_did(name: str) -> None:
    checkpoint, family = tiny_checkpoint(name), find_family(name)
    network = checkpoint.build()
    inputs = [torch.rand_like(x) for x in family.inputs(checkpoint.config, 5)]
    expected = network(*inputs)
    folded = fold(network)
    torch.testing.assert_close(folded(*inputs), expected, atol=1e-5, rtol=1e-5)
    for module in folded.modules():
        assert not isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.Linear)
        assert not parametrize.is_parametrized(module)
