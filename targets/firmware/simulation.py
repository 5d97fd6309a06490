"""A vocoder on a simulated board: what it took of flash and RAM, how long it would take there, what it would draw."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...runtime.front_ends import AnyFrontEnd, of_mels
from ..profile import Profile
from ..roofline import Speed
from ..simulators import simulate
from ..simulators.program import CYCLES, OnLine
from ..simulators.timing import timing
from .build import Image, build
from .exported import Exported
from .outcome import Outcome, read_outcome

PITCH, HARMONICS = 110.0, 40  # of the sound that is spoken where no other is given
OTHERS = Path(__file__).parent / "energy.toml"


@dataclass(frozen=True)
class Range:
    """A figure that is reckoned, or counted where `least` is `most`."""

    least: float
    most: float

    def __mul__(self, factor: float) -> "Range":
        return Range(self.least * factor, self.most * factor)


@dataclass(frozen=True)
class Simulation:
    """One run. seconds: of audio; macs: multiply-accumulates of the network for all of it; agreed: other simulators that gave the same, to the cycle."""

    image: Image
    outcome: Outcome
    seconds: float
    macs: int
    agreed: tuple[str, ...] = ()

    @property
    def per_mac(self) -> float:
        """Cycles or instructions (`outcome.counted`) per multiply-accumulate, everything included that makes sound."""
        return self.outcome.total / self.macs

    @property
    def cycles(self) -> Range:
        """Cycles of the whole run: as counted, or reckoned from its instructions."""
        if self.outcome.counted == CYCLES:
            return Range(self.outcome.total, self.outcome.total)
        per_instruction = timing(self.image.board.core, self.outcome.mnemonics)
        return Range(per_instruction.least, per_instruction.most) * self.outcome.total

    @property
    def method(self) -> str:
        """How its cycles are known."""
        board = self.image.board
        if self.outcome.counted == CYCLES:
            return f"cycles counted in {board.simulator}"
        return f"instructions counted in {board.simulator} on {board.machine}, cycles of each: {timing(board.core, self.outcome.mnemonics).source}"

    @property
    def rtf(self) -> Range:
        """Seconds that a second of audio takes."""
        clock = self.image.profile.clock_hz.value
        assert clock is not None
        return self.cycles * (1 / clock / self.seconds)

    @property
    def speed(self) -> Speed:
        """The real-time factor with its verdict in words."""
        return Speed(self.rtf.least, self.rtf.most, self.method)

    @property
    def ram_used(self) -> int:
        """Bytes of RAM at the deepest: variables and stack."""
        return sum(self.image.ram.values()) + self.outcome.stack

    @property
    def energy(self) -> Range | None:
        """J per second of audio, modelled: the time it takes, at the power of the profile; None where that is not known."""
        power = self.image.profile.load_power
        return None if power.value is None else Range(self.rtf.least * power.least, self.rtf.most * power.most)

    @property
    def energy_per_mac(self) -> Range | None:
        """nJ per multiply-accumulate, from `energy`."""
        return None if self.energy is None else self.energy * (1e9 * self.seconds / self.macs)


@cache
def mlperf_tiny() -> Range:
    """nJ per multiply-accumulate that others measured on Cortex-M; the source is in `energy.toml`."""
    row = tomllib.loads(OTHERS.read_text(encoding="utf-8"))["mlperf_tiny"]
    return Range(row["least"], row["most"])


def vowel(front_end: AnyFrontEnd, frames: int) -> np.ndarray:
    """A mel to try a vocoder with, float32 (n_mels, frames): a buzz of falling harmonics. Raises VcompressError for one that is given notes."""
    front_end = of_mels(front_end, "A simulated board")
    time = np.arange(frames * front_end.hop_length) / front_end.sample_rate
    buzz = sum(np.sin(2 * np.pi * PITCH * k * time) / k for k in range(1, HARMONICS + 1) if PITCH * k < front_end.sample_rate / 2)
    waveform = (0.1 * np.asarray(buzz)).astype(np.float32)
    return front_end.mel(waveform * front_end.gain(waveform))[:, :frames]


def simulate_artifact(
    artifact: Artifact, profile: Profile, mel: np.ndarray, folder: Path, on_line: OnLine | None = None, second_opinion: bool = False
) -> Simulation:
    """An artifact's C for a target, built in a folder and run on the simulated board with a mel, float32 (n_mels, F).

    second_opinion: also in the board's other simulator, where it has one.
    Raises VcompressError where the artifact has no C form, a tool is missing, the program does not fit, or a sample is not that of the reference.
    """
    export = Exported.of(artifact, profile)
    return simulate_export(export, profile, export.mel(mel), folder, on_line, second_opinion)


def simulate_export(
    export: Exported, profile: Profile, mel: np.ndarray, folder: Path, on_line: OnLine | None = None, second_opinion: bool = False
) -> Simulation:
    """A library for a target, built in a folder and run on the simulated board with the integers of a mel, (F, n_mels). Raises as `simulate_artifact`."""
    program = export.library.program
    image = build(export.write(folder / "c"), profile, mel, folder, program.name)
    outcome = read_outcome(simulate(image.board.simulator, image.program, on_line), len(mel))
    check_samples(outcome.samples, export.samples(mel), image.board.simulator)
    agreed = []
    if second_opinion and (second := image.board.second_opinion):
        other = read_outcome(simulate(second, image.program), len(mel))
        check_samples(other.samples, outcome.samples, second)
        if (other.start, other.pushes, other.flushes) != (outcome.start, outcome.pushes, outcome.flushes):
            raise VcompressError(f"{second} counts {other.total:,} cycles where {image.board.simulator} counts {outcome.total:,}; report this.")
        agreed.append(second)
    return Simulation(image, outcome, len(mel) * program.hop / program.sample_rate, export.macs * len(mel), tuple(agreed))


def check_samples(made: np.ndarray, expected: np.ndarray, simulator: str) -> None:
    """Raises VcompressError, naming the first, where samples differ."""
    if len(made) != len(expected):
        raise VcompressError(f"The program made {len(made)} samples in {simulator}, the integer reference makes {len(expected)}; report this.")
    if len(different := np.flatnonzero(made != expected)):
        first = different[0]
        raise VcompressError(
            f"Sample {first} is {made[first]} in {simulator} and {expected[first]} in the integer reference, {len(different)} differ; report this."
        )
