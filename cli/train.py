"""`vcompress train`: a vocoder of your own, from recordings."""

from dataclasses import asdict, replace
from math import isfinite
from typing import Annotated

import typer

from .accounting import accounted
from .options import (
    RUNS,
    DataOption,
    FamilyArgument,
    JsonOption,
    NameOption,
    PowerOfOption,
    SeedOption,
    SizeOption,
    TakePatternOption,
    ValidationOption,
    WorkspaceOption,
)
from .output import print_json, working
from .resuming import resumable_run
from .stages import demo_data

RECIPE = "fp32"
DEFAULT_TIME = "20m"

TimeOption = Annotated[
    str | None, typer.Option("--time", metavar="TIME", help=f"Budget, such as 90s, 20m or 2h.  [default: {DEFAULT_TIME}]", show_default=False)
]
StepsOption = Annotated[int | None, typer.Option("--steps", metavar="N", min=1, help="Budget in steps; with --time, whichever ends first.", show_default=False)]
AdversarialOption = Annotated[bool, typer.Option("--adversarial/--quick", help="As in the paper, with discriminators; or spectral losses, for small budgets.")]
ResumeOption = Annotated[
    str | None, typer.Option("--resume-from", metavar="CHECKPOINT", help='Weights to start from: a file, or "shipped".', show_default=False)
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Start anew where an unfinished run of the same plan could go on.")]
RateOption = Annotated[
    float | None, typer.Option("--learning-rate", metavar="RATE", help="Highest learning rate.  [default: the family's]", show_default=False)
]
SampleRateOption = Annotated[
    int | None,
    typer.Option("--sample-rate", metavar="HZ", help="Of the vocoder, such as 24000; recordings are resampled.  [default: 16000]", show_default=False),
]
BatchOption = Annotated[int | None, typer.Option("--batch-size", metavar="N", min=1, help="Segments a step.  [default: the family's]", show_default=False)]
AcceleratorOption = Annotated[str, typer.Option("--accelerator", metavar="auto|cpu|gpu", help="What trains.")]
DevicesOption = Annotated[int, typer.Option("--devices", metavar="N", min=1, help="How many devices train together.")]
PrecisionOption = Annotated[str, typer.Option("--precision", metavar="NAME", help="32-true, bf16-mixed or 16-mixed.")]


def train(
    family: FamilyArgument,
    size: SizeOption = "S",
    data: DataOption = None,
    sample_rate: SampleRateOption = None,
    time: TimeOption = None,
    steps: StepsOption = None,
    adversarial: AdversarialOption = False,
    resume_from: ResumeOption = None,
    validation: ValidationOption = None,
    take_pattern: TakePatternOption = r"_\d+$",
    learning_rate: RateOption = None,
    batch_size: BatchOption = None,
    accelerator: AcceleratorOption = "auto",
    devices: DevicesOption = 1,
    precision: PrecisionOption = "32-true",
    seed: SeedOption = 0,
    fresh: FreshOption = False,
    power_of: PowerOfOption = None,
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Train a vocoder on folders of recordings (SING: of notes in NSynth layout) and print the checkpoint.

    It can be stopped, or killed, at any moment: the same command goes on where it was.

    \b
    Examples: vcompress train hifigan --size S --data recordings --time 20m
              vcompress train melgan --size M --data LJSpeech-1.1 --adversarial --time 5d --accelerator gpu --devices 4
              vcompress train wavernn --sample-rate 24000 --data recordings --time 2d
    """
    with working():
        from ..benchmarks.energy.account import words
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split
        from ..vocoders.plan import parse_time
        from ..vocoders.registry import find_family, find_size
        from ..vocoders.trainer import check_rate, default_plan, train_vocoder

        found = find_family(family)
        size = find_size(found, size)
        check_rate(found, size, sample_rate)
        split = Split(take_pattern, validation)
        plan = default_plan(found, adversarial)
        seconds = parse_time(time or DEFAULT_TIME) if time or not steps else plan.time
        plan = replace(plan, time=seconds, steps=steps, seed=seed, accelerator=accelerator, devices=devices, precision=precision)
        plan = replace(plan, learning_rate=learning_rate or plan.learning_rate, batch_size=batch_size or plan.batch_size)
        runs = Workspace(workspace)
        runs.check_writable()
        folders = [str(folder) for folder in data or [demo_data(found.name)]]
        request = {
            "plan": {**asdict(plan), "time": plan.time if isfinite(plan.time) else None},
            "split": asdict(split),
            "data": folders,
            "adversarial": adversarial,
            "start": resume_from,
            **({"sample_rate": sample_rate} if sample_rate else {}),
        }
        if name is None and sample_rate not in (None, found.front_end(found.sizes[size]).sample_rate):
            name = f"{found.name}-{size.lower()}-{sample_rate}hz"
        with resumable_run(runs, found.name, size, RECIPE, name, request, fresh) as run, accounted(run, plan, power_of or ""):
            result = train_vocoder(found.name, size, folders, run.folder, plan, split, adversarial, resume_from, sample_rate=sample_rate)
            runs.open_run(run.folder).update(complete=result.complete, checkpoint=result.path.name, steps=result.training.steps)
        energy = runs.open_run(run.folder).facts["energy"]
        typer.echo(f"{found.title} {size}: {result.training}.\n{found.title} {size}: {words(energy)}.", err=True)
    if json:
        facts = asdict(result.training)
        print_json({"checkpoint": result.path, "run": run.folder, "complete": result.complete, **facts, "energy": energy})
    else:
        print(result.path)
    if not result.complete:
        raise typer.Exit(130)
