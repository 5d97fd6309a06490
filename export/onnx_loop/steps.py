"""A half of a step as operators: in integers throughout, or as the artifact's graph of it. Both end in the integers that a symbol is drawn from."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import onnx

from ...runtime.draws import LOGIT_SCALE, MOST
from ...runtime.wavernn.reference import LIMIT, tables
from ...runtime.wavernn.steps import CENTRE, HALVES, STATE_BITS, Product, Steps
from .body import Body

GATE_LIMITS = (-LIMIT, LIMIT)


class StepWriter(Protocol):
    """`start`: the state of all units before the first sample; `channels`: its axis. Conditions come as rows (F, 3 units of a half), of `dtype`."""

    start: np.ndarray
    channels: int
    dtype: np.dtype

    def half(self, body: Body, name: str, state: str, seen: str, condition: str) -> tuple[str, str]:
        """state: of all units, seen: symbols, uint8 (1, count), condition: (3 units of a half,) -> logits' integers, int64 (256,), and the half's own state."""


class IntegerSteps:
    """The arithmetic of runtime/wavernn/reference.py, whose integers are within 2^53 wherever they are float64 here: the same to the bit."""

    channels, dtype = 1, np.dtype(np.int64)

    def __init__(self, steps: Steps):
        self._halves = dict(zip(HALVES, (steps.coarse, steps.fine), strict=True))
        self._units = steps.coarse.units
        self.start = np.zeros((1, steps.units))
        self._tables = [np.roll(table, -(1 << 15)) for table in tables()]  # a negative index counts from the end

    def half(self, body: Body, name: str, state: str, seen: str, condition: str) -> tuple[str, str]:
        """See StepWriter."""
        half, n = self._halves[name], np.int64(self._units)
        own = body("Split", state, np.array([n, n]), outputs=2, axis=1)[HALVES.index(name)]
        recurrent = _product(body, half.recurrent, _narrow(body, state), CENTRE, *GATE_LIMITS)
        given = _clip(body, body("Add", _product(body, half.input, seen, CENTRE, *GATE_LIMITS), condition), *GATE_LIMITS)
        (gates, candidate), (given_gates, given_candidate) = (body("Split", x, np.array([2 * n, n]), outputs=2, axis=1) for x in (recurrent, given))
        looked_up = body("Gather", self._tables[0], _clip(body, body("Add", gates, given_gates), *GATE_LIMITS))
        update, reset = body("Split", body("Cast", looked_up, to=onnx.TensorProto.DOUBLE), np.array([n, n]), outputs=2, axis=1)
        scaled = _halved(body, body("Mul", reset, body("Cast", candidate, to=onnx.TensorProto.DOUBLE)), STATE_BITS)
        argument = _clip(body, body("Add", body("Cast", scaled, to=onnx.TensorProto.INT64), given_candidate), *GATE_LIMITS)
        candidate = body("Cast", body("Gather", self._tables[1], argument), to=onnx.TensorProto.DOUBLE)
        moved = body("Add", body("Mul", body("Sub", own, candidate), update), body("Mul", candidate, np.array(2.0**STATE_BITS)))
        own = _halved(body, moved, STATE_BITS)
        hidden = body("Cast", _product(body, half.hidden, _narrow(body, own), CENTRE, 0, 255), to=onnx.TensorProto.UINT8)
        return body("Squeeze", _product(body, half.logits, hidden, 0, -MOST, MOST), np.array([0])), own


class GraphSteps:
    """The graphs `coarse` and `fine` as they are, of any artifact: the samples are those of the sampler that calls them one by one."""

    def __init__(self, graphs: Mapping[str, onnx.GraphProto]):
        self._graphs = graphs
        ports = {port.name: port.type.tensor_type for port in graphs["coarse"].input}
        shape = [size.dim_value for size in ports["state"].shape.dim]
        self.dtype = onnx.helper.tensor_dtype_to_np_dtype(ports["condition"].elem_type)
        self.start = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(ports["state"].elem_type))
        self.channels = 2 if np.issubdtype(self.start.dtype, np.integer) else 1  # integers are handed over with the channels last
        self._condition = np.array([size.dim_value for size in ports["condition"].shape.dim])

    def half(self, body: Body, name: str, state: str, seen: str, condition: str) -> tuple[str, str]:
        """See StepWriter."""
        centred = body("Sub", body("Cast", seen, to=onnx.TensorProto.FLOAT), np.float32(CENTRE))
        symbols = body("Unsqueeze", body("Mul", centred, np.float32(1 / CENTRE)), np.array([2]))
        inputs = {"state": state, "seen": symbols, "condition": body("Reshape", condition, self._condition)}
        found = body.include(self._graphs[name], inputs)
        logits = body("Where", body("IsNaN", found["logits"]), np.float32(0), found["logits"])
        most = np.float32(MOST * LOGIT_SCALE)
        scaled = body("Mul", body("Clip", logits, -most, most), np.float32(1 / LOGIT_SCALE))
        return body("Reshape", body("Cast", body("Round", scaled), to=onnx.TensorProto.INT64), np.array([-1])), found["next"]


def _product(body: Body, product: Product, inputs: str, zero_point: int, low: int, high: int) -> str:
    """Inputs uint8 (1, columns) -> int64 (1, rows): (sum x multiplier + 2^(shift - 1)) >> shift, clamped.

    ONNX divides towards zero and shifts no signed numbers: what is divided is made positive first.
    """
    weights, multiplier, shift = product.weights.astype(np.int64), product.multiplier.astype(np.int64), product.shift
    bias = product.bias - zero_point * weights.sum(1)
    largest = (255 * np.abs(weights).sum(1) + np.abs(bias)).astype(object) * multiplier.astype(object)  # integers of any length
    above = (int(max(largest)) >> shift) + 1
    offset = bias.astype(object) * multiplier.astype(object) + (1 << (shift - 1)) + (above << shift)
    assert int(max(largest)) + int(max(abs(offset))) < 1 << 63
    sums = body("Cast", body("MatMulInteger", inputs, np.ascontiguousarray(product.weights.T)), to=onnx.TensorProto.INT64)
    scaled = body("Div", body("Add", body("Mul", sums, multiplier), offset.astype(np.int64)), np.array(1 << shift))
    return _clip(body, body("Sub", scaled, np.array(above)), low, high)


def _clip(body: Body, x: str, low: int, high: int) -> str:
    return str(body("Clip", x, np.array(low), np.array(high)))


def _halved(body: Body, x: str, bits: int) -> str:
    """float64 x / 2^bits, to nearest, ties to even."""
    return str(body("Round", body("Mul", x, np.array(2.0**-bits))))


def _narrow(body: Body, state: str) -> str:
    """16-bit states, float64 -> uint8, zero point 128."""
    rounded = body("Min", _halved(body, state, STATE_BITS - 7), np.array(CENTRE - 1.0))
    return str(body("Cast", body("Add", rounded, np.array(float(CENTRE))), to=onnx.TensorProto.UINT8))
