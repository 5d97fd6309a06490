"""`vcompress train`: a vocoder of your own, from recordings."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from json import dumps, loads
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import VcompressError
from .options import RUNS, DataOption, FamilyArgument, JsonOption, NameOption, SeedOption, SizeOption, TakePatternOption, ValidationOption, WorkspaceOption
from .output import print_json, working

if TYPE_CHECKING:
    from ..runtime.workspace import Run, Workspace

RECIPE = "fp32"
LOCK = ".lock"
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
BatchOption = Annotated[int | None, typer.Option("--batch-size", metavar="N", min=1, help="Segments a step.  [default: the family's]", show_default=False)]
AcceleratorOption = Annotated[str, typer.Option("--accelerator", metavar="auto|cpu|gpu", help="What trains.")]
DevicesOption = Annotated[int, typer.Option("--devices", metavar="N", min=1, help="How many devices train together.")]
PrecisionOption = Annotated[str, typer.Option("--precision", metavar="NAME", help="32-true, bf16-mixed or 16-mixed.")]


def train(
    family: FamilyArgument,
    size: SizeOption = "S",
    data: DataOption = None,
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
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Train a vocoder on folders of recordings and print the checkpoint.

    It can be stopped, or killed, at any moment: the same command goes on where it was.

    \b
    Examples: vcompress train hifigan --size S --data recordings --time 20m
              vcompress train melgan --size M --data LJSpeech-1.1 --adversarial --time 5d --accelerator gpu --devices 4
    """
    with working():
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split
        from ..vocoders.demo_corpus import make_demo_corpus
        from ..vocoders.plan import parse_time
        from ..vocoders.registry import find_family, find_size
        from ..vocoders.trainer import default_plan, train_vocoder

        found = find_family(family)
        size = find_size(found, size)
        split = Split(take_pattern, validation)
        plan = default_plan(found, adversarial)
        seconds = parse_time(time or DEFAULT_TIME) if time or not steps else plan.time
        plan = replace(plan, time=seconds, steps=steps, seed=seed, accelerator=accelerator, devices=devices, precision=precision)
        plan = replace(plan, learning_rate=learning_rate or plan.learning_rate, batch_size=batch_size or plan.batch_size)
        runs = Workspace(workspace)
        runs.check_writable()
        folders = [str(folder) for folder in data or [make_demo_corpus()]]
        request = {
            "plan": {**asdict(plan), "time": plan.time if isfinite(plan.time) else None},
            "split": asdict(split),
            "data": folders,
            "adversarial": adversarial,
            "start": resume_from,
        }
        with _run(runs, found.name, size, name, request, fresh) as run:
            result = train_vocoder(found.name, size, folders, run.folder, plan, split, adversarial, resume_from)
            run.update(complete=result.complete, checkpoint=result.path.name, steps=result.training.steps)
        typer.echo(f"{found.title} {size}: {result.training}.", err=True)
    if json:
        facts = asdict(result.training)
        print_json({"checkpoint": result.path, "run": run.folder, "complete": result.complete, **facts})
    else:
        print(result.path)
    if not result.complete:
        raise typer.Exit(130)


@contextmanager
def _run(workspace: "Workspace", family: str, size: str, name: str | None, request: dict[str, Any], fresh: bool) -> Iterator["Run"]:
    """The newest unfinished run of this request that nobody is working on, or a new one; held until the block ends."""
    request = loads(dumps(request))
    name = name or f"{family}-{size.lower()}"
    unfinished = () if fresh else workspace.runs(family=family, size=size, recipe=RECIPE, name=name, complete=False, training=request)
    for run in unfinished:
        with _holding(run.folder) as held:
            if held:
                typer.echo(f"Going on with {run.folder} (--fresh starts anew).", err=True)
                yield run
                return
    run = workspace.new_run(family, size, RECIPE, name, training=request)
    try:
        with _holding(run.folder):
            yield run
    except VcompressError:
        _remove_if_empty(run.folder, workspace.root)
        raise


def _remove_if_empty(folder: Path, root: Path) -> None:
    """Leave nothing of a run that failed before its first step."""
    if {path.name for path in folder.iterdir()} <= {"run.json", LOCK}:
        shutil.rmtree(folder)
        with suppress(OSError):  # a parent that is not empty stays
            for parent in (*folder.relative_to(root).parents,):
                (root / parent).rmdir()


@contextmanager
def _holding(folder: Path) -> Iterator[bool]:
    """Whether this process is the only one at work in a run; the hold ends with the process, however it ends."""
    import fcntl

    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
