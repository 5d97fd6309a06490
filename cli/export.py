"""`vcompress export`: a run as an artifact."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import VcompressError
from .options import RUNS, JsonOption, NameOption, ScheduleOption, WorkspaceOption
from .output import print_json, say, working

if TYPE_CHECKING:
    from ..runtime.workspace import Run, Workspace

QUANTIZED = ("qat_w8a8", "mixed_w8a8", "static_w8a8", "symmetric_w8a8", "dynamic_w8")  # pruned or not, never the control
RunArgument = Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Folder of a run.  [default: the newest that fits]", show_default=False)]
Int8Option = Annotated[bool, typer.Option("--int8", help="The newest quantized run, not the newest fp32 one.")]
FoldOption = Annotated[bool, typer.Option("--fold-schedule", help="Make constants of what a diffusion schedule fixes; a row of its own.")]
FamilyOption = Annotated[str | None, typer.Option("--family", metavar="FAMILY", help="Only runs of this family.", show_default=False)]
FormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format", metavar="FORMAT", help="onnx; tflite, c, for WaveRNN loop or onnx-loop as well; may be given again.  [default: onnx]", show_default=False
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option("--target", metavar="NAME|FILE", help="What the C code is for (see: vcompress targets).  [default: this machine]", show_default=False),
]
AnySizeOption = Annotated[str | None, typer.Option("--size", metavar="S|M|L", help="Only runs of this size.", show_default=False)]


def export(
    run: RunArgument = None,
    int8: Int8Option = False,
    fold_schedule: FoldOption = False,
    schedule: ScheduleOption = None,
    family: FamilyOption = None,
    size: AnySizeOption = None,
    formats: FormatOption = None,
    target: TargetOption = None,
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Write a run as an artifact (ONNX graphs and manifest) and print its path.

    TFLite and C files are translations of the ONNX graphs, with the same integers; they do not change the artifact's identity. An artifact
    that is written anew keeps the formats it had.

    \b
    Examples: vcompress export --int8
              vcompress export --int8 --format tflite
              vcompress export --int8 --format c --target atmega2560
              vcompress export --family diffwave --fold-schedule
              vcompress export --family wavegrad --schedule 50
              vcompress export runs/hifigan-s/qat_w8a8/20260101-120000-000000
    """
    with working():
        from ..compress.recipes import unpruned
        from ..compress.source import rescheduled
        from ..export.formats import check_installed, derived_summary, read_formats
        from ..runtime.workspace import Workspace
        from .stages import export as write
        from .stages import summary

        wanted = read_formats(formats or ())
        check_installed(wanted)
        facts = None
        if target is not None:
            from ..targets.code import target_facts
            from ..targets.profile import find_profile

            if "c" not in wanted:
                raise VcompressError(f"Only C is written for a target; give --format c with --target {target}, or leave it out.")
            facts = target_facts(find_profile(target))
        place = Workspace(workspace)
        chosen = place.open_run(run) if run is not None else newest_run(place, int8, family, size, name)
        if int8 and unpruned(str(chosen.facts.get("recipe"))) not in QUANTIZED:
            raise VcompressError(f"The run {chosen.folder} is {chosen.facts.get('recipe')}, not int8; leave out --int8, or name a quantized run.")
        place.check_writable()
        if schedule is not None:
            chosen = rescheduled(place, chosen, schedule)
        artifact = write(place, chosen, fold_schedule, wanted, facts)
        say(summary(artifact))
        for name in artifact.manifest.derived:
            say(derived_summary(name, artifact))
    if json:
        print_json({"recipe": artifact.manifest.recipe, "identity": artifact.identity, "artifact": artifact.folder})
    else:
        print(artifact.folder)


def newest_run(workspace: "Workspace", int8: bool, family: str | None, size: str | None, name: str | None) -> "Run":
    """The newest finished run, quantized or fp32. Raises VcompressError when there is none."""
    from ..compress.recipes import unpruned
    from ..compress.source import own_schedule, source_run
    from ..vocoders.catalogue import check_entry

    family, size = check_entry(family, size)
    recipes = QUANTIZED if int8 else ("fp32",)
    for run in workspace.runs(family=family, size=size, name=name, complete=True):
        recipe = str(run.facts.get("recipe"))
        if (unpruned(recipe) if int8 else recipe) in recipes and own_schedule(run):
            return run
    what, how = ("quantized", "vcompress quantize FAMILY or vcompress qat FAMILY") if int8 else ("fp32", "vcompress train FAMILY or vcompress quantize FAMILY")
    if not int8 and family is not None:  # the weights that come with the package
        return source_run(workspace, family, size or "S", name=name)[0]
    raise VcompressError(f"There is no finished {what} run in the workspace {workspace.root}; make one with: {how}.")
