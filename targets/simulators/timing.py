"""Cycles of a Cortex-M, reckoned from the instructions that it executed: a range, since a mnemonic does not say what it waited for."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TIMING = Path(__file__).parent / "timing.toml"


@dataclass(frozen=True)
class Timing:
    """Cycles per instruction of what has run, least and most, and where the cycles of each instruction are from."""

    least: float
    most: float
    source: str


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(TIMING.read_text(encoding="utf-8"))


def timing(core: str, mnemonics: Mapping[str, int]) -> Timing:
    """Cycles per instruction of a core ("cortex-m4") for how often each mnemonic was executed; memory that makes nobody wait."""
    row = _table()[core]
    if "like" in row:
        other = timing(row["like"], mnemonics)
        return Timing(other.least * row["times"], other.most * row["times"], row["source"])
    cycles = [(re.compile(pattern), least, most) for pattern, least, most in row["cycles"]]
    least = most = 0
    for mnemonic, count in mnemonics.items():
        low, high = next(((low, high) for pattern, low, high in cycles if pattern.fullmatch(mnemonic)), (1, 1))
        least, most = least + count * low, most + count * high
    total = sum(mnemonics.values())
    return Timing(least / total, most / total, row["source"])
