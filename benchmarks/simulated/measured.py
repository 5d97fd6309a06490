"""The section "Measured" of docs/microcontrollers.md: python -m vcompress.benchmarks.simulated.measured ARTIFACT... --out docs/microcontrollers.md"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...runtime.files import write_text
from ...targets.firmware.boards import boards
from ...targets.firmware.dilated_stack import dilated_stack, rows
from ...targets.firmware.exported import Exported
from ...targets.firmware.simulation import Simulation, simulate_artifact, simulate_export
from ...targets.fit import Fit, fit
from ...targets.profile import REQUANTIZATIONS, Profile, find_profile
from ...targets.workload import workload_of
from ..environment import environment
from ..workload import frames_of, steady_mel

HEADING = "## Measured"
SECONDS = 0.2
TEST_PARTS = ("board and test program", "mel of the test")  # of a program, but not of a vocoder
# (target, requantization) -> cycles or instructions a multiply-accumulate that the project asks of itself
ASKED = {(avr, variant): bound for avr in ("atmega1280", "atmega2560") for variant, bound in (("q15", 24.0), ("q31", 27.0))}
ASKED |= {("nano-33-ble", variant): 2.6 for variant in REQUANTIZATIONS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, and write the section into the page. 2: a VcompressError, as one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.simulated.measured", description=__doc__)
    parser.add_argument("artifacts", type=Path, nargs="+", metavar="ARTIFACT")
    parser.add_argument("--out", type=Path, default=Path("docs/microcontrollers.md"), metavar="FILE", help="the page")
    asked = parser.parse_args(arguments)
    try:
        section = write([Artifact.open(path) for path in asked.artifacts])
        page = asked.out.read_text(encoding="utf-8") if asked.out.is_file() else ""
        write_text(asked.out, page.partition(HEADING)[0] + section)
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    print(asked.out)
    return 0


def write(artifacts: Sequence[Artifact]) -> str:
    """The section in Markdown."""
    blocks = [HEADING, _made(), "### A multiply-accumulate", _table(_costs(artifacts))]
    for artifact in artifacts:
        blocks += [f"### {artifact.manifest.name} {artifact.manifest.recipe}", _table(_memory(artifact))]
    return "\n\n".join(blocks) + "\n"


def _made() -> str:
    about = environment()
    return (
        f"{time.strftime('%Y-%m-%d')}, {about['machine']}, vcompress {about['vcompress']}. Each run's samples are those of the integer reference, and those of "
        "the AVRs' were the same in avr8js, to the cycle. Flash and RAM are those of a vocoder without the test program; predicted: by `vcompress fit`."
    )


def _costs(artifacts: Sequence[Artifact]) -> Iterator[Sequence[str]]:
    """Cycles or instructions per multiply-accumulate of the dilated stack and of each artifact, on each board, in both requantizations."""
    names = [heading for artifact in artifacts for heading in _headings(artifact)]
    yield ("target", "counted", "requantization", "asked", "dilated stack", *names)
    for target in boards():
        for variant in REQUANTIZATIONS:
            profile = replace(find_profile(target), requantization=variant)
            bound, stack = ASKED.get((target, variant)), _stack(profile)
            cells = [_judged(stack.per_mac, bound)]
            for artifact in artifacts:
                asked = bound if has_transform(artifact) else None  # of the stack and of vocos
                cells += [_judged(_network(artifact.folder, profile).per_mac, asked)] if has_transform(artifact) else []
                cells.append(_judged(_run(artifact.folder, profile).per_mac, asked))
            yield target, stack.outcome.counted, variant, "" if bound is None else f"≤ {bound:g}", *cells


def _headings(artifact: Artifact) -> list[str]:
    name = artifact.manifest.name
    return [f"{name}, network alone", f"{name}, with its inverse STFT"] if has_transform(artifact) else [name]


def has_transform(artifact: Artifact) -> bool:
    """Whether its sampler computes beside the network, which its multiply-accumulates do not count."""
    return artifact.manifest.sampler.get("name") == "istft"


def _memory(artifact: Artifact) -> Iterator[Sequence[str]]:
    """What was predicted and what was measured of flash and RAM, real-time factor and energy, on each board in its profile's requantization."""
    yield "target", "flash predicted", "measured", "", "RAM predicted", "measured", "", "RTF", "", "J a second of audio"
    workload = workload_of(artifact, SECONDS)
    for target in boards():
        profile = find_profile(target)
        run, predicted = _run(artifact.folder, profile), fit(profile, workload)
        flash, ram = vocoder_bytes(run, artifact)
        energy = "not known" if run.energy is None else _range(run.energy.least, run.energy.most)
        rtf = _range(run.rtf.least, run.rtf.most)
        yield target, *_held(predicted, "flash", flash), *_held(predicted, "RAM", ram), rtf, run.speed.words, energy


def vocoder_bytes(run: Simulation, artifact: Artifact) -> tuple[int, int]:
    """Flash and RAM of the vocoder in a program: without test program and board, with what it calls of the C library, a frame in and out, and the stack."""
    flash = sum(size for part, size in run.image.flash.items() if part not in TEST_PARTS)
    program = Exported.of(artifact, run.image.profile).library.program
    frame = program.tensors[program.input].row_bytes + 2 * program.hop
    return flash, run.image.ram["vocoder"] + frame + run.outcome.stack


def _held(predicted: Fit, memory: str, measured: int) -> tuple[str, str, str]:
    budget = predicted.budget(memory)
    if budget is None or not all(part.bytes is not None for part in budget.parts):
        return "not known", f"{measured:,}", ""
    return f"{budget.needed:,}", f"{measured:,}", f"{100 * (budget.needed / measured - 1):+.1f} %"


def _stack(profile: Profile) -> Simulation:
    with TemporaryDirectory() as folder:
        return simulate_export(dilated_stack(profile), profile, rows(), Path(folder), second_opinion=True)


def _network(place: Path, profile: Profile) -> Simulation:
    artifact = Artifact.open(place)
    export = Exported.of(artifact, profile).network_alone()
    with TemporaryDirectory() as folder:
        return simulate_export(export, profile, export.mel(_mel(artifact)), Path(folder), second_opinion=True)


@cache
def _run(place: Path, profile: Profile) -> Simulation:
    artifact = Artifact.open(place)
    print(f"{artifact.manifest.name} on {profile.name}, {profile.requantization}", file=sys.stderr, flush=True)
    with TemporaryDirectory() as folder:
        return simulate_artifact(artifact, profile, _mel(artifact), Path(folder), second_opinion=True)


def _mel(artifact: Artifact) -> np.ndarray:
    front_end = artifact.manifest.front_end
    return steady_mel(front_end, frames_of(front_end, SECONDS))


def _judged(value: float, bound: float | None) -> str:
    return f"{value:.2f}" if bound is None else f"{value:.2f} {'met' if value <= bound else '**missed**'}"


def _range(least: float, most: float) -> str:
    return " to ".join(dict.fromkeys(f"{end:.3g}" for end in (least, most)))


def _table(lines: Iterator[Sequence[str]]) -> str:
    headings, *rest = lines
    return "\n".join([f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}", *(f"| {' | '.join(line)} |" for line in rest)])


if __name__ == "__main__":
    sys.exit(main())
