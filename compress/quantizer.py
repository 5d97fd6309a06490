"""Where quantization happens: the PT2E quantizer that knows the layers of these networks.

torch's own quantizers annotate no Conv1d (X86Inductor) or lower nothing to ONNX's integer operators; this one annotates what
ONNX Runtime, TFLite and the C kernels run in integers, and says of every weight layer that it leaves alone why.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e.quantizer import (
    DerivedQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)

from .fake_quantize import ActivationQuantizer, WeightQuantizer

aten = torch.ops.aten
WEIGHTED_MODULES = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Linear)
WEIGHTED = {aten.conv1d.default, aten.conv1d.padding, aten.conv2d.default, aten.linear.default}
BINARY = {aten.add.Tensor, aten.mul.Tensor}
SCALING = {aten.mul.Tensor, aten.div.Tensor}  # by a number: the integers stay, the scale changes
UNARY = {aten.leaky_relu.default, aten.relu.default}
# Range known beforehand: the tables of TFLite and of the C kernels use the same (2^-8 and 2^-7).
BOUNDED = {aten.sigmoid.default: (2.0**-8, 0), aten.tanh.default: (2.0**-7, 128)}
NARROWING = {aten.hardtanh.default: (2.0**-7, 128)}  # what lies within 1, a state of 16 bits or a float input, rounded to 8 for a matrix product
BLENDING = {aten.lerp.Tensor}  # a recurrent layer's state between the old one and the candidate: one rounding for the three products
WIDE_BOUNDED = 2.0**-15
MOVEMENT = {
    aten.reshape.default,
    aten.view.default,
    aten.transpose.int,
    aten.permute.default,
    aten.slice.Tensor,
    aten.unsqueeze.default,
    aten.squeeze.dim,
    aten.squeeze.default,
    aten.pad.default,
    aten.flip.default,
}
JOINING = {aten.cat.default}
ANNOTATION = "quantization_annotation"

ACTIVATION = QuantizationSpec(dtype=torch.uint8, quant_min=0, quant_max=255, qscheme=torch.per_tensor_affine, observer_or_fake_quant_ctr=ActivationQuantizer)
SYMMETRIC = replace(ACTIVATION, dtype=torch.int8, quant_min=-128, quant_max=127, observer_or_fake_quant_ctr=ActivationQuantizer.with_args(symmetric=True))
SYMMETRIC_BOUNDED = 2.0**-7  # of sigmoid and tanh: 1 is clipped to 127 / 128
WIDE = QuantizationSpec(
    dtype=torch.int16,
    quant_min=-32767,
    quant_max=32767,
    qscheme=torch.per_tensor_affine,
    observer_or_fake_quant_ctr=ActivationQuantizer.with_args(wide=True),
)
WEIGHT = QuantizationSpec(
    dtype=torch.int8, quant_min=-127, quant_max=127, qscheme=torch.per_channel_symmetric, ch_axis=0, observer_or_fake_quant_ctr=WeightQuantizer
)


@cache
def _on_grid(scale: float) -> QuantizationSpec:
    """16 bits with a scale that is chosen."""
    return replace(WIDE, observer_or_fake_quant_ctr=ActivationQuantizer.with_args(fixed=(scale, 0), wide=True))


def _bounded(scale: float, zero_point: int, wide: bool = False) -> QuantizationSpec:
    if wide:
        return _on_grid(WIDE_BOUNDED)
    return replace(ACTIVATION, observer_or_fake_quant_ctr=ActivationQuantizer.with_args(fixed=(scale, zero_point)))


def _bounded_symmetric() -> QuantizationSpec:
    return replace(SYMMETRIC, observer_or_fake_quant_ctr=ActivationQuantizer.with_args(fixed=(SYMMETRIC_BOUNDED, 0), symmetric=True))


def _bias(layer: Node) -> DerivedQuantizationSpec:
    """int32, scale = activation scale x weight scale of each channel."""

    def product(observers: list) -> tuple[torch.Tensor, torch.Tensor]:
        scale = observers[0].calculate_qparams()[0] * observers[1].calculate_qparams()[0]
        return scale, torch.zeros_like(scale, dtype=torch.int32)

    return DerivedQuantizationSpec(
        derived_from=[(layer.args[0], layer), (layer.args[1], layer)],  # type: ignore[list-item]
        derive_qparams_fn=product,
        dtype=torch.int32,
        quant_min=-(2**31),
        quant_max=2**31 - 1,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
    )


def _scaled(node: Node, factor: float, source: QuantizationSpec) -> DerivedQuantizationSpec:
    """The same integers, the scale times a constant."""

    def times(observers: list) -> tuple[torch.Tensor, torch.Tensor]:
        scale, zero_point = observers[0].calculate_qparams()
        return scale * factor, zero_point

    return DerivedQuantizationSpec(
        derived_from=[(node.args[0], node)],  # type: ignore[list-item]
        derive_qparams_fn=times,
        dtype=source.dtype,
        quant_min=source.quant_min,
        quant_max=source.quant_max,
        qscheme=torch.per_tensor_affine,
    )


@dataclass(frozen=True)
class LayerBits:
    """Bits of a quantized layer's input and output tensor (32: float), and the reason where one is more than 8."""

    input: int
    output: int
    reason: str = ""
    symmetric: bool = False

    def __str__(self) -> str:
        words = f"w8a{self.input}{' symmetric' if self.symmetric else ''}"
        return words if self.input == self.output else f"{words}, output {self.output} bits"


def module_path(node: Node) -> str:
    """Path of the module in which a node was traced, "" for the outermost."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""


def rounded(layer: Node) -> Node:
    """Where a weight layer's output is rounded: behind the ReLU that alone reads it, so that no integer is spent on what is negative."""
    reader = next(iter(layer.users)) if len(layer.users) == 1 else None
    return reader if reader is not None and reader.target == aten.relu.default else layer


def below(path: str, floats: Mapping[str, str]) -> str | None:
    """The reason of the entry that names a layer or a module that holds it."""
    return next((reason for prefix, reason in floats.items() if path == prefix or path.startswith(prefix + ".")), None)


class VocoderQuantizer(Quantizer):
    """Annotates every layer but those below the paths of `floats` (path, or key of an input that is moved about -> reason).

    `keys`: table key of every node; tensors whose key is in `wide` (key -> reason) get 16 bits, with the scale of `grids` where that has one.
    `symmetric`: 8 bits are signed with zero point 0, what is wide stays float as do the layers that read it, and biases are no integers.
    Of the weight layers, `quantized` gives the bits of input and output and the reason for 16, and `skipped` why they stay in float. `same`: pairs of
    keys with the same integers (data movement, a multiplication by a number), which therefore have the same bits.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        floats: Mapping[str, str],
        wide: Mapping[str, str],
        grids: Mapping[str, float] | None = None,
        symmetric: bool = False,
    ):
        super().__init__()
        self._keys, self._floats, self._wide, self._grids, self._symmetric = keys, floats, wide, grids or {}, symmetric
        self._integer: set[Node] = set()  # nodes with an integer output
        self.quantized: dict[str, LayerBits] = {}
        self.skipped: dict[str, str] = {}
        self.same: list[tuple[str, str]] = []

    def annotate(self, model: GraphModule) -> GraphModule:
        for node in model.graph.nodes:
            path = module_path(node)
            if node.target in WEIGHTED and (reason := self._reason(node)) is not None:
                self.skipped[path] = reason
                if self._spec(node) is not None and self._is_moved_to_integers(node):
                    node.meta[ANNOTATION] = _annotated({}, self._spec(node))
                    self._integer.add(node)
                continue
            annotation = self._annotation(node)
            if annotation is not None:
                node.meta[ANNOTATION] = annotation
                if self._spec(node) is not None:
                    self._integer.add(node)
                specs = {**annotation.input_qspec_map, node: annotation.output_qspec}
                self.same += [(self._keys[source.name], self._keys[tensor.name]) for tensor, spec in specs.items() for source in _sources(spec)]
                if node.target in WEIGHTED:
                    self.quantized[path] = self._bits(node)
        return model

    def validate(self, model: GraphModule) -> None:
        """Nothing to check: `annotate` made what is there."""

    def _reason(self, layer: Node) -> str | None:
        """Why a weight layer stays in float."""
        source = layer.args[0]
        assert isinstance(source, Node)
        reason = below(module_path(layer), self._floats)
        return self._wide[self._key(source)] if reason is None and self._spec(source) is None else reason

    def _is_integer_input(self, node: Node) -> bool:
        return node.op == "placeholder" and self._keys.get(node.name) not in self._floats and self._spec(node) is not None

    def _is_moved_to_integers(self, layer: Node) -> bool:
        """Whether what a float layer gives is only moved about, added to other tensors and read by integer layers: then it is made integers first."""
        readers = set(self._readers(layer))
        integer = {node for node in readers if node.target in BINARY or (node.target in WEIGHTED and self._reason(node) is None)}
        moved = any(user.target in MOVEMENT | JOINING for user in layer.users)
        return moved and bool(integer) and all(node.op == "output" for node in readers - integer)

    def _readers(self, node: Node) -> Iterator[Node]:
        """Who computes with a tensor, wherever it is moved."""
        for user in node.users:
            if user.target in MOVEMENT | JOINING:
                yield from self._readers(user)
            elif user.target != aten.sym_size.int:  # a length, not the numbers
                yield user

    def _key(self, node: Node) -> str:
        while node.target in MOVEMENT and isinstance(node.args[0], Node) and self._keys.get(node.name) not in self._wide:
            node = node.args[0]  # it has the integers of what is moved
        return self._keys.get(node.name, "")

    def _spec(self, node: Node) -> QuantizationSpec | None:
        """How a tensor is rounded; None where it stays float."""
        key = self._key(node)
        if key not in self._wide:
            return SYMMETRIC if self._symmetric else ACTIVATION
        if self._symmetric:
            return None
        return _on_grid(self._grids[key]) if key in self._grids else WIDE

    def _bits(self, layer: Node) -> LayerBits:
        source, more = layer.args[0], 32 if self._symmetric else 16
        assert isinstance(source, Node)
        before, after = (self._wide.get(self._keys.get(node.name, "")) for node in (source, rounded(layer)))
        return LayerBits(8 if before is None else more, 8 if after is None else more, before or after or "", self._symmetric)

    def _annotation(self, node: Node) -> QuantizationAnnotation | None:
        if node.op != "call_function":
            return None
        if node.target in WEIGHTED:
            source, weight = node.args[0], node.args[1]
            assert isinstance(source, Node)
            inputs = {source: self._spec(source), weight: WEIGHT}
            if len(node.args) > 2 and node.args[2] is not None and not self._symmetric:
                inputs[node.args[2]] = _bias(node)  # type: ignore[assignment]
            return _annotated(inputs, self._spec(node) if rounded(node) is node else None)
        tensors = [a for a in node.args[:2] if isinstance(a, Node) and isinstance(a.meta.get("val"), torch.Tensor)]
        read = {tensor: spec for tensor in tensors if (spec := self._spec(tensor)) is not None}
        if self._spec(node) is None:  # whoever made what it reads has rounded that
            return None
        if node.target in BINARY and len(tensors) == 2:
            return _annotated(read, self._spec(node))
        if node.target in SCALING and len(tensors) == 1 and isinstance(node.args[1], int | float) and read:
            factor = float(node.args[1]) if node.target == aten.mul.Tensor else 1.0 / float(node.args[1])
            return _annotated(read, _scaled(node, factor, read[tensors[0]]))
        if node.target in UNARY:
            layer = tensors[0].target in WEIGHTED
            unrounded = layer and (tensors[0] not in self._integer or rounded(tensors[0]) is node)
            return _annotated({} if unrounded else read, self._spec(node))
        if node.target in BOUNDED and tensors[0] in self._integer:
            return _annotated(read, self._bounded(BOUNDED[node.target], wide=self._keys.get(node.name) in self._wide))
        if node.target in NARROWING:
            integer = tensors[0] in self._integer or self._keys.get(tensors[0].name) in self._wide
            return _annotated(read if integer else {}, self._bounded(NARROWING[node.target]))
        if node.target in BLENDING and all(part in self._integer or self._is_integer_input(part) for part in node.all_input_nodes):
            return _annotated({part: self._spec(part) for part in node.all_input_nodes}, self._spec(node))
        if node.target in MOVEMENT and (tensors[0] in self._integer or self._is_integer_input(tensors[0])):
            return _annotated(read, SharedQuantizationSpec((tensors[0], node)))
        if node.target in JOINING:
            return self._joined(node)
        return None

    def _bounded(self, known: tuple[float, int], wide: bool = False) -> QuantizationSpec:
        """Of a range that is known beforehand."""
        return _bounded_symmetric() if self._symmetric else _bounded(*known, wide=wide)

    def _joined(self, node: Node) -> QuantizationAnnotation | None:
        """Parts that are all integers, and what they make together, have one scale."""
        first, *others = dict.fromkeys(node.args[0])  # type: ignore[arg-type]
        if not all(part in self._integer or self._is_integer_input(part) for part in (first, *others)):
            return None
        shared = SharedQuantizationSpec((first, node))
        return _annotated({first: self._spec(first)} | dict.fromkeys(others, shared), shared)


def _sources(spec: object) -> list[Node]:
    """The tensors whose integers another takes over; none for a bias, whose scale is a product."""
    if isinstance(spec, SharedQuantizationSpec):
        return [spec.edge_or_node[0] if isinstance(spec.edge_or_node, tuple) else spec.edge_or_node]
    if isinstance(spec, DerivedQuantizationSpec) and len(spec.derived_from) == 1:
        return [edge[0] for edge in spec.derived_from if isinstance(edge, tuple)]
    return []


def _annotated(inputs: dict, output: object) -> QuantizationAnnotation:
    return QuantizationAnnotation(input_qspec_map=inputs, output_qspec=output, _annotated=True)  # type: ignore[arg-type]
