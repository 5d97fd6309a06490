"""From the tensors of a public generator to those of the folded network here, every name and shape checked."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...errors import VcompressError
from ..folding import State

NORMS = ((".weight_g", ".weight_v"), (".parametrizations.weight.original0", ".parametrizations.weight.original1"))
WRAPPERS = ("module.1.", "module.")
GENERATORS = ("generator", "model_g", "model", "state_dict")


def find_state(content: Any) -> State:
    """The generator's tensors in what a file holds, by the names they have there; nothing where there is no generator.

    Goes into the dictionaries that trainers put around it, behind the number of an epoch, and strips what parallel training puts before every name.
    """
    if isinstance(content, tuple) and len(content) == 2:
        content = content[1]
    while isinstance(content, Mapping) and (inner := next((content[key] for key in GENERATORS if isinstance(content.get(key), Mapping)), None)) is not None:
        content = inner
    if not isinstance(content, Mapping):
        return {}
    state = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    for wrapper in WRAPPERS:
        if state and all(key.startswith(wrapper) for key in state):
            return {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def without_prefix(state: State, prefix: str) -> State:
    """The tensors whose name starts with the prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def fold_weight_norm(state: State, source: str) -> State:
    """The state with g v / |v| in place of each g and v, whichever way they are spelled, all in float32 (the norm is over all axes but 0).

    Raises VcompressError for a channel without direction (a v of zeros), and for values that are not finite.
    """
    folded: State = {}
    paired: set[str] = set()
    for key, v in state.items():
        for g_ending, v_ending in NORMS:
            layer = key.removesuffix(v_ending)
            if key.endswith(v_ending) and layer + g_ending in state:  # the v of spectral norm has no g
                folded[f"{layer}.weight"] = _product(state[layer + g_ending], v, key, source)
                paired |= {key, layer + g_ending}
    folded |= {key: value for key, value in state.items() if key not in paired}
    for key, value in folded.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise VcompressError(f"{source} holds NaN or infinite weights ({key}); take an older checkpoint.")
    return {key: value.float() if value.is_floating_point() else value for key, value in folded.items()}


def _product(g: Tensor, v: Tensor, key: str, source: str) -> Tensor:
    norm = torch.linalg.vector_norm(v.double(), dim=tuple(range(1, v.ndim)), keepdim=True)
    if g.shape != norm.shape:
        raise VcompressError(f"{source} has a weight norm of {list(g.shape)} for {key} of {list(v.shape)}; take an undamaged checkpoint.")
    if not norm.all():
        raise VcompressError(f"{source} has a channel of zeros in {key}, which weight norm divides by; take another checkpoint.")
    return g.double() * v.double() / norm


def rename(state: State, layers: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], source: str) -> State:
    """The tensors under the names they have here. `layers`: path of a layer there -> here; `shapes`: of every tensor here.

    Raises VcompressError that names the first difference: a tensor that is missing, of another shape, or has no place.
    """
    theirs = {here: there for there, here in layers.items()}
    weights: State = {}
    taken = set()
    for key, shape in shapes.items():
        layer, _, name = key.rpartition(".")
        there = f"{theirs[layer]}.{name}"
        if there not in state:
            raise VcompressError(f"{source} does not fit its configuration: {there} is missing; give the configuration of that model.")
        found = state[there]
        if tuple(found.shape) != shape:
            needs = f"{there} is {list(found.shape)} where the configured network has {list(shape)}"
            raise VcompressError(f"{source} does not fit its configuration: {needs}; give the configuration of that model.")
        weights[key] = found.contiguous()
        taken.add(there)
    for key in state:
        if key not in taken:
            raise VcompressError(f"{source} does not fit its configuration: {key} has no place in that network; give the configuration of that model.")
    return weights
