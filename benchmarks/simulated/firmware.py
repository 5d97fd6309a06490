"""Microcontrollers: the C export in a program around it, on a simulated board, each sample that of the integer reference."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...targets.firmware.simulation import Simulation, simulate_artifact
from ...targets.simulators.program import CYCLES
from ..environment import environment
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
    unit = outcome.counted.removesuffix("s")
    counting = f"counted in {image.board.simulator}, vc_push and vc_flush alone, {result.seconds:.3g} s of audio"
    yield _record(artifact, result, "flash_bytes", sum(image.flash.values()), "byte", "linker map; the test program and its mel included")
    yield _record(artifact, result, "ram_bytes", result.ram_used, "byte", "linker map, and the deepest mark on a painted stack; the test program included")
    yield _record(artifact, result, f"{outcome.counted}_per_second", outcome.total / result.seconds, f"{unit}/s", counting)
    yield _record(artifact, result, f"{outcome.counted}_per_mac", result.per_mac, f"{unit}/MAC", counting)
    known = SIMULATED if outcome.counted == CYCLES else MODELLED
    for end, seconds in (("fast", result.rtf.least), ("slow", result.rtf.most)):
        yield _record(artifact, result, "rtf", seconds, "s/s", result.method, known, end=end)
    power, energy = image.profile.load_power, result.energy
    for end in ("least", "most"):
        joules = None if energy is None else getattr(energy, end)
        reason = power.reason and f"power of {image.profile.name}: {power.reason}"
        yield _record(artifact, result, "energy", joules, "J/s", f"RTF x {power.source}" if power.source else "", MODELLED, reason, end=end)


def _record(
    artifact: Artifact, result: Simulation, metric: str, value: float | None, unit: str, method: str, known: str = SIMULATED, reason: str = "", **settings: str
) -> Record:
    manifest = artifact.manifest
    return Record(
        artifact=artifact.identity,
        name=manifest.name,
        family=manifest.family,
        size=manifest.size,
        recipe=manifest.recipe,
        backend=BACKEND,
        target=result.image.profile.name,
        metric=metric,
        value=value,
        unit=unit,
        known=known,
        reason=reason,
        method=method,
        window=result.seconds,
        settings={"seconds": result.seconds, **settings},
        environment={"machine": result.image.board.machine, "vcompress": environment()["vcompress"]},
    )
