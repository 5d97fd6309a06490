"""AVRs in avr8js, from npm: cycles, a second opinion on simavr's."""

from .npm import packages
from .program import CYCLES, OnLine, Program, Run, marks_in, run_printing
from .tools import SOURCES, tool

NAME = "avr8js"


def run(program: Program, on_line: OnLine | None = None) -> Run:
    """Run a program to its end. Raises VcompressError where node or the package is missing or the program does not end."""
    sizes = [str(number) for number in (program.flash_bytes, program.ram_bytes, program.clock_hz)]
    command = [tool("node"), str(SOURCES / "avr8js_runner.mjs"), str(packages()), *sizes, str(program.binary)]
    text, complained = run_printing(NAME, command, on_line)
    return Run(text, marks_in(complained), CYCLES)
