"""`vcompress firmware`: a vocoder compiled for a microcontroller, run on a simulated one, and checked sample for sample."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import ArtifactArgument, JsonOption
from .output import print_json, progress_bar

if TYPE_CHECKING:
    import numpy as np

    from ..runtime.artifact import Artifact
    from ..targets.firmware.simulation import Range, Simulation

InputArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[INPUT]", help="Speech (.wav, .flac), or a saved mel (.npy, .npz).  [default: a vowel]", show_default=False),
]
TargetOption = Annotated[str, typer.Option("--target", metavar="NAME|FILE", help="A microcontroller (see: vcompress targets).")]
SecondsOption = Annotated[float, typer.Option("--seconds", metavar="S", min=0.02, max=60, help="How much is spoken; its mel lies in flash.")]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where the waveform that the board made goes.", show_default=False)]
SecondOption = Annotated[bool, typer.Option("--second-opinion", help="AVRs: also in avr8js, from npm, which has to agree to the cycle.")]
KeepOption = Annotated[Path | None, typer.Option("--keep", metavar="DIR", help="Leave C, program and linker map there.", show_default=False)]


def firmware(
    artifact: ArtifactArgument,
    source: InputArgument = None,
    target: TargetOption = "atmega2560",
    seconds: SecondsOption = 0.5,
    out: OutOption = None,
    second_opinion: SecondOption = False,
    keep: KeepOption = None,
    json: JsonOption = False,
) -> None:
    """Compile an artifact for a microcontroller, and let it speak on a simulated one.

    The C export is built with a test program around it and linked against the memory of the target: what does not fit ends there, with
    the bytes that are too many. Then it runs in the target's simulator, and every sample has to be that of the integer reference.

    \b
    Examples: vcompress firmware ARTIFACT --target atmega2560
              vcompress firmware ARTIFACT speech.wav --target nano-33-ble --seconds 2 -o board.wav
    """
    from tempfile import TemporaryDirectory

    from ..runtime.artifact import Artifact
    from ..runtime.audio import write_audio
    from ..targets.firmware.boards import find_board
    from ..targets.firmware.simulation import simulate_artifact, vowel
    from ..targets.profile import find_profile

    profile, opened = find_profile(target), Artifact.open(artifact)
    find_board(profile.name)  # before anything is computed
    front_end = opened.manifest.front_end
    frames = max(1, round(seconds * front_end.sample_rate / front_end.hop_length))
    mel, gain = _read(source, opened, frames) if source is not None else (vowel(front_end, frames), 1.0)
    with TemporaryDirectory() as folder, progress_bar(profile.name) as progress:
        frame = iter(range(1, mel.shape[1] + 1))
        place, count = keep or Path(folder), mel.shape[1]
        result = simulate_artifact(opened, profile, mel, place, lambda line: progress(next(frame, count), count), second_opinion)
    if out is not None:
        write_audio(out, result.outcome.samples.astype("float32") / 2**15 / gain, front_end.sample_rate)
    if json:
        print_json(_document(opened, result))
    else:
        for line in _lines(opened, result):
            print(line)


def _read(source: Path, artifact: "Artifact", frames: int) -> "tuple[np.ndarray, float]":
    from ..runtime.synthesis import read_mel

    mel, gain = read_mel(source, artifact.manifest.front_end)
    return mel[:, :frames], gain


def _document(artifact: "Artifact", result: "Simulation") -> dict[str, Any]:
    image, outcome, manifest = result.image, result.outcome, artifact.manifest
    return {
        "name": manifest.name,
        "recipe": manifest.recipe,
        "artifact": artifact.identity,
        "target": image.profile.name,
        "simulator": image.board.simulator,
        "agreed": result.agreed,
        "seconds": result.seconds,
        "samples": len(outcome.samples),
        "flash": {"parts": image.flash, "bytes": sum(image.flash.values()), "available": image.profile.flash},
        "ram": {"parts": {**image.ram, "stack": outcome.stack}, "bytes": result.ram_used, "available": image.profile.ram},
        outcome.counted: outcome.total,
        "per_mac": result.per_mac,
        "rtf": {"fast": result.rtf.least, "slow": result.rtf.most, "method": result.method, "verdict": result.speed.words},
        "modelled_joules_per_second": _ends(result.energy),
        "modelled_nanojoules_per_mac": _ends(result.energy_per_mac),
    }


def _ends(figure: "Range | None") -> dict[str, float] | None:
    return None if figure is None else {"least": figure.least, "most": figure.most}


def _lines(artifact: "Artifact", result: "Simulation") -> Iterator[str]:
    image, outcome, manifest = result.image, result.outcome, artifact.manifest
    board, profile = image.board, image.profile
    yield f"{manifest.name} {manifest.recipe} on {profile.name} ({profile.title}), simulated: {result.speed.words}"
    also = f", and the same to the cycle in {' and '.join(result.agreed)}" if result.agreed else ""
    yield f"  {len(outcome.samples):,} samples ({result.seconds:.3g} s) in {board.simulator}, each that of the integer reference{also}"
    yield from _memory("flash", image.flash, profile.flash)
    yield from _memory("RAM", {**image.ram, "stack": outcome.stack}, profile.ram)
    yield f"  {outcome.counted}: {round(outcome.total / result.seconds):,} a second of audio, {result.per_mac:.3g} a MAC"
    yield f"  RTF: {_range(result.rtf)}, {result.speed.words} ({result.method})"
    yield from _energy(result)


def _memory(name: str, parts: dict[str, int], available: float) -> Iterator[str]:
    yield f"  {name}: {sum(parts.values()):,} of {available:,.0f} bytes"
    yield from (f"    {part}: {count:,}" for part, count in parts.items())


def _energy(result: "Simulation") -> Iterator[str]:
    from ..targets.firmware.simulation import mlperf_tiny

    energy, per_mac = result.energy, result.energy_per_mac
    if energy is None or per_mac is None:
        yield f"  energy: not known, {result.image.profile.load_power.reason}"
        return
    others = f"beside {_range(mlperf_tiny())} of MLPerf Tiny on Cortex-M33, M4 and M7"
    yield f"  energy: {_range(energy)} J a second of audio, modelled: RTF x power of the chip; {_range(per_mac)} nJ a MAC, {others}"


def _range(figure: "Range") -> str:
    return " to ".join(dict.fromkeys(f"{end:.3g}" for end in (figure.least, figure.most)))
