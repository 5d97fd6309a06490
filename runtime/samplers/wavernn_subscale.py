"""Many samples at a time, of as many interleaved parts of the waveform: for Subscale WaveRNN."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..draws import draw_each, integer_logits
from ..random import RandomStream
from .columns import channels_axis, columns
from .sampler import OnStep, Run, Tensors

SILENCE = (128, 0)  # coarse and fine symbol
CENTRE = 128  # a symbol that the network sees as zero
KNOWN = 0.5  # how a context network is told that a part is not masked: a multiple of 2^-7, as the symbols are


@dataclass
class SubscaleSampler:
    """`conditioner` once; then turns of `context`, `coarse`, a draw of each part, `fine`, a draw of each part.

    Sample B i + s is sample i of part s, for the B `parts`. In its turn every part makes its next sample, `lag` samples behind the part before it. Its
    context are the samples that the parts before it have made, up to `lookahead` beyond its own; what is not made yet, and its own part, are
    masked. Before the beginning and after the end is silence. A lag of lookahead + 1, which None stands for, is the least that this allows; with a
    lag as long as a part, one part is made after the other: the same samples, for each has its own random words.

    A layer of the context network with dilation d looks at what came into it d turns ago: `past` is the `now` of an earlier call. All parts
    lie side by side, as columns of one call.
    """

    hop_length: int
    parts: int
    lookahead: int
    layers: int
    lag: int | None = None

    def __post_init__(self) -> None:
        self.each_frame = ("context", "coarse", "fine")
        self.calls = {"conditioner": 1, **dict.fromkeys(self.each_frame, self.hop_length // self.parts)}  # and (parts - 1) lag in all, until the last part ends

    def turns(self, frames: int) -> int:
        """Calls of each step for so many frames of the mel."""
        return frames * self.hop_length // self.parts + (self.parts - 1) * (self.lag or self.lookahead + 1)

    def synthesize(self, run: Run, mel: np.ndarray, seed: int = 0, on_step: OnStep | None = None) -> np.ndarray:
        """See Sampler; there is no intermediate waveform."""
        conditions, length = run("conditioner", {"mel": mel[None]}), mel.shape[1] * self.hop_length // self.parts
        words = RandomStream(seed).words(2 * length * self.parts).reshape(length, self.parts, 2)
        symbols = np.tile(np.array(SILENCE), (length + self.lookahead + 1, self.parts, 1))  # the first is the silence before the beginning
        part = np.arange(self.parts)
        lines, states = self._at_rest(run, symbols, conditions), Tensors()
        for turn in range(self.turns(mel.shape[1])):
            at = turn - part * (self.lag or self.lookahead + 1)
            now = np.clip(at, 0, length - 1)
            past = {f"past_{i}": line[turn % len(line)] for i, line in enumerate(lines)}
            given = run("context", {**self._context(symbols, at, conditions), **past})
            for i, line in enumerate(lines):
                line[turn % len(line)] = given[f"now_{i}"]
            seen = symbols[now, part]
            first = run("coarse", {"seen": _seen(seen), "condition": given["given_coarse"], **states})
            coarse = draw_each(_rows(first["logits"]), words[now, part, 0])
            second = run("fine", {"seen": _seen(np.column_stack([seen, coarse])), "condition": given["given_fine"], **states})
            fine = draw_each(_rows(second["logits"]), words[now, part, 1])
            own = (at >= 0) & (at < length)
            symbols[1 + now[own], part[own]] = np.column_stack([coarse, fine])[own]
            states = {"state": _begun(np.concatenate([first["next"], second["next"]], channels_axis(first["next"])), at >= 0)}
        samples = symbols[1 : 1 + length] @ np.array([256, 1]) - 32768
        return samples.reshape(-1).astype(np.float32) / np.float32(32768)

    def _context(self, symbols: np.ndarray, at: np.ndarray, conditions: Tensors) -> Tensors:
        """What the context network sees: for each part the newest column that it may, and the conditions of its own sample."""
        length = len(symbols) - self.lookahead - 1
        newest = np.clip(at + self.lookahead + 1, 0, len(symbols) - 1)
        frames = np.clip(at, 0, length - 1) * self.parts // self.hop_length
        return {"columns": masked_columns(symbols[newest]), **{name: columns(condition, frames) for name, condition in conditions.items()}}

    def _at_rest(self, run: Run, symbols: np.ndarray, conditions: Tensors) -> list[list[np.ndarray]]:
        """For each layer what it sees of the silence before the beginning, as often as its dilation. Each call makes it right for one layer more."""
        states: Tensors = {}
        before = np.full(self.parts, -self.lookahead - 1)
        for _ in range(self.layers):
            given = run("context", {**self._context(symbols, before, conditions), **states})
            states = {f"past_{i}": given[f"now_{i}"] for i in range(self.layers)}
        return [[states[f"past_{i}"]] * 2**i for i in range(self.layers)]


def masked_columns(symbols: np.ndarray) -> np.ndarray:
    """Symbols of all parts at the column that each part is at, int (parts, parts, 2) -> float32 (1, 3 parts, parts).

    Channels: the coarse symbols of all parts, the fine ones, and which parts are known to this one: those before it.
    """
    known = np.tri(len(symbols), k=-1, dtype=bool)
    shown = (np.where(known[:, :, None], symbols, SILENCE) - CENTRE) / CENTRE
    return np.concatenate([shown[:, :, 0], shown[:, :, 1], known * KNOWN], 1).astype(np.float32).T[None]


def _seen(symbols: np.ndarray) -> np.ndarray:
    """Symbols (parts, count) as a step sees them: float32 (1, count, parts)."""
    return ((symbols - CENTRE) / CENTRE).astype(np.float32).T[None]


def _rows(logits: np.ndarray) -> np.ndarray:
    """Logits (1, 256, parts) -> integers (parts, 256)."""
    return integer_logits(logits[0].T).reshape(-1, logits.shape[1])


def _begun(state: np.ndarray, begun: np.ndarray) -> np.ndarray:
    """The state, and zero, which in 16 bits is 0, for the parts that have not begun."""
    return state if begun.all() else state * (begun[None, :, None] if channels_axis(state) == 2 else begun).astype(state.dtype)


def make(settings: dict[str, Any], hop_length: int) -> SubscaleSampler:
    """Settings: parts, lookahead and layers, which are the network's."""
    parts, lookahead, layers = (int(settings[name]) for name in ("parts", "lookahead", "layers"))
    if parts < 2 or hop_length % parts or lookahead < 0 or not 1 <= layers <= 16:
        raise ValueError(settings)
    return SubscaleSampler(hop_length, parts, lookahead, layers)
