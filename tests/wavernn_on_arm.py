"""WaveRNN's loop compiled for aarch64 with one network in it, and run by qemu."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vcompress.runtime.draws import weight_table
from vcompress.runtime.wavernn import reference
from vcompress.runtime.wavernn.kernel import SOURCE, ZERO_POINTS
from vcompress.runtime.wavernn.panels import Panels
from vcompress.runtime.wavernn.steps import HALVES, Steps

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
ROOM = 2048


def run_on_arm(folder: Path, steps: Steps, conditions: Sequence[np.ndarray], hop_length: int, seed: int, flags: Sequence[str] = ()) -> tuple[str, np.ndarray]:
    """The kernel's name, and the samples, int16."""
    program = folder / "main.c"
    program.write_text(_program(steps, conditions, hop_length, seed))
    command = [COMPILER, "-std=c99", "-O3", "-fwrapv", "-static", *flags, "-I", str(SOURCE), "-o", str(folder / "main"), str(program)]
    subprocess.run(command, check=True, capture_output=True)
    name, *samples = subprocess.run([EMULATOR, "-cpu", "max", str(folder / "main")], check=True, capture_output=True, text=True).stdout.split()
    return name, np.array(samples, np.int16)


def _program(steps: Steps, conditions: Sequence[np.ndarray], hop_length: int, seed: int) -> str:
    lines: list[str] = []

    def array(values: np.ndarray | None) -> str:
        if values is None:
            return "0"
        lines.append(f"static const {values.dtype.name}_t k{len(lines)}[] = {{{','.join(map(str, values.reshape(-1)))}}};")
        return f"k{len(lines) - 1}"

    def product(half: str, name: str, zero_point: int) -> str:
        p = Panels.of(getattr(getattr(steps, half), name), zero_point)
        arrays = ",".join(map(array, (p.weights, p.starts, p.columns, p.bias, p.bias_signed, p.multiplier)))
        return f"{{{arrays},{len(p.starts) - 1},{p.shift}}}"

    halves = ",".join(f"{{{','.join(product(half, name, zero) for name, zero in ZERO_POINTS.items())}}}" for half in HALVES)
    weights = weight_table()
    tables, (coarse, fine) = ",".join(map(array, (*reference.tables(), weights))), map(array, conditions)
    frames = len(conditions[0])
    return "\n".join(
        [
            '#include "vw_loop.c"',
            "#include <stdio.h>",
            *lines,
            f"static const vw_steps steps = {{{{{halves}}},{tables},{steps.coarse.units},{len(weights) - 1}}};",
            f"static int32_t sums[{ROOM}];",
            f"static int16_t state[{steps.units}], recurrent[{ROOM}], given[{ROOM}], samples[{frames * hop_length}];",
            f"static uint8_t all[{ROOM}], narrow_[{ROOM}], picked[{ROOM}];",
            "int main(void) {",
            "    vw_room room = {sums, recurrent, given, all, narrow_, picked};",
            f"    vw_cursor cursor = {{state, {seed}, 0, CENTRE, 0}};",
            f"    vw_generate(&steps, &cursor, &room, {coarse}, {fine}, {frames}, {hop_length}, samples);",
            "    puts(vw_kernel());",
            f'    for (int i = 0; i < {frames * hop_length}; i++) printf("%d\\n", samples[i]);',
            "    return 0;",
            "}",
        ]
    )
