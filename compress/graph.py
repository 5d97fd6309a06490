"""A form as a graph that can be calibrated, trained and converted; the names of its tensors."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch.export import Dim
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_leaves
from torchao.quantization.pt2e import allow_exported_model_train_eval, move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

from ..vocoders.forms import Form, Nested
from .fake_quantize import ActivationQuantizer, WeightQuantizer
from .quantizer import WEIGHTED, LayerBits, VocoderQuantizer, module_path

MOST_FRAMES = 1 << 16


@dataclass
class PreparedGraph:
    """A traced form with fake quantizers in it.

    `tensors`: table key -> the quantizer of that tensor. Its weight layers: `quantized` (their bits) and `skipped` (why).
    `weights`: path of a quantized layer -> the quantizer of its weight. `same`: pairs of keys that have the same integers.
    `keys`: name of a node of the graph -> table key of its output. `outputs`: name of an output that is quantized -> table key.
    """

    form: Form
    module: GraphModule
    tensors: dict[str, ActivationQuantizer]
    quantized: dict[str, LayerBits]
    skipped: dict[str, str]
    weights: dict[str, WeightQuantizer] = field(default_factory=dict)
    same: list[tuple[str, str]] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def mode(self, *, observing: bool = False, faking: bool = False) -> None:
        """Switch all fake quantizers."""
        for quantizer in self.module.modules():
            if isinstance(quantizer, ActivationQuantizer):
                quantizer.observing, quantizer.faking = observing, faking
            elif isinstance(quantizer, WeightQuantizer):
                quantizer.faking = faking

    def share(self, key: str, quantizer: ActivationQuantizer) -> None:
        """Put another graph's quantizer in the place of this graph's own for a tensor."""
        own = self.tensors[key]
        for name, module in list(self.module.named_modules(remove_duplicate=False)):
            if module is own:
                parent, _, attribute = name.rpartition(".")
                setattr(self.module.get_submodule(parent), attribute, quantizer)
        for other in [k for k, q in self.tensors.items() if q is own]:
            self.tensors[other] = quantizer

    def converted(self) -> GraphModule:
        """The graph with integer weights, and quantize and dequantize operators in place of the fake quantizers. Ends this object's use."""
        module = convert_pt2e(self.module)
        move_exported_model_to_eval(module)
        return module


def dynamic_shapes(form: Form, batched: bool = False) -> tuple:
    """The free axes of a form's inputs, in the shape torch.export wants: frames, and for training the batch."""
    frames = Dim("frames", min=form.least, max=MOST_FRAMES)
    batch = {0: Dim("batch", min=1, max=MOST_FRAMES)} if batched else {}
    shapes: list = []
    for name, value in form.inputs.items():
        axes = {axis: frames if multiple == 1 else multiple * frames for axis, multiple in form.axes.get(name, {}).items()}
        shapes.append([batch | axes] * len(value) if isinstance(value, list) else batch | axes)
    return tuple(shapes)


def trace(form: Form, batched: bool = False) -> GraphModule:
    """The form as a graph with a free number of frames; `batched`: and a free batch, else a batch of one."""
    examples = tuple(_twice(value) for value in form.inputs.values()) if batched else tuple(form.inputs.values())
    exported = torch.export.export(form.module, examples, dynamic_shapes=dynamic_shapes(form, batched), strict=False)
    module = exported.module()
    module.graph.eliminate_dead_code()  # such as what the last layer would hand to a next one
    module.recompile()
    return module


def _twice(value: Nested) -> Nested:
    """A batch of one would be taken for a constant."""
    return [torch.cat([tensor, tensor]) for tensor in value] if isinstance(value, list) else torch.cat([value, value])


def prepare(form: Form, floats: Mapping[str, str], wide: Mapping[str, str] | None = None, batched: bool = False, symmetric: bool = False) -> PreparedGraph:
    """Trace a form and insert fake quantizers (off: the graph computes what the form does). `floats`, `wide`, `symmetric`: as in `Bits`."""
    traced = trace(form, batched)
    keys = {node.name: key for node, key in tensor_keys(traced, form)}
    quantizer = VocoderQuantizer(keys, floats, wide or {}, form.grids, symmetric)
    module = prepare_qat_pt2e(traced, quantizer)
    modules = dict(module.named_modules(remove_duplicate=False))
    tensors: dict[str, ActivationQuantizer] = {}
    weights: dict[str, WeightQuantizer] = {}
    for node in module.graph.nodes:
        if node.op == "call_module" and isinstance(modules.get(str(node.target)), ActivationQuantizer):
            key, found = keys[node.args[0].name], modules[str(node.target)]
            if tensors.setdefault(key, found) is not found:  # type: ignore[arg-type]
                module.set_submodule(str(node.target), tensors[key])  # the two ends of a state are one tensor
        if node.target in WEIGHTED and isinstance(quantizer_of_weight := modules.get(str(node.args[1].target)), WeightQuantizer):
            weights[module_path(node)] = quantizer_of_weight
    outputs = zip(form.outputs, tree_leaves(module.graph.output_node().args), strict=True)
    quantized_outputs = {name: keys[source(node).name] for name, node in outputs if node.op == "call_module"}
    move_exported_model_to_eval(module)
    allow_exported_model_train_eval(module)
    return PreparedGraph(form, module, tensors, quantizer.quantized, quantizer.skipped, weights, quantizer.same, keys, quantized_outputs)


def tensor_keys(graph: GraphModule, form: Form) -> Iterator[tuple[Node, str]]:
    """Each tensor's name in a scale table: module path and operator, numbered where a module has several of its kind.

    Inputs that a link names carry the key of the tensor that another form gives out, states that of the output that they are.
    """
    counts: Counter[str] = Counter()
    keys: dict[Node, str] = {}
    for node in graph.graph.nodes:
        if node.op == "call_function":
            kind = getattr(node.target, "_overloadpacket", node.target)
            key = f"{module_path(node)}:{getattr(kind, '__name__', str(kind))}"
            counts[key] += 1
            keys[node] = key if counts[key] == 1 else f"{key}_{counts[key]}"
    outputs = dict(zip(form.outputs, tree_leaves(graph.graph.output_node().args), strict=True)) if form.states else {}
    linked = form.links | {name: keys[source(outputs[output])] for name, output in form.states.items()}
    placeholders = (node for node in graph.graph.nodes if node.op == "placeholder")
    for name, node in zip(form.flat_inputs, placeholders, strict=True):
        yield node, linked.get(name, f"input:{name}")
    yield from keys.items()


def source(node: object) -> Node:
    """The operator behind a fake quantizer."""
    assert isinstance(node, Node)
    return source(node.args[0]) if node.op == "call_module" else node
