"""Kernels in C on every simulated board, assembler and all: equal to numpy bit for bit, over shapes, widths, factors and extremes."""

from pathlib import Path

import numpy as np
import pytest
from kernel_program import KernelProgram

from vcompress.targets.firmware.boards import boards, find_board
from vcompress.targets.firmware.build import build
from vcompress.targets.firmware.outcome import read_outcome
from vcompress.targets.profile import find_profile
from vcompress.targets.simulators import simulate

pytestmark = pytest.mark.mcu
GROUPS = {
    "s8 by q15": lambda program: program.add_layers(8, 8, "q15"),
    "s8 by q31": lambda program: program.add_layers(8, 8, "q31"),
    "s8 to s16": lambda program: program.add_layers(8, 16, "q31"),
    "s16 to s8": lambda program: program.add_layers(16, 8, "q15"),
    "s16": lambda program: program.add_layers(16, 16, "q31"),
    "by element": lambda program: program.add_elementwise(),
    "inverse STFT": lambda program: (program.add_istft(64, 32), program.add_istft(128, 32)),
}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("target", sorted(boards()))
def test_kernels_on_a_board_equal_numpy(group: str, target: str, tmp_path: Path) -> None:
    program = KernelProgram()
    GROUPS[group](program)
    program.write(tmp_path / "library")
    image = build(tmp_path / "library", find_profile(target), np.zeros((len(program.cases), 1), np.int8), tmp_path)
    outcome = read_outcome(simulate(find_board(target).simulator, image.program), len(program.cases))
    samples = np.split(outcome.samples, np.cumsum([len(case) for case in program.expected])[:-1])
    for case, (got, expected) in enumerate(zip(samples, program.expected, strict=True)):
        assert np.array_equal(got, expected), f"case {case}: {program.cases[case][:300]}"
