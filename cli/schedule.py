"""`vcompress schedule`: a noise schedule of few steps for a trained diffusion vocoder."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import VcompressError
from .options import (
    RUNS,
    DataOption,
    FamilyArgument,
    JsonOption,
    NamedSizeOption,
    NameOption,
    SeedOption,
    TakePatternOption,
    ThreadsOption,
    ValidationOption,
    WorkspaceOption,
)
from .output import print_json, progress_bar, say, working
from .quantize import WeightsOption

OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Where the schedule goes.  [default: schedule.json in the run of the weights]", show_default=False),
]
BudgetOption = Annotated[int, typer.Option("--budget", metavar="N", min=1, help="How many schedules are tried.")]
ClipsOption = Annotated[int, typer.Option("--clips", metavar="N", min=1, help="Validation clips that each is heard on.")]
SecondsOption = Annotated[float, typer.Option("--seconds", metavar="S", min=0.1, help="How much of each clip.")]


def schedule(
    family: FamilyArgument,
    size: NamedSizeOption = None,
    budget: BudgetOption = 60,
    clips: ClipsOption = 4,
    seconds: SecondsOption = 1.0,
    out: OutOption = None,
    weights: WeightsOption = None,
    data: DataOption = None,
    validation: ValidationOption = None,
    take_pattern: TakePatternOption = r"_\d+$",
    threads: ThreadsOption = 1,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Search for the six noise levels that a diffusion vocoder samples best with, and print the file that holds them.

    Best is the least log-mel L1 on validation clips, of the fp32 network; quantize, qat and export take the file as --schedule.

    \b
    Examples: vcompress schedule wavegrad --size S
              vcompress quantize wavegrad --schedule runs/wavegrad-s/fp32/20260101-120000-000000/schedule.json
    """
    with working():
        from ..benchmarks.schedule_search import Hearing, Judge, search_schedule
        from ..runtime.artifact import MANIFEST, Artifact
        from ..runtime.backends import load
        from ..runtime.front_ends import of_mels
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split, read_clip
        from ..vocoders.registry import find_family
        from ..vocoders.schedules import write_schedule
        from .stages import Job, export, spread

        found = find_family(family)
        if found.schedule_settings is None:
            raise VcompressError(f"{found.title} has no noise schedule to search for; choose a diffusion vocoder.")
        place = Workspace(workspace)
        job = Job(place, family, size, data or [], Split(take_pattern, validation), weights, name)
        place.check_writable()
        run, _ = job.source()
        artifact = Artifact.open(run.artifact) if (run.artifact / MANIFEST).is_file() else export(place, run)
        front_end = of_mels(artifact.manifest.front_end, "A search for a schedule")
        length = max(1, int(seconds * front_end.sample_rate) // front_end.hop_length) * front_end.hop_length
        chosen = spread(job.corpus().validation, clips)
        references = [read_clip(clip, front_end)[:length] for clip in chosen]
        judge = Judge(artifact, load("onnxruntime", artifact, threads), Hearing([front_end.mel(r) for r in references], references), found.schedule_settings)
        with progress_bar(f"Searching for a schedule of {run.facts['name']}") as progress:
            best = search_schedule(judge, budget, seed, progress)
        facts = {
            "size": run.facts["size"],
            "log_mel_l1": best.loss,
            "log_mel_l1_of_start": best.loss_of_start,
            "tried": best.tried,
            "seed": seed,
            "clips": [clip.path.name for clip in chosen],
            "seconds": seconds,
            "artifact": artifact.identity,
        }
        path = out or run.folder / "schedule.json"
        write_schedule(path, found, best.betas, **facts)
        say(f"{', '.join(f'{beta:g}' for beta in best.betas)}: log-mel L1 {best.loss:.4f}, of {best.tried} tried; {best.loss_of_start:.4f} to start with.")
    if json:
        print_json({"betas": best.betas, **facts, "schedule": path})
    else:
        print(path)
