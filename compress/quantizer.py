"""Where quantization happens: the PT2E quantizer that knows the layers of these networks.

torch's own quantizers annotate no Conv1d (X86Inductor) or lower nothing to ONNX's integer operators; this one annotates what
ONNX Runtime, TFLite and the C kernels run in integers, and says of every weight layer that it leaves alone why.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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
}
ANNOTATION = "quantization_annotation"

ACTIVATION = QuantizationSpec(dtype=torch.uint8, quant_min=0, quant_max=255, qscheme=torch.per_tensor_affine, observer_or_fake_quant_ctr=ActivationQuantizer)
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


def _bounded(scale: float, zero_point: int) -> QuantizationSpec:
    make = ActivationQuantizer.with_args(fixed=(scale, zero_point))
    return QuantizationSpec(dtype=torch.uint8, quant_min=0, quant_max=255, qscheme=torch.per_tensor_affine, observer_or_fake_quant_ctr=make)


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
    """Bits of a quantized layer's input and output tensor, and the reason where one is 16."""

    input: int
    output: int
    reason: str = ""

    def __str__(self) -> str:
        return f"w8a{self.input}" if self.input == self.output else f"w8a{self.input}, output {self.output} bits"


def module_path(node: Node) -> str:
    """Path of the module in which a node was traced, "" for the outermost."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""


class VocoderQuantizer(Quantizer):
    """Annotates every layer but those below the paths of `floats` (path -> reason).

    `keys`: table key of every node; tensors whose key is in `wide` (key -> reason) get 16 bits. Of the weight layers, `quantized` gives
    the bits of input and output and the reason for 16, and `skipped` why they stay in float.
    """

    def __init__(self, keys: Mapping[str, str], floats: Mapping[str, str], wide: Mapping[str, str]):
        super().__init__()
        self._keys, self._floats, self._wide = keys, floats, wide
        self._integer: set[Node] = set()  # nodes with an integer output
        self.quantized: dict[str, LayerBits] = {}
        self.skipped: dict[str, str] = {}

    def annotate(self, model: GraphModule) -> GraphModule:
        for node in model.graph.nodes:
            path = module_path(node)
            if node.target in WEIGHTED and (reason := self._reason(path)) is not None:
                self.skipped[path] = reason
                continue
            annotation = self._annotation(node)
            if annotation is not None:
                node.meta[ANNOTATION] = annotation
                self._integer.add(node)
                if node.target in WEIGHTED:
                    self.quantized[path] = self._bits(node)
        return model

    def validate(self, model: GraphModule) -> None:
        """Nothing to check: `annotate` made what is there."""

    def _reason(self, path: str) -> str | None:
        return next((reason for prefix, reason in self._floats.items() if path == prefix or path.startswith(prefix + ".")), None)

    def _spec(self, node: Node) -> QuantizationSpec:
        return WIDE if self._keys.get(node.name) in self._wide else ACTIVATION

    def _bits(self, layer: Node) -> LayerBits:
        source = layer.args[0]
        assert isinstance(source, Node)
        before, after = (self._wide.get(self._keys.get(node.name, "")) for node in (source, layer))
        return LayerBits(8 if before is None else 16, 8 if after is None else 16, before or after or "")

    def _annotation(self, node: Node) -> QuantizationAnnotation | None:
        if node.op != "call_function":
            return None
        if node.target in WEIGHTED:
            source, weight = node.args[0], node.args[1]
            assert isinstance(source, Node)
            inputs = {source: self._spec(source), weight: WEIGHT}
            if len(node.args) > 2 and node.args[2] is not None:
                inputs[node.args[2]] = _bias(node)  # type: ignore[assignment]
            return _annotated(inputs, self._spec(node))
        tensors = [a for a in node.args[:2] if isinstance(a, Node) and isinstance(a.meta.get("val"), torch.Tensor)]
        read = {tensor: self._spec(tensor) for tensor in tensors}
        if node.target in BINARY and len(tensors) == 2:
            return _annotated(read, self._spec(node))
        if node.target in SCALING and len(tensors) == 1 and isinstance(node.args[1], int | float):
            factor = float(node.args[1]) if node.target == aten.mul.Tensor else 1.0 / float(node.args[1])
            return _annotated(read, _scaled(node, factor, self._spec(tensors[0])))
        if node.target in UNARY:
            float_layer = tensors[0].target in WEIGHTED and tensors[0] not in self._integer
            return _annotated({} if float_layer else read, self._spec(node))
        if node.target in BOUNDED and tensors[0] in self._integer:
            return _annotated(read, _bounded(*BOUNDED[node.target]))
        if node.target in MOVEMENT and (tensors[0] in self._integer or tensors[0].op == "placeholder"):
            return _annotated(read, SharedQuantizationSpec((tensors[0], node)))
        return None


def _annotated(inputs: dict, output: object) -> QuantizationAnnotation:
    return QuantizationAnnotation(input_qspec_map=inputs, output_qspec=output, _annotated=True)  # type: ignore[arg-type]
