"""A vocoder whose every form is traced and holds fake quantizers: what is calibrated, trained and judged."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..runtime.samplers import Tensors
from ..vocoders.family import Family
from ..vocoders.forms import Form
from .bits import Bits
from .graph import prepare


class PreparedVocoder(nn.Module):
    """The forms of a folded network. As a module it is the network that an objective calls, as `run` the one a sampler drives.

    A tensor that one form gives to another has one quantizer at both ends. `bits`: what stays in float or has 16 bits, and whether zero points are 0; the
    family's own choice where none is given. `training`: the forms that an objective calls, where these are not those that a sampler drives.
    """

    def __init__(self, family: Family, network: nn.Module, config: Any, bits: Bits | None = None, training: bool = False):
        super().__init__()
        self.family, self.config = family, config
        bits = bits or Bits.of(family, config)
        forms = (family.training_forms if training else None) or family.forms
        self.graphs = {form.name: prepare(form, bits.floats, bits.wide, batched=True, symmetric=bits.symmetric) for form in forms(network, config)}
        self._modules_of_graphs = nn.ModuleList(graph.module for graph in self.graphs.values())
        self._call = family.compose(config, {name: graph.module for name, graph in self.graphs.items()})
        self._link()

    def _link(self) -> None:
        """Make both ends of a state one quantizer, the giver's. What one end keeps in float the other quantizes for itself, or not at all."""
        for graph in self.graphs.values():
            for key in graph.form.links.values():
                giver = next((g for g in self.graphs.values() if key in g.tensors and key not in g.form.links.values()), None)
                if giver is not None and key in graph.tensors:
                    graph.share(key, giver.tensors[key])

    def forward(self, *inputs: Tensor) -> Tensor:
        """The whole network, as its objective calls it."""
        return self._call(*inputs)

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """What `runtime.samplers` calls: numpy in, numpy out, no gradients."""
        return run_form(self.graphs[graph].form, self.graphs[graph].module, inputs)

    def mode(self, *, observing: bool = False, faking: bool = False) -> None:
        """Switch all fake quantizers of all graphs."""
        for graph in self.graphs.values():
            graph.mode(observing=observing, faking=faking)

    def choose_ranges(self) -> None:
        """End of a calibration."""
        for graph in self.graphs.values():
            for quantizer in graph.tensors.values():
                quantizer.choose_range()

    def weights(self) -> dict[str, Tensor]:
        """The folded network's state, float32, by the paths of the network."""
        state: dict[str, Tensor] = {}
        for graph in self.graphs.values():
            trained = graph.module.state_dict()
            state.update({key: trained[key].detach().clone() for key in graph.form.module.state_dict()})
        return state


def run_form(form: Form, module: Callable[..., Any], inputs: Mapping[str, np.ndarray]) -> Tensors:
    """Call a form with flat numpy inputs, states that are not given being zero, and give flat numpy outputs."""
    arguments: list[Any] = []
    inputs = {**form.zero_states({name: array.shape for name, array in inputs.items()}), **inputs}
    for name, value in form.inputs.items():
        if isinstance(value, list):
            arguments.append([torch.from_numpy(inputs[f"{name}_{i}"]) for i in range(len(value))])
        else:
            arguments.append(torch.from_numpy(inputs[name]))
    with torch.no_grad():
        outputs = module(*arguments)
    tensors = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    return {name: tensor.numpy() for name, tensor in zip(form.outputs, tensors, strict=True)}
