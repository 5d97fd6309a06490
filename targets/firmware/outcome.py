"""What a test program said of its run: samples, stack, and what each call cost."""

import zlib
from dataclasses import dataclass

import numpy as np

from ...errors import VcompressError
from ..simulators.program import Run

FIGURES = ("crc", "samples", "stack", "left")


@dataclass(frozen=True)
class Outcome:
    """samples: int16 (N,). stack: bytes at the deepest; left: bytes that were never touched between stack and variables.

    start, pushes, flushes: what vc_init and each call of vc_push and vc_flush cost, in what is `counted` (cycles or instructions).
    """

    samples: np.ndarray
    stack: int
    left: int
    start: int
    pushes: tuple[int, ...]
    flushes: tuple[int, ...]
    counted: str
    mnemonics: dict[str, int]

    @property
    def total(self) -> int:
        """All calls that make sound, together."""
        return sum(self.pushes) + sum(self.flushes)


def read_outcome(run: Run, frames: int) -> Outcome:
    """The outcome of a run over a mel of so many frames. Raises VcompressError where the program broke off, or its output was damaged on the way."""
    lines = run.text.splitlines()
    rows = [line[1:] for line in lines if line.startswith("s") and not line.startswith(("samples", "stack"))]
    try:
        figures = {words[0]: int(words[1], 16) for line in lines if len(words := line.split()) == 2 and words[0] in FIGURES}
        samples = np.frombuffer(bytes.fromhex("".join(rows)), ">i2").astype(np.int16)
    except ValueError:
        raise VcompressError("What the program printed was damaged on the way; run it again.") from None
    if "end" not in lines or len(figures) != len(FIGURES):
        how = "a fault" if "fault" in lines else "it stopped"
        raise VcompressError(f"The program broke off after {len(rows)} of {frames} frames ({how}); build it again with fewer frames, or for a larger target.")
    if not figures["left"]:
        raise VcompressError("The program's stack ran into its variables; choose a target with more RAM.")
    if len(samples) != figures["samples"] or zlib.crc32(samples.astype("<i2").tobytes()) != figures["crc"]:
        raise VcompressError(f"The {len(samples)} samples that were printed are not the {figures['samples']} that were made (CRC-32); run it again.")
    if len(run.marks) != 2 * (1 + len(rows)):
        raise VcompressError(f"The simulator noted {len(run.marks)} marks for {1 + len(rows)} calls, not two for each; run it again.")
    costs = [after - before for before, after in zip(run.marks[::2], run.marks[1::2], strict=True)]
    start, pushes, flushes = costs[0], costs[1 : frames + 1], costs[frames + 1 :]
    return Outcome(samples, figures["stack"], figures["left"], start, tuple(pushes), tuple(flushes), run.counted, run.mnemonics)
