"""`vcompress run`: the whole way, from trained weights to the page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import VcompressError
from .bench import reference_clips
from .options import RUNS, DataOption, JsonOption, PowerOfOption, SeedOption, SizeOption, TakePatternOption, ValidationOption, WorkspaceOption
from .output import print_json, progress_bar, say, working
from .quantize import WeightsOption

if TYPE_CHECKING:
    from ..compress.recipes import Recipe
    from ..runtime.workspace import Run
    from .stages import Job

RECIPES = "fp32,static_w8a8,control_qat_w8a8,qat_w8a8"
DEMO_STEPS, DEMO_CLIPS, STEPS, CLIPS = 20, 6, 1000, 16
DEMO_WINDOW = 1.0  # seconds of a window of energy, which its record says

FamiliesArgument = Annotated[list[str], typer.Argument(metavar="FAMILY...", help="Families of vocoders (see: vcompress list).")]
RecipesOption = Annotated[str, typer.Option("--recipes", metavar="NAMES", help="Recipes, with commas between them.")]
StepsOption = Annotated[int | None, typer.Option("--steps", metavar="N", min=1, help=f"Steps of QAT and control.  [default: {STEPS}]", show_default=False)]
ClipsOption = Annotated[int | None, typer.Option("--clips", metavar="N", min=1, help=f"Validation clips for quality.  [default: {CLIPS}]", show_default=False)]
DemoOption = Annotated[bool, typer.Option("--demo", help=f"Minutes instead of hours: {DEMO_STEPS} steps of QAT, {DEMO_CLIPS} clips, short windows of energy.")]
RateOption = Annotated[float, typer.Option("--learning-rate", metavar="RATE", help="Highest learning rate of QAT and control.")]


def run(
    families: FamiliesArgument,
    size: SizeOption = "S",
    recipes: RecipesOption = RECIPES,
    steps: StepsOption = None,
    clips: ClipsOption = None,
    demo: DemoOption = False,
    weights: WeightsOption = None,
    data: DataOption = None,
    validation: ValidationOption = None,
    take_pattern: TakePatternOption = r"_\d+$",
    learning_rate: RateOption = 1e-4,
    power_of: PowerOfOption = None,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = RUNS,
    json: JsonOption = False,
) -> None:
    """Compress vocoders, export, run and measure them, and make the page.

    What is there from an earlier call is used again; a call that was killed goes on.

    \b
    Examples: vcompress run hifigan --size S
              vcompress run melgan hifigan diffwave --demo
              vcompress run diffwave --recipes fp32,static_w8a8,folded_fp32,folded_static_w8a8
              vcompress run melgan --recipes fp32,control_channels50_qat_w8a8,channels50_qat_w8a8
    """
    with working():
        from ..benchmarks.bench import bench as measure_all
        from ..benchmarks.report import write_report
        from ..benchmarks.rows import rows_of
        from ..benchmarks.subject import BenchSettings
        from ..benchmarks.table import key_table
        from ..runtime.artifact import Artifact
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split
        from .stages import Job

        wanted = _recipes(recipes)
        place, split = Workspace(workspace), Split(take_pattern, validation)
        if weights is not None and len(families) > 1:
            raise VcompressError("--weights belongs to one family; give one family, or leave it out.")
        jobs = [Job(place, family, size, data or [], split, weights, power_of=power_of or "") for family in families]
        place.check_writable()
        folders = _make(jobs, wanted, steps or (DEMO_STEPS if demo else STEPS), learning_rate, seed)
        chosen = reference_clips(data, split, clips or (DEMO_CLIPS if demo else CLIPS), families)
        settings = BenchSettings(seed=seed, power_of=power_of or "")
        if demo:
            settings = replace(settings, window_seconds=DEMO_WINDOW)
        with progress_bar("Measuring") as show:
            records = measure_all(
                [Artifact.open(folder) for folder in folders], chosen, settings, place.records, lambda done, total, what, _: show(done, total, what)
            )
        command = f"vcompress run {' '.join(families)} --size {size}{' --demo' if demo else ''} --workspace {workspace}"
        paths = write_report(records, workspace, workspace / "report", command)
    if json:
        print_json({"artifacts": folders, "records": place.records, "html": paths.html, "csv": paths.csv, "png": paths.png})
    else:
        print(key_table(rows_of(records)).markdown())
        print(paths.html)


def _recipes(text: str) -> list[str]:
    """Names in the order given. Raises VcompressError for one there is not."""
    from ..compress.recipes import find_recipe

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        find_recipe(name)
    if not names:
        raise VcompressError(f"--recipes names no recipe; give some of {RECIPES}.")
    return names


def _make(jobs: Sequence["Job"], recipes: Sequence[str], steps: int, learning_rate: float, seed: int) -> list[Path]:
    """Every recipe of every job as an artifact; each folder is said as soon as it is there."""
    from ..compress.recipes import find_recipe
    from ..vocoders.registry import find_family

    folders = []
    for job in jobs:
        family = find_family(job.family)
        for recipe in map(find_recipe, recipes):
            if recipe.folded and family.fold_schedule is None:
                say(f"{family.title} has no schedule to fold: no {recipe.name}.")
                continue
            folders.append(_artifact(job, recipe, steps, learning_rate, seed))
            say(str(folders[-1]))
    return folders


def _artifact(job: "Job", recipe: "Recipe", steps: int, learning_rate: float, seed: int) -> Path:
    """The artifact of one recipe, made where there is none yet. Raises KeyboardInterrupt when its training was stopped."""
    from ..runtime.artifact import MANIFEST
    from .stages import export, relative

    made = _run_of(job, recipe, steps, learning_rate, seed)
    if not made.complete:
        raise KeyboardInterrupt
    run = job.finished(recipe.name, source=relative(made.folder, job.workspace)) if recipe.folded else made
    if run is not None and (run.artifact / MANIFEST).is_file():
        return run.artifact
    return export(job.workspace, made, recipe.folded).folder


def _run_of(job: "Job", recipe: "Recipe", steps: int, learning_rate: float, seed: int) -> "Run":
    from .stages import fine_tune, qat_plan, quantize

    plan = qat_plan(job.family, steps, learning_rate, None, seed)
    if recipe.pruning is not None:
        pruned = fine_tune(job, recipe.source, plan, reuse=True)
        if not pruned.complete or recipe.method in ("fp32", "untouched"):
            return pruned
        job = replace(job, weights=None, beginning=pruned.folder)
    if recipe.method == "fp32":
        return job.source()[0]
    if recipe.method == "mixed":
        from .hearing import quantize_mixed

        return quantize_mixed(job, reuse=True)
    if recipe.method in ("static", "symmetric", "dynamic"):
        return quantize(job, recipe.method, reuse=True)
    return fine_tune(job, job.recipe(recipe.method), plan, reuse=True)
