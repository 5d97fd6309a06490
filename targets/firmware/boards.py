"""Boards: how a program for a target is compiled, and which simulator stands in for it. The data is in `boards.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import VcompressError

BOARDS = Path(__file__).parent / "boards.toml"


@dataclass(frozen=True)
class Board:
    """One board. sources: its C in `source/`; script: a linker script there, where the compiler brings none; machine: its name in the simulator.

    flash_origin, ram_origin: addresses as the linker knows them; second_opinion: another simulator that has to agree; core: whose timing
    tells cycles from instructions, where the simulator counts these.
    """

    name: str
    compiler: str
    flags: tuple[str, ...]
    sources: tuple[str, ...]
    simulator: str
    machine: str
    ram_origin: int
    flash_origin: int = 0
    script: str = ""
    second_opinion: str = ""
    core: str = ""

    @property
    def is_avr(self) -> bool:
        """Whether it is one of the 8-bit boards, whose flash is no memory that a pointer reads."""
        return self.compiler == "avr-gcc"


@cache
def boards() -> dict[str, Board]:
    """Every board by the name of its target."""
    return {name: _board(name, row) for name, row in tomllib.loads(BOARDS.read_text(encoding="utf-8")).items()}


def _board(name: str, row: dict[str, Any]) -> Board:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Board(name=name, **fields)


def find_board(target: str) -> Board:
    """The board of a target. Raises VcompressError where no simulator stands in for it."""
    if target not in boards():
        raise VcompressError(f"No simulator stands in for {target}; choose one of {', '.join(boards())}.")
    return boards()[target]
