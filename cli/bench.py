"""`vcompress bench`: what the artifacts of a workspace cost and how they sound, as records."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .board import (
    AnotherMachineOption,
    BoardPythonOption,
    HostOption,
    IdentityOption,
    PortOption,
    SshConfigOption,
    TargetOption,
    Where,
)
from .options import RUNS, BackendOption, DataOption, JsonOption, PowerOfOption, SeedOption, TakePatternOption, ValidationOption, WorkspaceOption
from .output import print_json, progress_bar, say, working
from .stages import demo_data

if TYPE_CHECKING:
    from ..runtime.artifact import Artifact
    from ..runtime.workspace import Workspace
    from ..vocoders.corpus import Clip, Split

ArtifactsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[ARTIFACT]...", help="Folders of artifacts.  [default: the newest of every name and recipe in the workspace]", show_default=False),
]
ClipsOption = Annotated[int, typer.Option("--clips", metavar="N", min=0, help="How many validation clips quality is measured on; 0: no quality.")]
ThreadsListOption = Annotated[
    list[int] | None,
    typer.Option("--threads", metavar="N", min=1, help="Threads to time with; may be given again, the first is also that of quality.  [default: 1]",
                 show_default=False),
]  # fmt: skip
RepeatsOption = Annotated[int, typer.Option("--repeats", metavar="N", min=1, help="Timed runs after the warm-up.")]
MeasureOption = Annotated[
    list[str] | None,
    typer.Option("--measure", metavar="WHAT", show_default=False,
                 help="size, flops, rtf, efficiency, speedup, memory, energy, training or quality; may be given again.  [default: all but speedup]"),
]  # fmt: skip
ProtocolOption = Annotated[
    str | None, typer.Option("--protocol", metavar="papers", help="Time and energy as the papers took them: ten clips of ten seconds.", show_default=False)
]
BatchOption = Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Utterances made at once, for time and energy; torch-cuda and torch-cpu.")]
WindowsOption = Annotated[int, typer.Option("--windows", metavar="N", min=1, help="Energy: windows of work; fewer than 5 are marked.")]
WindowOption = Annotated[float, typer.Option("--window", metavar="S", help="Energy: least seconds of a window; less than 10 is marked.")]
MeterLogOption = Annotated[
    Path | None, typer.Option("--meter-log", metavar="FILE", help="Energy: log of a meter at the supply, still being written.", show_default=False)
]
MeterOffsetOption = Annotated[
    float | None, typer.Option("--meter-offset", metavar="S", help="Energy: how far the meter's clock is behind.  [default: looked for]", show_default=False)
]
AgainOption = Annotated[bool, typer.Option("--again", help="Measure also what has its record.")]


def bench(
    artifacts: ArtifactsArgument = None,
    data: DataOption = None,
    validation: ValidationOption = None,
    take_pattern: TakePatternOption = r"_\d+$",
    clips: ClipsOption = 16,
    threads: ThreadsListOption = None,
    repeats: RepeatsOption = 10,
    measure: MeasureOption = None,
    protocol: ProtocolOption = None,
    batch: BatchOption = 1,
    windows: WindowsOption = 5,
    window: WindowOption = 10.0,
    meter_log: MeterLogOption = None,
    meter_offset: MeterOffsetOption = None,
    power_of: PowerOfOption = None,
    again: AgainOption = False,
    backend: BackendOption = None,
    target: TargetOption = None,
    another_machine: AnotherMachineOption = False,
    host: HostOption = None,
    port: PortOption = None,
    identity: IdentityOption = None,
    ssh_config: SshConfigOption = None,
    board_python: BoardPythonOption = None,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = RUNS,
    json: JsonOption = False,
) -> None:
    """Measure artifacts: size, speed, memory, energy, quality.

    Every figure is a record in the workspace, written as soon as it is known; what has its record is not measured again.
    With --host, a board is measured over ssh; the same command goes on where a connection broke off.

    \b
    Examples: vcompress bench
              vcompress bench ARTIFACT --target rpi-4b
              vcompress bench ARTIFACT --target rpi-4b --host pi@raspberrypi.local
              vcompress bench runs/hifigan-s/fp32/20260101-120000-000000/artifact --clips 32 --threads 1 --threads 2
              vcompress bench --data recordings --validation '^chapter-9' --measure quality
    """
    with working():
        from ..benchmarks.bench import chosen_families
        from ..benchmarks.conditions import slowed
        from ..benchmarks.records import Record
        from ..benchmarks.rows import rows_of
        from ..benchmarks.subject import BenchSettings
        from ..benchmarks.table import key_table
        from ..runtime.artifact import Artifact
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split

        place = Workspace(workspace)
        where = Where(target, another_machine, host, port, identity, ssh_config, board_python, backend, tuple(threads) if threads else None)
        settings = BenchSettings(seed=seed, repeats=repeats, families=tuple(measure) if measure else None)
        settings = replace(settings, batch=batch, windows=windows, window_seconds=window, meter_log=str(meter_log or ""), meter_offset=meter_offset)
        settings = replace(settings, power_of=power_of or "").following(protocol or "")
        wanted = chosen_families(settings)
        opened = [Artifact.open(folder) for folder in artifacts] if artifacts else newest_artifacts(place)
        place.check_writable()
        if where.on_board and not data and not measure:
            clips = 0
            say("Quality is left out: give recordings with --data, or measure from the desk with --host, which computes it there.")
        families = [artifact.manifest.family for artifact in opened]
        chosen = reference_clips(data, Split(take_pattern, validation), clips, families) if clips and ("quality" in wanted or protocol) else []
        with progress_bar("Measuring") as show:

            def progress(done: int, total: int, what: str, record: Record | None) -> None:
                show(done, total, what)
                if record is not None:
                    figure = f"{record.value:.6g} {record.unit}" if record.value is not None else f"absent ({record.reason})"
                    typer.echo(f"{what} = {figure}", err=True)
                    if why := slowed(record.environment):
                        typer.echo(f"The board was slowed down while this was taken ({why}): cool it, or give it a stronger supply.", err=True)

            records = where.bench(opened, chosen, settings, place.records, progress, again)
    if json:
        print_json({"records": place.records, "figures": [asdict(record) for record in records]})
    else:
        print(key_table(rows_of(records)).markdown())
        if target is not None:
            places = (f"{record.target} ({record.environment.get('machine', '')}, {record.backend})" for record in records)
            print(f"Measured as {' and '.join(dict.fromkeys(places))}.")
        print(f"{len(records)} figures stand in {place.records}; vcompress pareto makes the page.")


def newest_artifacts(workspace: "Workspace") -> list["Artifact"]:
    """The newest artifact of every name and recipe, fp32 first. Raises VcompressError when there is none."""
    from ..errors import VcompressError
    from ..runtime.artifact import MANIFEST, Artifact

    newest: dict[tuple[str, bool, str], Path] = {}
    for run in workspace.runs():  # the newest first
        name, recipe = str(run.facts.get("name")), str(run.facts.get("recipe"))
        if (run.artifact / MANIFEST).is_file():
            newest.setdefault((name, not recipe.endswith("fp32"), recipe), run.artifact)
    if not newest:
        raise VcompressError(f"There is no artifact in the workspace {workspace.root}; make one with: vcompress export.")
    return [Artifact.open(newest[key]) for key in sorted(newest)]


def reference_clips(folders: Sequence[Path] | None, split: "Split", count: int, families: Sequence[str]) -> list["Clip"]:
    """`count` validation clips, spread evenly over those there are; of the demo corpus, and for families that play notes of the demo notes,
    where no folder is given."""
    from ..vocoders.corpus import read_corpus

    chosen: list[Clip] = []
    for part in [folders] if folders else [[folder] for folder in dict.fromkeys(map(demo_data, families))]:
        held_out = read_corpus(part, split).validation
        number = min(count, len(held_out))
        chosen += [held_out[index * len(held_out) // number] for index in range(number)]
    return chosen
