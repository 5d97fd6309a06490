"""The loop in numpy: the definition that the C kernel is held against. One sample a turn, so for tests and for understanding."""

from functools import cache

import numpy as np

from ..draws import MOST, draw
from ..random import RandomStream
from .steps import CENTRE, GATE_BITS, STATE_BITS, Half, Product, Steps

LIMIT = 32767


@cache
def tables() -> tuple[np.ndarray, np.ndarray]:
    """Sigmoid and tanh of a gate's argument, q 2^-11 for q from -32768 to 32767: int16 (65536,) each, multiples of 2^-15."""
    x = np.arange(-32768, 32768) / 2.0**GATE_BITS
    return tuple(np.clip(np.rint(y * 2.0**STATE_BITS), -LIMIT, LIMIT).astype(np.int16) for y in (1 / (1 + np.exp(-x)), np.tanh(x)))  # type: ignore[return-value]


def narrow(state: np.ndarray) -> np.ndarray:
    """16-bit states, int64 -> 8 bits from -128 to 127: to nearest, ties to even."""
    return np.minimum(_halved(state, STATE_BITS - 7), CENTRE - 1)


def _halved(x: np.ndarray, bits: int) -> np.ndarray:
    """x / 2^bits, to nearest, ties to even."""
    return (x + (1 << (bits - 1)) - 1 + ((x >> bits) & 1)) >> bits


def _apply(product: Product, inputs: np.ndarray, low: int, high: int) -> np.ndarray:
    """Inputs int64 (columns,), less their zero point -> int64 (rows,)."""
    sums = product.weights.astype(np.int64) @ inputs + product.bias
    return np.clip((sums * product.multiplier + (1 << (product.shift - 1))) >> product.shift, low, high)


def step(half: Half, state: np.ndarray, own: np.ndarray, seen: np.ndarray, condition: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """state: of all units, own: of this half's, 16 bits, seen: symbols, condition: 16 bits (3 units,), int64 all -> logits (256,), own state."""
    n, (sigmoid, tanh) = half.units, tables()
    recurrent = _apply(half.recurrent, narrow(state), -LIMIT, LIMIT)
    given = np.clip(_apply(half.input, seen - CENTRE, -LIMIT, LIMIT) + condition, -LIMIT, LIMIT)
    gates = sigmoid[np.clip(recurrent[: 2 * n] + given[: 2 * n], -LIMIT, LIMIT) + 32768].astype(np.int64)
    update, reset = gates[:n], gates[n:]
    argument = np.clip(_halved(reset * recurrent[2 * n :], STATE_BITS) + given[2 * n :], -LIMIT, LIMIT)
    candidate = tanh[argument + 32768].astype(np.int64)
    own = _halved(update * own + ((1 << STATE_BITS) - update) * candidate, STATE_BITS)
    hidden = _apply(half.hidden, narrow(own), 0, 255)
    return _apply(half.logits, hidden, -MOST, MOST), own


def generate(steps: Steps, coarse: np.ndarray, fine: np.ndarray, hop_length: int, seed: int) -> np.ndarray:
    """Conditions int16 (F, 3 units of a half) of either half -> samples int16 (hop_length F,)."""
    n, stream = steps.coarse.units, RandomStream(seed)
    state, high, low = np.zeros(2 * n, np.int64), CENTRE, 0
    samples = np.empty(len(coarse) * hop_length, np.int16)
    for t in range(len(samples)):
        seen = np.array([high, low], np.int64)
        logits, first = step(steps.coarse, state, state[:n], seen, coarse[t // hop_length].astype(np.int64))
        high = draw(logits, stream)
        logits, second = step(steps.fine, state, state[n:], np.append(seen, high), fine[t // hop_length].astype(np.int64))
        low = draw(logits, stream)
        state = np.concatenate([first, second])
        samples[t] = 256 * high + low - 32768
    return samples
