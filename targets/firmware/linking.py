"""What the linker says: where the bytes of a program went, and by how much one does not fit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import VcompressError

# Output sections that take flash, RAM or both; others (debugging, notes) take neither
FLASH_SECTIONS = {".text", ".mel", ".ARM.exidx", ".data"}
RAM_SECTIONS = {".data", ".bss", ".noinit"}
START = "Linker script and memory map"
OVERFLOW = re.compile(r"region [`'](\w+)' overflowed by (\d+) bytes?")
BEYOND = re.compile(r"address 0x([0-9a-f]+) of \S+ section \S+ is not within region [`'](\w+)'")  # how the AVR linker says it of RAM
MEMORIES = {"text": "flash", "flash": "flash", "data": "RAM", "ram": "RAM"}
_OUTPUT = re.compile(r"^(\.[\w.]+)(?:\s+0x[0-9a-f]+\s+0x([0-9a-f]+).*)?$")
_INPUT = re.compile(r"^ (\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s*(.*)$")
_CONTINUED = re.compile(r"^\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s*(.*)$")  # below a name that took a line of its own
_LONG_NAME = re.compile(r"^ ([.\w*]\S*)$")


@dataclass(frozen=True)
class Piece:
    """Bytes of one input section. output: the section of the program; name: that of the input; file: the object it is from, "" for padding."""

    output: str
    name: str
    file: str
    bytes: int


def read_map(path: Path) -> list[Piece]:
    """Every piece of the program, from the linker's map. Raises VcompressError where it is no map."""
    text = path.read_text(encoding="utf-8", errors="replace")
    _, found, body = text.partition(START)
    if not found:
        raise VcompressError(f"{path} is no linker map; build the program again.")
    return [piece for piece in _pieces(body) if piece.bytes]


def _pieces(body: str) -> Iterator[Piece]:
    output, long_name = "", ""
    for line in body.splitlines():
        if match := _OUTPUT.match(line):
            output, long_name = match[1], ""
        elif long_name and (match := _CONTINUED.match(line)):
            yield Piece(output, long_name, match[2].strip(), int(match[1], 16))
            long_name = ""
        elif (match := _INPUT.match(line)) and output:
            yield Piece(output, match[1], match[3].strip(), int(match[2], 16))
            long_name = ""
        else:
            match = _LONG_NAME.match(line)
            long_name = match[1] if match else ""


def overflow(complaint: str, program: str, target: str, budgets: dict[str, int], ends: dict[str, int], spoken: int) -> str | None:
    """Our sentence for an image that the linker finds too large, with its numbers; None where that is not what it complained of.

    budgets, ends: memory ("flash", "RAM") -> bytes that the target has, and the address behind the last of them; spoken: bytes of flash of the test's mel.
    """
    over = {MEMORIES[region]: int(address, 16) - ends[MEMORIES[region]] for address, region in BEYOND.findall(complaint) if region in MEMORIES}
    over |= {MEMORIES[region]: int(count) for region, count in OVERFLOW.findall(complaint) if region in MEMORIES}
    if not over:
        return None
    parts = [f"{budgets[memory] + count:,} bytes of {memory} where {target} has {budgets[memory]:,} ({count:,} too many)" for memory, count in over.items()]
    only_the_mel = set(over) == {"flash"} and over["flash"] <= spoken
    advice = "speak for a shorter time" if only_the_mel else "take a smaller vocoder, or a larger target (see: vcompress fit ARTIFACT --all)"
    return f"{program} does not fit: it needs {' and '.join(parts)}; {advice}."
