"""Sensitivity: each tensor and each layer of a vocoder quantized alone, through the real sampler, in one prepared network."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .bits import Bits
from .judge import Judge
from .quantizer import below
from .ranking import Damage, Kind, Ranked, Ranking
from .units import Units

Progress = Callable[[int, int, str], None]


def rank(judge: Judge, bits: Bits, facts: dict[str, Any], layers: bool = True, complement: bool = False, progress: Progress = lambda *_: None) -> Ranking:
    """Quantize everything alone that can be: each tensor, each layer's weights, and with `layers` its activations and all of it.

    `bits`: how the run has them. `complement`: also all others without it, which takes as long again.
    """
    units = judge.units
    tensors, weights = frozenset(units.tensors), frozenset(units.weights)
    wide, floats = excepted(units, bits)
    rows: list[Ranked] = []
    todo = list(_subjects(units, layers))
    for index, (row, own, own_weights) in enumerate(todo):
        progress(index, len(todo), row.name)
        others = judge.measure(tensors - own, weights - own_weights) if complement else None
        now = "float" if row.name in floats and row.kind != "tensor" else "16 bits" if own & wide else "8 bits"
        rows.append(replace(row, now=now, alone=judge.measure(own, own_weights), others=others))
    progress(len(todo), len(todo), "done")
    return Ranking(facts, judge.measure(tensors, weights), judge.measure(tensors - wide, weights - floats), tuple(rows))


def excepted(units: Units, bits: Bits) -> tuple[set[str], set[str]]:
    """The tensors with 16 bits, and the layers in float, of a choice of bits."""
    wide = {name for key in bits.wide if (name := units.name_of(key)) is not None and name in units.tensors}
    return wide, {path for path in units.weights if below(path, bits.floats) is not None}


def _subjects(units: Units, layers: bool) -> Iterator[tuple[Ranked, frozenset[str], frozenset[str]]]:
    """Rows without their damage, with the tensors and the weights that each quantizes."""
    nothing = Damage(0.0, None, 0.0)
    for unit in units.tensors.values():
        yield Ranked("tensor", unit.name, unit.graph, unit.keys, "", nothing), frozenset({unit.name}), frozenset()
    for layer in units.layers.values():
        own, ports = frozenset({layer.path}), frozenset({layer.input, layer.output}) & units.tensors.keys()
        kinds: list[tuple[Kind, frozenset[str], frozenset[str]]] = [("weights", frozenset(), own)]
        if layers:
            kinds += [("activations", ports, frozenset()), ("layer", ports, own)]
        for kind, tensors, weights in kinds:
            yield Ranked(kind, layer.path, layer.graph, tuple(sorted(ports)) if tensors else (), "", nothing), tensors, weights
