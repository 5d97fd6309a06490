"""Programs of integer steps for tests: chains of random layers, and the artifacts of tiny networks that have a C form."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from hypothesis import strategies as st
from tiny_vocoders import CONFIGS, sampler_of, tiny_checkpoint, tiny_mels

from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.export.artifact_writer import write_artifact
from vcompress.export.c.program import Convolution, Curve, Joined, Product, Program, Scaled, Step, Sum, Table, TargetFacts, Tensor, View
from vcompress.runtime.artifact import Artifact
from vcompress.vocoders.melgan import MelGANConfig

PICO = TargetFacts("pico", "q31")
NARROW = {
    "melgan": MelGANConfig(base_channels=2, residual_blocks=1, ratios=(16, 16), padding="zeros"),
    "hifigan": CONFIGS["hifigan"],
    "vocos": CONFIGS["vocos"],
}


@cache
def narrow(family: str) -> Artifact:
    """The static int8 artifact of a tiny network that streams, with its C files for a pico."""
    config = NARROW[family]
    folded = FoldedVocoder.of(tiny_checkpoint(family, config))
    prepared = PreparedVocoder(folded.family, folded.network, folded.trained.config)
    calibrate(prepared, sampler_of(folded), tiny_mels())
    table, folder = ScaleTable.of(prepared.graphs.values()), Path(mkdtemp()) / "artifact"
    anew = FoldedVocoder.of(tiny_checkpoint(family, config))
    return write_artifact(anew, Recipe("static"), f"{family}-narrow", folder, table, formats=("onnx", "c"), target=PICO)


class Chain:
    """A program in the making: each method adds a layer behind the last tensor."""

    def __init__(self, seed: int, mels: int = 3, bits: int = 8):
        self.rng = np.random.default_rng(seed)
        self.tensors = [Tensor("mel", mels, 1, bits, 0.01, int(self.rng.integers(-128, 128)) if bits == 8 else 0)]
        self.steps: list[Step] = []
        self.last = self.whole(0)

    def whole(self, index: int) -> View:
        tensor = self.tensors[index]
        return View(index, tensor.channels, tensor.rate, tensor.scale, tensor.extra)

    def tensor(self, channels: int, rate: int, bits: int, extra: int = 0) -> View:
        zero_point = int(self.rng.integers(-100, 100)) if bits == 8 else 0
        self.tensors.append(Tensor(f"t{len(self.tensors)}", channels, rate, bits, 2.0**-15, zero_point, extra))
        return self.whole(len(self.tensors) - 1)

    def convolution(
        self, channels: int, taps: int, dilation: int, before: int, bits: int = 8, groups: int = 1, extra: int = 0, source: View | None = None
    ) -> None:
        view = source or self.last
        weights = self.rng.integers(-127, 128, (channels, taps, view.channels // groups)).astype(np.int8)
        bias = self.rng.integers(-500, 500, channels).astype(np.int32)
        reach = (127 if self.tensors[view.tensor].bits == 8 else 32767) * 40 * np.sqrt(weights[0].size)
        factor = (127 if bits == 8 else 32767) / reach * self.rng.uniform(0.5, 2, channels)
        self.last = self.tensor(channels, view.rate, bits, extra)
        self.steps.append(Convolution(f"conv {len(self.steps)}", (view,), self.last.tensor, weights, bias, factor, dilation, before, groups))

    def upsample(self, channels: int, ratio: int, crop: int) -> None:
        self.convolution(channels * ratio, 2, 1, 1, extra=1)
        rate = self.last.rate * ratio
        self.last = View(self.last.tensor, channels, rate, self.last.scale, 0, ratio, crop)

    def table(self) -> None:
        view = self.last
        self.last = self.tensor(view.channels, view.rate, 8)
        self.steps.append(Table("table", (view,), self.last.tensor, self.rng.integers(-128, 128, 256).astype(np.int8)))

    def sum(self, other: View, bits: int = 8) -> None:
        views = sorted((self.last, other), key=lambda view: self.tensors[view.tensor].bits)
        factors = tuple(float(self.rng.uniform(-0.7, 0.7)) * 2.0 ** (bits - self.tensors[view.tensor].bits) for view in views)
        self.last = self.tensor(views[0].channels, views[0].rate, bits)
        self.steps.append(Sum("sum", tuple(views), self.last.tensor, factors))  # type: ignore[arg-type]

    def product(self, other: View) -> None:
        views = sorted((self.last, other), key=lambda view: self.tensors[view.tensor].bits)
        self.last = self.tensor(views[0].channels, views[0].rate, 8)
        reach = [2 ** self.tensors[view.tensor].bits for view in views]
        self.steps.append(Product("product", tuple(views), self.last.tensor, 256 / reach[0] / reach[1]))

    def joined(self, first: View, second: View) -> None:
        tensor = self.tensors[first.tensor]
        made = self.tensor(first.channels + second.channels, first.rate, tensor.bits)
        self.steps.append(Joined("joined", (first, second), made.tensor))
        self.last = made

    def program(self) -> Program:
        """A convolution that looks both ways, leaky ReLU and tanh in 16 bits end it."""
        self.convolution(2, 3, 1, 1, bits=16)
        view = self.last
        self.last = self.tensor(2, view.rate, 16)
        self.steps.append(Scaled("leaky", (view,), self.last.tensor, 0.8, 0.2))
        self.convolution(1, 3, 1, 1, bits=16)
        view = self.last
        self.last = self.tensor(1, view.rate, 16)
        curve = np.rint(32767 * np.tanh(np.linspace(-3, 3, 257))).astype(np.int16)
        self.steps.append(Curve("tanh", (view,), self.last.tensor, curve))
        return Program("chain", 16000, self.last.rate, tuple(self.tensors), tuple(self.steps), 0, self.last)


@st.composite
def chains(draw: st.DrawFn) -> Program:
    """Convolutions of any reach, upsamplings, branches that are late and come together again."""
    chain = Chain(draw(st.integers(0, 2**32 - 1)), bits=draw(st.sampled_from((8, 16))))
    chain.convolution(4, draw(st.integers(1, 4)), 1, 0)
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("branch", "upsample", "depthwise", "table", "product")))
        taps, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        before = draw(st.integers(0, (taps - 1) * dilation))
        if kind == "upsample":
            ratio = draw(st.integers(2, 4))
            chain.upsample(4, ratio, draw(st.integers(0, ratio)))
        elif kind == "depthwise":
            chain.convolution(4, taps, dilation, before, groups=4)
        elif kind == "table":
            chain.table()
        else:
            trunk = chain.last
            chain.convolution(4, taps, dilation, before, bits=draw(st.sampled_from((8, 16))))
            chain.sum(trunk) if kind == "branch" else chain.product(trunk)
    return chain.program()


def integer_mel(program: Program, frames: int, seed: int = 0) -> np.ndarray:
    """Any integers, (frames, n_mels)."""
    tensor = program.tensors[program.input]
    limit = 1 << (tensor.bits - 1)
    return np.random.default_rng(seed).integers(-limit, limit, (frames, tensor.channels))


def state_program() -> Program:
    """y(t) = table(x(t) + y(t - 1)): a state of 16 bits, and what a recurrent step is made of."""
    tensors = (Tensor("mel", 2, 1, 8, 0.01, 3), Tensor("sum", 2, 1, 16, 2.0**-15), Tensor("state", 2, 1, 16, 2.0**-15), Tensor("out", 1, 1, 16, 2.0**-15))
    before = View(2, 2, 1, 2.0**-15, start=-1)
    steps = (
        Sum("sum", (View(0, 2, 1, 0.01), before), 1, (200.0, 0.5)),
        Curve("tanh", (View(1, 2, 1, 2.0**-15),), 2, np.rint(32767 * np.tanh(np.linspace(-2, 2, 257))).astype(np.int16)),
        Convolution("head", (View(2, 2, 1, 2.0**-15),), 3, np.array([[[90, -70]]], np.int8), np.array([5], np.int32), np.array([0.004])),
    )
    return Program("state", 16000, 1, tensors, steps, 0, View(3, 1, 1, 2.0**-15))
