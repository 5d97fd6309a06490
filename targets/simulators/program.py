"""What a simulator gets, a program and the chip it is for, and what it gives back."""

import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import VcompressError
from .tools import said

CYCLES, INSTRUCTIONS = "cycles", "instructions"
LONGEST = 3600.0  # seconds that a run may take: a program that hangs prints nothing and would run for ever
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """A linked program. elf, binary: its files; machine: what the simulator calls the chip or board; mark: address of `board_mark`.

    code: addresses of the vocoder's own code, first and behind the last; None where nobody asks.
    """

    elf: Path
    binary: Path
    machine: str
    clock_hz: int
    flash_bytes: int
    ram_bytes: int
    flash_offset: int
    mark: int
    code: tuple[int, int] | None = None


@dataclass(frozen=True)
class Run:
    """What a program has printed, and the count at each of its marks.

    counted: CYCLES or INSTRUCTIONS; mnemonics: how often each was executed in the vocoder's own code.
    """

    text: str
    marks: tuple[int, ...]
    counted: str
    mnemonics: dict[str, int] = field(default_factory=dict)


def run_printing(simulator: str, command: Sequence[str], on_line: OnLine | None = None, longest: float = LONGEST) -> tuple[str, str]:
    """Run a simulator; what it printed on stdout, given to `on_line` line by line as it comes, and on stderr.

    Raises VcompressError where it ends with another status than 0, or not within `longest` seconds.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, text=True, errors="replace")
        timer = threading.Timer(longest, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if on_line is not None:
                    on_line(line)
            status = process.wait()
        finally:
            late = not timer.is_alive()
            timer.cancel()
            process.kill()
            process.wait()
        complaints.seek(0)
        complained = complaints.read()
    if late:
        raise VcompressError(f"The program did not end in {simulator} within {longest:g} s; give it fewer frames.")
    if status:
        words = said("".join(line for line in complained.splitlines(keepends=True) if not line.startswith(("mark ", "end "))))
        raise VcompressError(f"{simulator} ended with status {status} before the program did ({words}); build the program again.")
    return "".join(lines), complained


def marks_in(complained: str) -> tuple[int, ...]:
    """The counts of the lines "mark N" that our runners print."""
    return tuple(int(line.split()[1]) for line in complained.splitlines() if line.startswith("mark "))
