"""WaveRNN's steps for the compiled loop: the integers of the quantized graphs `coarse` and `fine`, as arrays that a board reads with numpy alone."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import VcompressError
from ..runtime.artifact import Artifact, Manifest
from ..runtime.backends.loop import FILE, FORMAT, STEPS
from ..runtime.sums import PRODUCT, Sums, readers_of
from ..runtime.wavernn.steps import HALVES, Half, Product, Steps
from .c.program import TargetFacts
from .c.reference.fixed_point import decompose, prove_accumulators

Grid = tuple[float, int]  # scale and zero point
Layer = tuple[np.ndarray, np.ndarray, np.ndarray, Grid, onnx.NodeProto | None]  # weights, bias, scales of the sums, grid of the data, what rounds the output

FOLDER = "loop"
SYMBOL, GATE, LOGIT = (2.0**-7, 128), (2.0**-11, 0), (2.0**-8, 0)  # scale and zero point of what a step takes and gives


def check_installed() -> None:
    """Nothing is needed that the ONNX export does not need."""


def derive(folder: Path, manifest: Manifest, target: TargetFacts | None) -> dict[str, str]:
    """Write `loop/steps.npz`. Raises VcompressError for an artifact that is no WaveRNN, or whose steps are not in integers throughout."""
    if manifest.sampler.get("name") != "wavernn":
        raise VcompressError(f"{manifest.name} is no WaveRNN, whose loop the format {FORMAT} is for; leave out --format {FORMAT}.")
    read_steps(folder, manifest).save(folder / FOLDER / FILE)
    return {STEPS: f"{FOLDER}/{FILE}"}


def read_steps(folder: Path, manifest: Manifest) -> Steps:
    """The steps of the artifact in `folder`. Raises VcompressError where they are not in integers throughout."""
    return Steps(*(_half(folder / manifest.graphs[half].file, manifest.name) for half in HALVES))


def summary(artifact: Artifact) -> str:
    """What the loop holds: a line for the terminal."""
    steps = Steps.read(artifact.derived_path(FORMAT, STEPS))
    matrices = [product.weights for half in (steps.coarse, steps.fine) for product in vars(half).values()]
    count, zeros = sum(m.size for m in matrices), sum(int((m == 0).sum()) for m in matrices)
    return f"Loop: {count:,} weights of 8 bits for {steps.units} units, {100 * zeros / count:.1f} % of them zero"


def _half(path: Path, name: str) -> Half:
    graph = onnx.load(path).graph
    reader = _Reader(graph, name)
    layers = [node for node in graph.node if node.op_type in ("Conv", PRODUCT)]  # in the order of the network: recurrent, input, hidden, logits
    products = [reader.product(node) for node in layers]
    grids = [(SYMBOL, GATE), (SYMBOL, GATE), (SYMBOL, None), (None, LOGIT)]
    if len(products) != len(grids):
        raise reader.refusal()
    for (_, found), wanted in zip(products, grids, strict=True):
        if any(want not in (None, have) for have, want in zip(found, wanted, strict=True)):
            raise reader.refusal()
    return Half(*(product for product, _ in products))


class _Reader:
    """Looks at one graph: what makes a tensor, what reads it."""

    def __init__(self, graph: onnx.GraphProto, name: str):
        self._name = name
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {output: node for node in graph.node for output in node.output}
        self._readers = readers_of(graph.node)

    def refusal(self) -> VcompressError:
        """Why a graph has no loop."""
        return VcompressError(f"The steps of {self._name} are not integers with the family's own bits; quantize it as static_w8a8 or qat_w8a8.")

    def product(self, node: onnx.NodeProto) -> tuple[Product, tuple[Grid, Grid]]:
        """A convolution or a product of one sample, and scale and zero point of what it takes and gives."""
        weights, bias, scales, taken, rounding = self._multiplied(node) if node.op_type == PRODUCT else self._convolved(node)
        if rounding is None or rounding.op_type != "QuantizeLinear" or weights.dtype != np.int8 or bias.dtype != np.int32:
            raise self.refusal()
        given = self._grid(rounding)
        prove_accumulators(node.name or self._name, weights, bias, -taken[1], 255 - taken[1])
        factors = scales / given[0]
        shift = int(decompose(factors.max(), 31)[1])
        return Product(weights, bias, np.rint(np.ldexp(factors, shift)).astype(np.int32), shift), (taken, given)

    def _convolved(self, node: onnx.NodeProto) -> Layer:
        weight, taken = self._dequantizer(node.input[1]), self._grid(self._dequantizer(node.input[0]))
        weights = self._array(weight.input[0]).squeeze(2)
        bias_maker = self._makers.get(node.input[2]) if len(node.input) > 2 else None
        bias = self._array(bias_maker.input[0]) if bias_maker is not None else np.zeros(len(weights), np.int32)
        return weights, bias, taken[0] * self._array(weight.input[1]).astype(np.float64), taken, self._reader(node)

    def _multiplied(self, node: onnx.NodeProto) -> Layer:
        sums, maker = Sums.of(node, self._readers, self._constants), self._makers.get(node.input[0])
        while maker is not None and maker.op_type == "Transpose":
            maker = self._makers.get(maker.input[0])
        if sums is None or maker is None or maker.op_type != "QuantizeLinear":
            raise self.refusal()
        weights = self._array(node.input[1]).T
        bias = self._array(sums.bias) if sums.bias else np.zeros(len(weights), np.int32)
        return np.ascontiguousarray(weights), bias, self._array(sums.scales).astype(np.float64), self._grid(maker), sums.rounding

    def _reader(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        readers = self._readers.get(node.output[0], [])
        return readers[0] if len(readers) == 1 else None

    def _dequantizer(self, name: str) -> onnx.NodeProto:
        maker = self._makers.get(name)
        if maker is None or maker.op_type != "DequantizeLinear":
            raise self.refusal()
        return maker

    def _grid(self, node: onnx.NodeProto) -> Grid:
        scale, zero_point = (self._array(name) for name in node.input[1:3])
        return float(scale), int(zero_point)

    def _array(self, name: str) -> np.ndarray:
        if name not in self._constants:
            raise self.refusal()
        return numpy_helper.to_array(self._constants[name])
