"""`vcompress simulate`: an artifact on boards that are not here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import RUNS, JsonOption, SeedOption, WorkspaceOption
from .output import print_json, print_table, progress_bar, say, working

if TYPE_CHECKING:
    from ..benchmarks.records import Record

ArtifactsArgument = Annotated[list[Path], typer.Argument(metavar="ARTIFACT...", help="Folders of artifacts.")]
TargetOption = Annotated[list[str], typer.Option("--target", metavar="NAME|FILE", help="A target (see: vcompress targets) or your own; may be given again.")]
BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend", metavar="NAME", help="What runs it there.  [default: onnxruntime; tflite_runtime on a 32-bit system, c on ARMv6]", show_default=False
    ),
]
SecondsOption = Annotated[
    float | None,
    typer.Option("--seconds", metavar="S", min=0.01, max=60, help="Audio that a run makes.  [default: 2, less where that takes long]", show_default=False),
]
RepeatsOption = Annotated[int, typer.Option("--repeats", metavar="N", min=1, max=100, help="Runs that are counted.")]


def simulate(
    artifacts: ArtifactsArgument,
    target: TargetOption,
    backend: BackendOption = None,
    seconds: SecondsOption = None,
    repeats: RepeatsOption = 2,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = RUNS,
    json: JsonOption = False,
) -> None:
    """Run artifacts on simulated boards and count what that takes.

    A Raspberry Pi is Debian's files for its architecture under QEMU, with the processor it has; its instructions are counted, and the
    RTF follows with the cycles that one is assumed to take. A microcontroller runs the artifact's C, whose samples are checked (in full:
    vcompress firmware). Every figure is a record in the workspace, labelled simulated, or modelled where it is reckoned from counts.

    \b
    Examples: vcompress simulate ARTIFACT --target rpi-4b
              vcompress simulate ARTIFACT --target atmega2560 --target pico
              vcompress simulate ARTIFACT ARTIFACT --target rpi-3b --target rpi-5 --backend litert
    """
    with working():
        from dataclasses import asdict

        from ..benchmarks.records import append_record
        from ..benchmarks.simulated import Request
        from ..benchmarks.simulated import simulate as run
        from ..runtime.artifact import Artifact
        from ..runtime.workspace import Workspace
        from ..targets.profile import find_profile

        place = Workspace(workspace)
        opened, profiles = [Artifact.open(folder) for folder in artifacts], [find_profile(name) for name in target]
        place.check_writable()
        found: list[Record] = []
        with progress_bar("Simulating") as show:
            for artifact in opened:
                for profile in profiles:
                    made = run(Request(artifact, profile, backend, seconds, repeats, seed), on_step=lambda step: show(0, None, step))
                    for record in made:
                        append_record(place.records, record)
                    found += made
    if json:
        print_json({"records": place.records, "figures": [asdict(record) for record in found]})
        return
    _print(found)
    say(f"{len(found)} simulated figures added to {place.records}.")


def _print(found: "list[Record]") -> None:
    runs: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for record in found:
        figures = runs.setdefault((record.name, record.recipe, record.target, record.backend, record.environment["machine"]), {})
        if record.value is not None:
            figures.setdefault(record.metric, []).append(record.value)
    rows = [(*key, *(_ends(figures.get(metric, [])) for metric in ("instructions_per_second", "instructions_per_mac", "rtf"))) for key, figures in runs.items()]
    print_table(("vocoder", "recipe", "target", "back end", "on", "instructions/s", "per MAC", "RTF"), rows, words=5)


def _ends(values: list[float]) -> str:
    return " to ".join(dict.fromkeys(f"{value:.3g}" if value < 1e3 else f"{value / 1e6:,.1f} M" for value in values)) or "-"
