"""A form, float or converted, as an ONNX graph: exported by torch, made integer, stripped to what a back end needs."""

from collections.abc import Collection
from pathlib import Path

import onnx
import onnx_ir as ir
import torch
from onnx_ir.passes.common import (
    ClearMetadataAndDocStringPass,
    CommonSubexpressionEliminationPass,
    DeduplicateInitializersPass,
    IdentityEliminationPass,
    LiftConstantsToInitializersPass,
    RemoveUnusedNodesPass,
)
from onnxscript.optimizer import fold_constants
from torch import nn

from ..compress.graph import dynamic_shapes
from ..runtime.files import replacing
from ..runtime.quiet import quiet
from ..vocoders.forms import Form
from .integer_graph import make_integer
from .integer_products import products_in_integers

OPSET = 21
IR_VERSION = 10
WEIGHTED = ("Conv", "Gemm", "MatMul", "MatMulInteger")
LARGEST_VECTOR = 1 << 16  # numbers of a scale or zero point a channel: WaveGlow's upsampler has 20480 channels


def export_graph(module: nn.Module, form: Form, path: Path, integer_ports: Collection[str] = (), pairs: bool = False) -> None:
    """Write `module`, which computes `form`, to `path`. `integer_ports`: inputs and outputs that carry the integers themselves.

    `pairs`: leave every QuantizeLinear with its DequantizeLinear, for who wants them so (tensorrt.py).
    """
    with quiet("torch", "torch.onnx", "onnxscript"):  # it warns of packages that nothing here uses
        program = torch.onnx.export(
            module,
            tuple(form.inputs.values()),
            input_names=list(form.flat_inputs),
            output_names=list(form.outputs),
            dynamic_shapes=dynamic_shapes(form),
            opset_version=OPSET,
            dynamo=True,
            optimize=False,  # torch's choice of rewrites takes minutes on a thousand quantizers; the few that matter are below
            verbose=False,
            external_data=False,
        )
    assert program is not None
    model = program.model
    fold_constants(model, input_size_limit=LARGEST_VECTOR)
    IdentityEliminationPass()(model)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    _name_layers(model)
    DeduplicateInitializersPass()(model)
    CommonSubexpressionEliminationPass()(model)
    RemoveUnusedNodesPass()(model)
    if not pairs:
        make_integer(model, integer_ports)
        if not form.axes:  # a step: its columns are few, and no translation to another format reads it
            products_in_integers(model)
    _drop_zero_points(model)
    RemoveUnusedNodesPass()(model)
    DeduplicateInitializersPass()(model)
    ClearMetadataAndDocStringPass()(model)
    _strip(model)
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]  # shapes and types that follow from the operators
    with replacing(path) as part:
        onnx.save(proto, str(part))


def _drop_zero_points(model: ir.Model) -> None:
    """The zero points of weights and biases are zeros, which is what ONNX takes when there are none."""
    for node in model.graph:
        if node.op_type == "DequantizeLinear" and len(node.inputs) > 2 and node.inputs[2] is not None:
            values = node.inputs[2].const_value
            if values is not None and values.size > 1 and not values.numpy().any():
                node.resize_inputs(2)


def _name_layers(model: ir.Model) -> None:
    """Layers have the name of their module, also two whose weights are the same numbers and become one tensor (all zeros in an untrained flow)."""
    for node in model.graph:
        node.name = _layer(node) if node.op_type in WEIGHTED else None


def _strip(model: ir.Model) -> None:
    """Short names: layers keep theirs, tensors get numbers."""
    kept = {value.name for value in (*model.graph.inputs, *model.graph.outputs)}
    model.ir_version, model.producer_name, model.producer_version, model.graph.name = IR_VERSION, "vcompress", None, "graph"
    model.metadata_props.clear()
    count = 0
    for node in model.graph:
        if node.op_type not in WEIGHTED:
            node.name = None
        for output in node.outputs:
            if output.name not in kept:
                output.name, count = f"t{count:x}", count + 1
    constants = list(model.graph.initializers.values())
    ir.convenience.rename_values(constants, [f"k{index:x}" for index in range(len(constants))])


def _layer(node: ir.Node) -> str:
    """Module path of a layer, from the name of its weight."""
    value = node.inputs[1]
    while value is not None and value.producer() is not None:
        producer = value.producer()
        assert producer is not None
        value = producer.inputs[0]
    name = (value.name or "") if value is not None else ""
    return name.split(".weight")[0].split("_frozen")[0].removesuffix("_quantized")
