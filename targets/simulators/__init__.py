"""Simulated boards: programs that stand in for a target's hardware, one file each."""

from importlib import import_module

from ...errors import VcompressError
from .program import OnLine, Program, Run

# name -> module with `run(program, on_line) -> Run`
SIMULATORS = {
    "simavr": ".simavr",
    "avr8js": ".avr8js",
    "rp2040js": ".rp2040js",
    "qemu-system-arm": ".qemu",
}


def simulate(name: str, program: Program, on_line: OnLine | None = None) -> Run:
    """Run a program in a simulator, to its end; `on_line` gets each line that it prints, as it comes.

    Raises VcompressError for an unknown simulator, one that is not installed (naming its package), or a program that does not end.
    """
    if name not in SIMULATORS:
        raise VcompressError(f"There is no simulator {name!r}; choose one of {', '.join(SIMULATORS)}.")
    run: Run = import_module(SIMULATORS[name], __package__).run(program, on_line)
    return run
