"""Counting the instructions that a program executes under QEMU, system or user, with a plugin of our own."""

from dataclasses import dataclass, field
from pathlib import Path

from ...errors import VcompressError
from .tools import compiled

SOURCE = "instructions.c"


@dataclass(frozen=True)
class Counts:
    """Instructions executed: in all, in the address range that was asked for (None without one), and in all up to each mark.

    `mnemonics`: how often each was executed, the most frequent first; within the range where there is one.
    """

    total: int
    ranged: int | None = None
    marks: tuple[int, ...] = ()
    mnemonics: dict[str, int] = field(default_factory=dict)


def build(cache: Path | None = None) -> Path:
    """The plugin, compiled into a folder (default: the cache) once. Raises VcompressError where there is no compiler."""
    return compiled(SOURCE, cache, ("-shared", "-fPIC"))


def option(plugin: Path, out: Path, low: int | None = None, high: int | None = None, mark: int | None = None, mnemonics: bool = False) -> list[str]:
    """The words that load it, for qemu-system-* and for the dynamic qemu-user: `qemu-arm *option(...) program`.

    out: file for the counts, written when the program ends; low, high: address range; mark: an address at which the count is noted.
    """
    if "," in f"{plugin}{out}":
        raise VcompressError(f"{plugin} or {out} has a comma in its name, which QEMU takes for an end; choose a place without.")
    addresses = {"low": low, "high": high, "mark": mark}
    words = [f"{name}={address:x}" for name, address in addresses.items() if address is not None]
    return ["-plugin", ",".join([str(plugin), f"out={out}", *words, *(["mnemonics=1"] if mnemonics else [])])]


def read(out: Path) -> Counts:
    """What the plugin has written. Raises VcompressError where the emulator ended before it did."""
    marks: list[int] = []
    mnemonics: dict[str, int] = {}
    single: dict[str, int] = {}
    try:
        for line in out.read_text().splitlines():
            kind, *name, count = line.split()
            if kind == "mnemonic":
                mnemonics[name[0]] = mnemonics.get(name[0], 0) + int(count)
            elif kind == "mark":
                marks.append(int(count))
            else:
                single[kind] = int(count)
        total = single["total"]
    except (OSError, ValueError, KeyError, IndexError):
        raise VcompressError(f"QEMU left no counts in {out}; it ended too early, or takes no plugins as QEMU 4.2 to 8.2 does (Debian 12 has 7.2).") from None
    ordered = dict(sorted(mnemonics.items(), key=lambda pair: -pair[1]))
    return Counts(total, single.get("ranged"), tuple(marks), ordered)
