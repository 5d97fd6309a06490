"""The constants of a network as C: one structure in flash for each layer, table and sum."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..lowering import Kernel, Lowered
from ..program import Step
from ..reference.istft import IntegerISTFT
from ..reference.kernels import Clamp, Layer, Product, Scale, Sum

WIDTH = 150  # characters of a line
HEAD_BYTES = 20
C_TYPES = {np.dtype(np.int8): "int8_t", np.dtype(np.int16): "int16_t", np.dtype(np.int32): "int32_t", np.dtype(np.uint8): "uint8_t"}


@dataclass(frozen=True)
class Constant:
    """A constant in flash: its type with `%s` for its name, its value, its bytes by kind (weights, biases, multipliers, tables, facts), what its type needs."""

    name: str
    type: str
    value: str
    bytes: dict[str, int]
    structure: str = ""

    @property
    def declaration(self) -> str:
        """For the header."""
        return f"{self.structure}extern const {self.type % self.name};"

    @property
    def definition(self) -> str:
        """For the file of constants."""
        return f"const {self.type % self.name} VC_PROGMEM = {self.value};"


def constants_of(lowered: Lowered, packed: bool) -> dict[int, tuple[Constant, ...]]:
    """What each step, by its number, keeps in flash. packed: whether the target's structures have no padding, which their bytes depend on."""
    return {index: tuple(_constants(index, step, kernel, packed)) for index, (step, kernel) in enumerate(lowered.steps)}


def _constants(index: int, step: Step, kernel: Kernel, packed: bool) -> Iterable[Constant]:
    match kernel:
        case Layer():
            yield _layer(f"vc_layer_{index}", kernel)
        case np.ndarray():
            yield _array(f"vc_table_{index}", kernel, "tables")
        case IntegerISTFT():
            yield _array(f"vc_sine_{index}", kernel.sine, "tables")
            yield _array(f"vc_window_{index}", kernel.window, "tables")
        case Sum():
            multipliers = kernel.a_multiplier, kernel.b_multiplier
            kind, sizes = ("vc_wide_sum", (21, 24)) if kernel.wide else ("vc_sum", (13, 16))
            yield _facts(f"vc_sum_{index}", kind, (kernel.offset, *multipliers, kernel.low, kernel.high, kernel.shift), sizes[not packed])
        case Product():
            multiplier, shift = int(kernel.requantize.multiplier), int(kernel.requantize.shift)
            fields = (multiplier, kernel.a_zero_point, kernel.b_zero_point, *_clamp(kernel.clamp), shift)
            yield _facts(f"vc_product_{index}", "vc_product", fields, (15, 16)[not packed])
        case Scale():
            above, below = kernel.above, kernel.below
            numbers = (int(above.multiplier), int(below.multiplier), kernel.input_zero_point, *_clamp(kernel.clamp))
            yield _facts(f"vc_scale_{index}", "vc_scale", (*numbers, int(above.shift), int(below.shift)), (18, 20)[not packed])


def _layer(name: str, layer: Layer) -> Constant:
    wide = layer.requantize.name == "q31"
    multiplier = _padded(layer.requantize.multiplier.astype(np.int32 if wide else np.int16), 1 if wide else 2)
    arrays = {
        "bias": layer.bias.astype(np.int32),
        "multiplier": multiplier,
        "weights": _padded(layer.weights.astype(np.int8).reshape(-1), 4),
        "shift": layer.requantize.shift.astype(np.uint8),
    }
    head = (len(arrays["weights"]), layer.inputs, layer.outputs, layer.groups, layer.taps, layer.requantize.preshift, *_clamp(layer.clamp), 0)
    fields = " ".join(f"{C_TYPES[array.dtype]} {key}[{len(array)}];" for key, array in arrays.items())
    values = [_braced(head), *(_braced(array.tolist()) for array in arrays.values())]
    body = ",\n".join(values)
    sizes = {
        "weights": arrays["weights"].nbytes,
        "biases": arrays["bias"].nbytes,
        "multipliers": arrays["multiplier"].nbytes + arrays["shift"].nbytes,
        "facts": HEAD_BYTES,
    }
    structure = f"struct {name}_data {{ vc_layer_head head; {fields} }};\n"
    return Constant(name, f"struct {name}_data %s[1]", f"{{{{\n{body}}}}}", sizes, structure)


def _array(name: str, array: np.ndarray, kind: str) -> Constant:
    return Constant(name, f"{C_TYPES[array.dtype]} %s[{len(array)}]", _braced(array.tolist()), {kind: array.nbytes})


def _facts(name: str, type_: str, fields: Iterable[int], size: int) -> Constant:
    return Constant(name, f"{type_} %s[1]", f"{{{_braced(fields)}}}", {"facts": size})


def _clamp(clamp: Clamp) -> tuple[int, int, int]:
    return clamp.zero_point, clamp.low, clamp.high


def _padded(array: np.ndarray, multiple: int) -> np.ndarray:
    return np.pad(array, (0, -len(array) % multiple))


def _braced(numbers: Iterable[int]) -> str:
    """{1, 2, ...} over as many lines as it takes."""
    lines, line = [], "{"
    for number in numbers:
        word = _literal(int(number)) + ","
        if len(line) + len(word) > WIDTH:
            lines.append(line)
            line = ""
        line += word
    return "\n".join([*lines, line.rstrip(",") + "}"])


def _literal(number: int) -> str:
    """A C99 constant; the lowest of 32 bits has none of its own."""
    if number == -(1 << 31):
        return "(-2147483647-1)"
    if not -(1 << 31) <= number < 1 << 31:
        return f"{number}ll"
    return f"{number}l" if abs(number) > 32767 else str(number)
