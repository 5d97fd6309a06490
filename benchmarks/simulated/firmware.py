"""Microcontrollers: the C export in a program around it, on a simulated board, each sample that of the integer reference."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...targets.firmware.simulation import Simulation, simulate_artifact
from ...targets.simulators.program import CYCLES
from ..environment import environment
from ..reckoning import Reckoning
from ..records import MODELLED, SIMULATED, Record
from ..workload import frames_of, steady_mel
from . import OnStep, Request

BACKEND = "c"
SECONDS = 0.5  # whose mel fits the flash of the smallest board beside a vocoder


def records(request: Request, on_step: OnStep) -> list[Record]:
    """Flash and RAM, cycles or instructions per second of audio and per multiply-accumulate, RTF, and energy where the power is known."""
    artifact, profile = request.artifact, request.profile
    if request.backend not in (None, BACKEND):
        raise VcompressError(f"The back end {request.backend} does not run on {profile.name}, a microcontroller; take {BACKEND}.")
    front_end = artifact.manifest.front_end
    mel = steady_mel(front_end, frames_of(front_end, request.seconds or SECONDS))
    on_step(f"{artifact.manifest.name} {artifact.manifest.recipe} on {profile.name}")
    with TemporaryDirectory() as folder:
        return list(simulated_records(artifact, simulate_artifact(artifact, profile, mel, Path(folder))))


def simulated_records(artifact: Artifact, result: Simulation) -> Iterator[Record]:
    """What is counted is `simulated`, and what is reckoned from counts `modelled`."""
    outcome, image = result.outcome, result.image
    told = {"machine": image.board.machine, "vcompress": environment()["vcompress"]}
    record = Reckoning.of_artifact(artifact, BACKEND, image.profile.name, result.seconds, environment=told).record
    unit = outcome.counted.removesuffix("s")
    counting = f"counted in {image.board.simulator}, vc_push and vc_flush alone, {result.seconds:.3g} s of audio"
    on_stack = "linker map, and the deepest mark on a painted stack; the test program included"
    yield record("flash_bytes", sum(image.flash.values()), "byte", SIMULATED, "linker map; the test program and its mel included")
    yield record("ram_bytes", result.ram_used, "byte", SIMULATED, on_stack)
    yield record(f"{outcome.counted}_per_second", outcome.total / result.seconds, f"{unit}/s", SIMULATED, counting)
    yield record(f"{outcome.counted}_per_mac", result.per_mac, f"{unit}/MAC", SIMULATED, counting)
    of_counts = SIMULATED if outcome.counted == CYCLES else MODELLED
    for end, seconds in (("fast", result.rtf.least), ("slow", result.rtf.most)):
        yield record("rtf", seconds, "s/s", of_counts, result.method, end=end)
    power, energy = image.profile.load_power, result.energy
    for end in ("least", "most"):
        joules = None if energy is None else getattr(energy, end)
        reason = power.reason and f"power of {image.profile.name}: {power.reason}"
        yield record("energy", joules, "J/s", MODELLED, f"RTF x {power.source}" if power.source else "", reason, end=end)
