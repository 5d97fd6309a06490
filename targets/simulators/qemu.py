"""Cortex-M boards in qemu-system-arm: instructions, counted by our own plugin. QEMU knows no cycles."""

import tempfile
from pathlib import Path

from . import instructions
from .program import INSTRUCTIONS, OnLine, Program, Run, run_printing
from .tools import tool

NAME = "qemu-system-arm"


def run(program: Program, on_line: OnLine | None = None) -> Run:
    """Run a program to its end. Raises VcompressError where QEMU is missing or the program does not end."""
    plugin = instructions.build()
    emulator = tool(NAME)
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        low, high = program.code or (None, None)
        counting = instructions.option(plugin, counts, low, high, program.mark, mnemonics=True)
        console = ["-display", "none", "-monitor", "none", "-serial", "none", "-chardev", "stdio,id=console"]
        semihosting = ["-semihosting-config", "enable=on,target=native,chardev=console"]
        command = [emulator, "-M", program.machine, *console, *semihosting, "-icount", "shift=0", *counting, "-kernel", str(program.elf)]
        text, _ = run_printing(NAME, command, on_line)
        counted = instructions.read(counts)
    return Run(text, counted.marks, INSTRUCTIONS, counted.mnemonics)
