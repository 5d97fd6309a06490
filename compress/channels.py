"""Which channels of a folded vocoder are tied together: whoever takes one away has to take the whole group.

Every form is traced, and the graph run on *labels* instead of numbers: each element of a tensor carries the number of the channel
it belongs to. What moves elements moves labels; what computes element by element makes those that meet one; a weight layer reads
the labels of its input channels and gives each output channel a new one. So slices, pads, interleaves, gates and concatenations
need no rule of their own. What is not known to keep channels apart, and what enters or leaves the vocoder, holds its channels fast.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter, Node
from torch.utils._pytree import tree_leaves, tree_map_only

from ..vocoders.forms import Form
from .graph import trace
from .polyphase import Polyphase
from .quantizer import JOINING, MOVEMENT, aten

SHIFT = 1 << 31  # above every label
FIXED, NONE = 0, -1  # a label that cannot be taken away; padding and single numbers, which belong to no channel
CONVOLUTIONS = {aten.conv1d.default, aten.conv1d.padding, aten.conv2d.default}
MOVING = MOVEMENT | JOINING | {
    aten.chunk.default, aten.split.Tensor, aten.split_with_sizes.default, aten.select.int, aten.expand.default, aten.clone.default,
    aten.contiguous.default, aten.stack.default, aten.unbind.int, aten.alias.default,
}  # fmt: skip

Side = Literal["out", "in", "both"]
Slot = tuple[str, Side, int]
"""A channel of a layer, by its path: one that it gives, takes, or (depthwise) takes and gives."""


@dataclass(frozen=True)
class Tied:
    """Groups that take the same places in the same layers, one as good as the other: `groups[i]` are the slots that go together."""

    layers: frozenset[tuple[str, Side]]
    groups: tuple[tuple[Slot, ...], ...]


class Labels:
    """Labels from 1 on, and which of them have become one (union-find)."""

    def __init__(self) -> None:
        self._parent = [FIXED]

    def new(self, count: int) -> Tensor:
        """Labels float64 (count,) that are of nobody yet."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return torch.arange(start, start + count, dtype=torch.float64)

    def root(self, label: int) -> int:
        """The one label that stands for all that became one with this."""
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label

    def unite(self, a: Tensor, b: Tensor) -> Tensor:
        """Make labels that meet one; gives those of the broadcast shape."""
        a, b = torch.broadcast_tensors(a, b)
        differ = (a >= 0) & (b >= 0) & (a != b)
        for pair in (a[differ].long() * SHIFT + b[differ].long()).unique().tolist():  # as one number: pairs are sorted a hundred times slower
            low, high = sorted(map(self.root, divmod(pair, SHIFT)))
            self._parent[high] = low  # FIXED is the lowest
        return torch.where(a >= 0, a, b)

    def fix(self, labels: Tensor) -> None:
        """Hold channels fast."""
        self.unite(labels, torch.zeros(()))

    def channels(self, labels: Tensor) -> Tensor:
        """(B, C, ...) -> (C,), all labels of one channel made one."""
        flat = labels.movedim(1, 0).flatten(1)
        first = flat.amax(1)
        self.unite(flat, first[:, None])
        return first


class _Tracer(Interpreter):
    """Runs a traced form on labels. `slots`: (layer, side) -> labels of its channels, shared by all forms."""

    def __init__(self, module: GraphModule, form: Form, labels: Labels, slots: dict[tuple[str, Side], Tensor]):
        super().__init__(module, garbage_collect_values=True)
        self._form, self._labels, self._slots = form, labels, slots
        self._parameters = dict(form.module.named_parameters())
        self._node: Node | None = None

    def run_node(self, n: Node) -> Any:
        self._node = n
        return super().run_node(n)

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        value = super().get_attr(target, args, kwargs)
        return torch.full(value.shape, NONE if value.numel() == 1 else FIXED, dtype=torch.float64) if isinstance(value, Tensor) else value

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        if target in CONVOLUTIONS:
            return self._layer(target, *args)
        if target in MOVING:
            if target == aten.pad.default and (len(args) < 3 or args[2] == "constant"):
                args = (*args[:2], "constant", float(NONE))
            return target(*args, **kwargs)
        if tensors and torch.Tag.pointwise in getattr(target, "tags", ()):
            result = tensors[0]
            for tensor in tensors[1:]:
                result = self._labels.unite(result, tensor)
            return result
        result = target(*args, **kwargs)
        if any(isinstance(value, Tensor) for value in tree_leaves(result)):  # mixes channels in a way that is not known here
            for tensor in tensors:
                self._labels.fix(tensor)
            result = tree_map_only(Tensor, lambda value: torch.full(value.shape, FIXED, dtype=torch.float64), result)
        return result

    def _layer(self, target: Any, x: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any) -> Tensor:
        assert self._node is not None
        shape = target(x.to("meta"), weight.to("meta"), None, *rest).shape
        name = str(getattr(self._node.args[1], "target", ""))
        path, read = name.removesuffix(".weight"), self._labels.channels(x)
        groups = rest[3] if len(rest) > 3 else 1
        depthwise = groups == x.shape[1] == shape[1] and groups > 1
        if name not in self._parameters or (groups > 1 and not depthwise):  # a matrix that is made of others, or channels in groups
            self._labels.fix(read)
            return torch.full(shape, FIXED, dtype=torch.float64)
        self._labels.unite(read, self._of(path, "both" if depthwise else "in", shape[1] if depthwise else x.shape[1]))
        given = self._of(path, "both" if depthwise else "out", shape[1])
        return given.reshape(1, -1, *[1] * (len(shape) - 2)).expand(shape)

    def _of(self, path: str, side: Side, count: int) -> Tensor:
        if (path, side) not in self._slots:
            labels = self._slots[path, side] = self._labels.new(count)
            above, _, last = path.rpartition(".")
            holder = self._form.module.get_submodule(above)
            if side == "out" and last == "convolution" and isinstance(holder, Polyphase):  # the phases of a channel
                phases = labels.reshape(holder.channels, holder.stride)
                self._labels.unite(phases, phases[:, :1])
        return self._slots[path, side]


def tied_channels(forms: Sequence[Form]) -> list[Tied]:
    """The groups that can be taken away from a vocoder, those that are alike together, in the order of the network."""
    labels = Labels()
    slots: dict[tuple[str, Side], Tensor] = {}
    given: dict[tuple[str, str], Tensor] = {}
    taken: dict[tuple[str, str], Tensor] = {}
    names = {output: form.name for form in forms for output in form.outputs}
    for form in forms:
        inputs = []
        for name, example in form.flat_inputs.items():
            own = torch.full(example.shape, FIXED, dtype=torch.float64)
            if name in form.states or names.get(name, form.name) != form.name:
                giver = (form.name, form.states[name]) if name in form.states else (names[name], name)
                if giver not in taken:
                    taken[giver] = labels.new(example.shape[1])
                own = taken[giver].reshape(1, -1, *[1] * (example.ndim - 2)).expand(example.shape)
            inputs.append(own)
        module = trace(form)
        outputs = tree_leaves(_Tracer(module, form, labels, slots).run(*inputs, enable_io_processing=False))
        given |= {(form.name, name): labels.channels(output) for name, output in zip(form.outputs, outputs, strict=True)}
    for key, output in given.items():
        there = taken.get(key)
        if there is not None and there.shape == output.shape:
            labels.unite(output, there)
        else:  # it leaves, or is put together with others on its way back
            labels.fix(output)
            if there is not None:
                labels.fix(there)
    return _alike(labels, slots)


def _alike(labels: Labels, slots: Mapping[tuple[str, Side], Tensor]) -> list[Tied]:
    groups: dict[int, list[Slot]] = defaultdict(list)
    for (path, side), numbers in slots.items():
        for channel, number in enumerate(numbers.long().tolist()):
            groups[labels.root(number)].append((path, side, channel))
    groups.pop(FIXED, None)
    alike: dict[frozenset[tuple[str, Side]], list[tuple[Slot, ...]]] = defaultdict(list)
    for group in groups.values():
        alike[frozenset((path, side) for path, side, _ in group)].append(tuple(group))
    return [Tied(layers, tuple(found)) for layers, found in alike.items() if len(found) > 1]


class _Norms:
    """How much a group weighs: the mean, over what writes its slots, of the L2 norm of their weights; the mean channel of each layer has 1."""

    def __init__(self, network: nn.Module):
        self._network, self._known = network, dict[str, list[float]]()

    def of(self, group: Sequence[Slot]) -> float:
        written = [self._layer(path)[channel] for path, side, channel in group if side != "in"]
        return sum(written) / len(written) if written else 0.0

    def _layer(self, path: str) -> list[float]:
        if path not in self._known:
            weight = self._network.get_submodule(path).weight
            assert isinstance(weight, Tensor)
            norms = weight.detach().double().flatten(1).norm(dim=1)
            self._known[path] = (norms / norms.mean().clamp(min=1e-12)).tolist()
        return self._known[path]


def least_important(network: nn.Module, tied: Sequence[Tied], sparsity: float) -> set[Slot]:
    """The slots that go when of each set of groups that are alike the part `sparsity` with the smallest weights goes; one always stays."""
    norms, gone = _Norms(network), set[Slot]()
    for alike in tied:
        count = min(round(sparsity * len(alike.groups)), len(alike.groups) - 1)
        ranked = sorted(alike.groups, key=norms.of)
        gone.update(slot for group in ranked[:count] for slot in group)
    return gone
