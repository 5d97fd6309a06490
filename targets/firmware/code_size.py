"""Bytes of code and of stack that an exported library will take on a board, and its cycles, reckoned from what was measured once."""

import math
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...export.c.program import InverseSTFT, Program

SIZES = Path(__file__).parent / "code_size.toml"
# What the generated text consists of, by the patterns that find it
FEATURES = {
    "file": r"int vc_push",
    "layers": r"vc_read_layer",
    "windows": r"vc_taps",
    "facts": r"vc_read\(",
    "tables": r"vc_table",
    "moments": r"if \(vc_inside",
    "positions": r"\(size_t\)",
    "advances": r" == \d+ \? 0 :",
    "rates": r"for \(i = 0",
    "transforms": r"vc_istft_frame",
}
# What a frame's cycles are taken apart into
WORK = ("macs", "outputs", "rows", "transforms")
CALL = re.compile(r"\b(vc_\w+)\(")


@dataclass(frozen=True)
class CodeSizes:
    """What was measured on a board. sections: bytes of each part of the kernels; kernels: function -> numbers of the sections that it needs.

    generated: bytes for each feature of the generated text; stacks: (rates, with an inverse STFT, bytes) of simulated runs; start_up: bytes of flash;
    cycles: least and most of each kind of WORK; error: the largest relative one of these over the measured runs.
    """

    source: str
    generated: dict[str, float]
    sections: tuple[int, ...]
    kernels: dict[str, tuple[int, ...]]
    stacks: tuple[tuple[int, bool, int], ...]
    start_up: int
    cycles: dict[str, tuple[float, float]]
    error: float

    def frame_cycles(self, program: Program) -> tuple[float, float]:
        """Cycles of one frame, least and most, with the error of the measured runs on both sides."""
        least, most = (sum(count * self.cycles[name][end] for name, count in zip(WORK, work(program), strict=True)) for end in (0, 1))
        return least * (1 - self.error), most * (1 + self.error)

    def code(self, text: str) -> int:
        """Bytes of flash of a generated text, with the kernels that it calls and their tables, those of the C library among them."""
        used = {number for call in set(CALL.findall(text)) for number in self.kernels.get(call, ())}
        glue = sum(self.generated[name] * count for name, count in zip(FEATURES, features(text), strict=True))
        return round(glue) + sum(self.sections[number] for number in used)

    def stack(self, rates: int, istft: bool) -> int:
        """Bytes of stack at the deepest: the most of the runs with as many rates, of all runs where none has; more rates go no deeper."""
        alike = [(count, size) for count, with_istft, size in self.stacks if with_istft == istft] or [(count, size) for count, _, size in self.stacks]
        return max([size for count, size in alike if count == rates] or [size for _, size in alike])


def work(program: Program) -> tuple[float, ...]:
    """How much of each kind of WORK a frame is: products, numbers that are scaled anew or looked up, rows that are made, inverse STFTs by n log n."""
    plain = [program.tensors[step.output] for step in program.steps if not isinstance(step, InverseSTFT)]
    transforms = (step.n_fft * math.log2(step.n_fft) for step in program.steps if isinstance(step, InverseSTFT))
    return program.macs_per_frame, sum(t.channels * t.rate for t in plain), sum(t.rate for t in plain), sum(transforms)


def has_transform(program: Program) -> bool:
    """Whether an inverse STFT ends it."""
    return any(isinstance(step, InverseSTFT) for step in program.steps)


def features(text: str) -> tuple[int, ...]:
    """How often each of FEATURES occurs in a generated text."""
    return tuple(len(re.findall(pattern, text)) for pattern in FEATURES.values())


@cache
def _measured() -> dict[str, Any]:
    return tomllib.loads(SIZES.read_text(encoding="utf-8"))


def code_sizes(board: str) -> CodeSizes | None:
    """What was measured on a board; None where nothing was."""
    row = _measured().get(board)
    if row is None:
        return None
    stacks = tuple((int(run["rates"]), bool(run["istft"]), int(run["bytes"])) for run in row["stacks"])
    kernels = {name: tuple(numbers) for name, numbers in row["kernels"].items()}
    cycles = {name: (float(row["cycles"][name][0]), float(row["cycles"][name][1])) for name in WORK}
    sections = tuple(size for _, size in row["sections"])
    return CodeSizes(row["source"], row["generated"], sections, kernels, stacks, int(row["start_up"]), cycles, float(row["cycles"]["error"][0]))
