"""AVRs in simavr, through libsimavr: cycles."""

from .program import CYCLES, OnLine, Program, Run, marks_in, run_printing
from .tools import compiled

NAME = "simavr"
PACKAGE = "libsimavr-dev libelf-dev"


def run(program: Program, on_line: OnLine | None = None) -> Run:
    """Run a program to its end. Raises VcompressError where libsimavr is missing or the program does not end."""
    runner = compiled("simavr_runner.c", None, (), ("-lsimavr", "-lelf"), PACKAGE)
    text, complained = run_printing(NAME, [str(runner), program.machine, str(program.clock_hz), str(program.elf)], on_line)
    return Run(text, marks_in(complained), CYCLES)
