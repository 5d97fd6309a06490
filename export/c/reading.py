"""The QDQ ONNX graph of an artifact as a program: the integers as they are, operator by operator."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from ...errors import VcompressError
from ..integer_graph import constant, dequantizer, scale_and_zero_point
from ..lengths import LENGTHS, Lengths, measure
from .program import InverseSTFT, Program, Step, Tensor, View

UNSIGNED = 128  # u8 in ONNX is s8 in C: the same numbers
PCM = 2.0**-15
SAMPLERS = ("feed_forward", "istft")
WITHOUT_STEPS = ("Shape", "Constant", "DequantizeLinear")  # known beforehand, or looked up by who reads them


class Reader:
    """A program in the making. `places`: what each ONNX tensor is in it."""

    def __init__(self, lengths: Lengths, states: Mapping[str, str]):
        self.lengths, self.states = lengths, states
        self.tensors: list[Tensor] = []
        self.steps: list[Step] = []
        self.places: dict[str, View] = {}
        self.notes: list[str] = []

    # --- shapes ---

    def rows(self, value: ir.Value) -> tuple[int, int]:
        """rate and extra of a tensor (1, channels, T) whose T is rate F + extra."""
        assert value.name is not None
        shape = self.lengths.shapes[value.name]
        first, second = shape[-1] if len(shape) > 2 else (1, 1)
        if first == second == 1:  # a step of a recurrent network: a row each call
            return 1, 0
        rate, rest = divmod(second - first, LENGTHS[1] - LENGTHS[0])
        if rest or rate == 0:
            raise VcompressError(f"A tensor of {first} rows for {LENGTHS[0]} frames ({value.name}) does not follow the frames; export to ONNX only.")
        return rate, first - rate * LENGTHS[0]

    def channels(self, value: ir.Value) -> int:
        """Channels of a tensor (1, channels, T)."""
        assert value.name is not None
        return self.lengths.shapes[value.name][1][0]

    # --- tensors ---

    def tensor(self, name: str, channels: int, rows: tuple[int, int], bits: int, scale: float, zero_point: int = 0) -> View:
        """A new tensor, seen whole."""
        self.tensors.append(Tensor(name, channels, rows[0], bits, scale, zero_point, rows[1]))
        return View(len(self.tensors) - 1, channels, rows[0], scale, rows[1])

    def quantized(self, node: ir.Node, value: ir.Value) -> View:
        """A new tensor for what a QuantizeLinear makes of `value`."""
        scale, zero_point, bits = quantization(node)
        return self.tensor(node.outputs[0].name or "", self.channels(value), self.rows(value), bits, scale, zero_point)

    def bits(self, view: View) -> int:
        """Bits of what a view reads."""
        return self.tensors[view.tensor].bits

    def zero_point(self, view: View) -> int:
        """Zero point of what a view reads."""
        return self.tensors[view.tensor].zero_point

    def operand(self, node: ir.Node, index: int = 0) -> View:
        """An input of a float operator: the integers behind its DequantizeLinear, or what a step has made in place of floats."""
        value = node.inputs[index]
        assert value is not None
        source = dequantizer(value)
        if source is None:
            if value.name in self.places:
                return self.places[value.name]
            raise VcompressError(f"{described(node)} reads floats, and the C code has only integers; quantize it, or export to ONNX only.")
        assert source.inputs[0] is not None
        place = self.integers(source.inputs[0], source)
        scale, zero_point, _ = quantization(source)
        if zero_point != self.zero_point(place):
            raise VcompressError(f"{described(node)} reads integers with another zero point than they are written with; export to ONNX only.")
        return replace(place, scale=scale)

    def integers(self, value: ir.Value, node: ir.Node) -> View:
        """What an integer tensor is; one that goes into the graph is what its first reader takes it for."""
        if value.is_graph_input() and value.name not in self.places:
            scale, zero_point, bits = quantization(node)
            self.places[value.name or ""] = self.tensor(value.name or "", self.channels(value), self.rows(value), bits, scale, zero_point)
        if value.name not in self.places:
            raise VcompressError(f"{described(node)} reads a constant or a tensor out of order, which the C code cannot; export to ONNX only.")
        return self.places[value.name]

    # --- steps ---

    def results(self, node: ir.Node) -> list[View]:
        """A new tensor for each QuantizeLinear behind a float operator, or for the waveform itself where it ends the graph.

        Raises VcompressError where something else reads its floats.
        """
        output = node.outputs[0]
        readers = [use.node for use in output.uses()]
        if output.is_graph_output() and not readers:
            view = self.tensor(output.name or "", self.channels(output), self.rows(output), 16, PCM)
            self.places[output.name or ""] = view
            return [view]
        other = next((reader for reader in readers if reader.op_type != "QuantizeLinear"), None)
        if other is not None or output.is_graph_output() or not readers:
            what = described(other) if other is not None else "the end of the graph"
            raise VcompressError(f"{described(node)} hands floats to {what}, and the C code has only integers; quantize it, or export to ONNX only.")
        views = []
        for reader in readers:
            views.append(self.quantized(reader, output))
            self.places[reader.outputs[0].name or ""] = views[-1]
        return views

    def emit(self, step: Step) -> None:
        """Add a step."""
        self.steps.append(step)


def read_program(path: Path, name: str, sampler: Mapping[str, Any], sample_rate: int, hop: int, states: Mapping[str, str] | None = None) -> Program:
    """The program of an artifact's graph with its sampler.

    Raises VcompressError, naming it, for an operator, a padding or a sampler that has no C form.
    """
    if sampler.get("name") not in SAMPLERS:
        raise VcompressError(f"The {sampler.get('name')} sampler has no C form, only {' and '.join(SAMPLERS)} have; export to ONNX only.")
    model, lengths = ir.load(path), measure(path)
    check(model, lengths)
    reader = read_graph(model, lengths, states or {})
    read_output = _spectrum if sampler["name"] == "istft" else _waveform
    output = read_output(reader, model, hop)
    _close_states(reader, model)
    return Program(name, sample_rate, hop, _trimmed(reader, output), tuple(reader.steps), _input(reader, model), output, tuple(reader.notes))


def check(model: ir.Model, lengths: Lengths) -> None:
    """Raises VcompressError for the first operator that has no C form."""
    from .operators import KERNELS

    for node in model.graph:
        if node.op_type not in KERNELS and not is_known(node, lengths):
            raise VcompressError(f"{described(node)} has no C form; export to ONNX only.")
        if node.op_type == "Pad" and node.attributes.get_string("mode", "constant") == "reflect":
            raise VcompressError(
                f"{described(node)} pads by reflection, which needs what comes later, so it cannot stream; train the vocoder anew with zero padding "
                '(MelGAN: padding = "zeros").'
            )


def read_graph(model: ir.Model, lengths: Lengths, states: Mapping[str, str]) -> Reader:
    """Every node of a graph as steps; a new tensor of the program for the graph's input where it is quantized."""
    from .operators import KERNELS

    reader = Reader(lengths, states)
    for node in model.graph:
        if not is_known(node, lengths):
            KERNELS[node.op_type](reader, node)
    return reader


def is_known(node: ir.Node, lengths: Lengths) -> bool:
    """Whether a node needs no step: its outcome is known beforehand, or looked up by who reads it."""
    return node.op_type in WITHOUT_STEPS or node.outputs[0].name in lengths.integers


def described(node: ir.Node) -> str:
    """An operator as messages call it."""
    return f"The operator {node.op_type}" + (f" ({node.name})" if node.name else f" (of {node.outputs[0].name})")


def quantization(node: ir.Node) -> tuple[float, int, int]:
    """Scale, zero point as C has it, and bits of a per-tensor QuantizeLinear or DequantizeLinear."""
    found = scale_and_zero_point(node)
    dtype = constant(node.inputs[2]).dtype if found is not None else None  # type: ignore[union-attr]
    if found is None or dtype not in (np.uint8, np.int8, np.int16) or (dtype == np.int16 and found[1]):
        raise VcompressError(f"{described(node)} has a scale or zero point that the C code cannot have; export to ONNX only.")
    return found[0], found[1] - (UNSIGNED if dtype == np.uint8 else 0), 16 if dtype == np.int16 else 8


def _trimmed(reader: Reader, output: View) -> tuple[Tensor, ...]:
    """The tensors without the rows at their ends that nobody reads."""
    read = [*(view for step in reader.steps for view in step.inputs), output]
    wanted = {view.tensor: -(-(view.extra + view.start) // view.ratio) for view in sorted(read, key=lambda view: (view.extra + view.start) / view.ratio)}
    return tuple(replace(tensor, extra=min(tensor.extra, wanted.get(index, tensor.extra))) for index, tensor in enumerate(reader.tensors))


def _input(reader: Reader, model: ir.Model) -> int:
    mels = [value for value in model.graph.inputs if value.name not in reader.states]
    found = [reader.places.get(f"{value.name}") for value in mels]
    if len(mels) != 1 or found[0] is None:
        raise VcompressError("The graph has not one quantized input, the mel, which the C code begins with; export to ONNX only.")
    return found[0].tensor


def _close_states(reader: Reader, model: ir.Model) -> None:
    """Who reads a state reads what its output was a row before."""
    for name, output in reader.states.items():
        given, made = reader.places.get(name), _port(reader, model, output)
        if given is None:
            continue
        held, kept = reader.tensors[given.tensor], reader.tensors[made.tensor]
        if (held.channels, held.bits, held.zero_point) != (kept.channels, kept.bits, kept.zero_point) or made != View(
            made.tensor, kept.channels, kept.rate, made.scale, kept.extra
        ):
            raise VcompressError(f"The state {name} is not handed on as the integers that {output} is, which has no C form; export to ONNX only.")

        def closed(view: View, given: View = given, made: View = made) -> View:
            return replace(view, tensor=made.tensor, start=view.start - 1) if view.tensor == given.tensor else view

        reader.steps = [replace(step, inputs=tuple(map(closed, step.inputs))) for step in reader.steps]


def _port(reader: Reader, model: ir.Model, name: str) -> View:
    """What an output of the graph is."""
    value = next((value for value in model.graph.outputs if value.name == name), None)
    if value is None:
        raise VcompressError(f"The graph has no output {name}, which its sampler needs; export the artifact again.")
    source = dequantizer(value)
    place = reader.places.get((source.inputs[0].name if source is not None and source.inputs[0] is not None else name) or "")
    if place is None:
        raise VcompressError(f"The output {name} is of floats, and the C code has only integers; quantize it, or export to ONNX only.")
    return place


def _waveform(reader: Reader, model: ir.Model, hop: int) -> View:
    view = _port(reader, model, "waveform")
    tensor = reader.tensors[view.tensor]
    read = any(other.tensor == view.tensor for step in reader.steps for other in step.inputs)
    facts = (view.rate * view.channels, view.extra, view.ratio, view.start, tensor.channels, tensor.bits)
    if read or facts != (hop, 0, 1, 0, view.channels, 16) or abs(view.scale / PCM - 1) > 1e-6:
        raise VcompressError(f"The waveform is not {hop} samples a frame that end the graph in floats, which the C code makes PCM of; export to ONNX only.")
    return view


def _spectrum(reader: Reader, model: ir.Model, hop: int) -> View:
    views = tuple(_port(reader, model, name) for name in ("log_magnitude", "direction"))
    if any(reader.bits(view) != 16 for view in views):
        raise VcompressError("The spectrum has 8 bits, and the inverse STFT in C reads 16; quantize it with the family's own choice of bits.")
    output = reader.tensor("waveform", hop, (1, 0), 16, PCM)
    reader.emit(InverseSTFT("inverse STFT", views, output.tensor, hop))
    return output


Kernel = Callable[[Reader, ir.Node], None]
