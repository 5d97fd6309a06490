"""The RP2040 in rp2040js, from npm: cycles, without the stalls of the flash outside the chip."""

from .npm import packages
from .program import CYCLES, OnLine, Program, Run, marks_in, run_printing
from .tools import SOURCES, tool

NAME = "rp2040js"


def run(program: Program, on_line: OnLine | None = None) -> Run:
    """Run a program to its end. Raises VcompressError where node or the package is missing or the program does not end."""
    command = [tool("node"), str(SOURCES / "rp2040js_runner.mjs"), str(packages()), str(program.flash_offset), str(program.binary)]
    text, complained = run_printing(NAME, command, on_line)
    return Run(text, marks_in(complained), CYCLES)
