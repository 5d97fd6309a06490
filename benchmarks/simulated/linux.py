"""Boards with Linux: the artifact's own back end in a userland under QEMU, its instructions counted."""

from collections.abc import Iterator

from ...errors import VcompressError
from ...targets.userlands.machines import Core, core_of
from ...targets.userlands.program import run_program
from ...targets.userlands.running import WARM, Run, run
from ...targets.userlands.userland import userland
from ...targets.workload import Workload, workload_of
from ..environment import environment
from ..reckoning import Reckoning
from ..records import MODELLED, SIMULATED, Record
from ..workload import frames_of, steady_mel
from . import OnStep, Request

LONG = 2.0  # seconds of audio
QUICK = 1.5e9  # multiply-accumulates that QEMU counts in about half a minute
LEAST = 4  # frames


def records(request: Request, on_step: OnStep) -> list[Record]:
    """Instructions per second of audio and per multiply-accumulate, and the RTF that follows from them at both ends of the cycles assumed."""
    artifact, profile = request.artifact, request.profile
    core = core_of(profile)
    known = core.architecture.backends
    backend = request.backend or known[0]
    if backend not in known:
        raise VcompressError(f"The back end {backend} has no wheel for {core.architecture.name}, the system of {profile.name}; take {' or '.join(known)}.")
    front_end = artifact.manifest.front_end
    seconds = request.seconds or _quick(workload_of(artifact, LONG))
    frames = max(LEAST, frames_of(front_end, seconds))
    on_step(f"{artifact.manifest.name} {artifact.manifest.recipe} on a {core.name}")
    mel = steady_mel(front_end, frames)
    if core.architecture.compiler:
        done = run_program(core, artifact, mel, request.repeats)
    else:
        done = run(userland(core.architecture, core, on_step=on_step), core, artifact, backend, mel, request.seed, request.repeats)
    return list(_records(request, core, backend, done, workload_of(artifact, frames * front_end.hop_length / front_end.sample_rate)))


def _quick(workload: Workload) -> float:
    return min(LONG, QUICK / max(workload.macs_per_second, 1.0))


def _records(request: Request, core: Core, backend: str, done: Run, workload: Workload) -> Iterator[Record]:
    profile = request.profile
    told = {**done.environment, "vcompress": environment()["vcompress"]}
    counted = f"all instructions of a synthesis, back end and sampler, on one thread, after {WARM} to warm up, {workload.seconds:.3g} s of audio"
    reckoning = Reckoning.of_workload(workload, backend, profile.name, settings={"threads": 1}, environment=told)

    def record(metric: str, scale: float, unit: str, method: str, known: str = SIMULATED, **more: str) -> Record:
        return reckoning.median(metric, [count / workload.seconds * scale for count in done.counts], unit, known, method, **more)

    yield record("instructions_per_second", 1.0, "instruction/s", counted)
    yield record("instructions_per_mac", 1 / workload.macs_per_second, "instruction/MAC", counted)
    clock = profile.clock_hz.value
    if clock:
        for end, cycles in zip(("fast", "slow"), core.cycles, strict=True):
            method = f"{counted}; {core.cycles[0]:g} to {core.cycles[1]:g} cycles each at {clock / 1e9:g} GHz, assumed ({core.assumed}), memory not waited for"
            yield record("rtf", cycles / clock, "s/s", method, MODELLED, end=end)
