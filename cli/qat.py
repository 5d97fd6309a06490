"""`vcompress qat`: quantization-aware training, and its control."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    RUNS,
    DataOption,
    FamilyArgument,
    FromOption,
    JsonOption,
    NamedSizeOption,
    NameOption,
    PowerOfOption,
    ScheduleOption,
    SeedOption,
    TakePatternOption,
    ValidationOption,
    WorkspaceOption,
)
from .output import print_json, working
from .quantize import CalibrationOption, WeightsOption
from .train import AcceleratorOption, BatchOption, FreshOption

if TYPE_CHECKING:
    from ..runtime.workspace import Run

QatStepsOption = Annotated[int, typer.Option("--steps", metavar="N", min=1, help="Optimiser steps of each arm.")]
QatRateOption = Annotated[float, typer.Option("--learning-rate", metavar="RATE", help="Highest learning rate; it decays to nothing.")]
ControlOption = Annotated[bool, typer.Option("--control/--no-control", help="Also train the control: the same without quantization.")]


def qat(
    family: FamilyArgument,
    size: NamedSizeOption = None,
    steps: QatStepsOption = 1000,
    control: ControlOption = True,
    weights: WeightsOption = None,
    beginning: FromOption = None,
    data: DataOption = None,
    validation: ValidationOption = None,
    take_pattern: TakePatternOption = r"_\d+$",
    learning_rate: QatRateOption = 1e-4,
    batch_size: BatchOption = None,
    calibration_clips: CalibrationOption = 8,
    schedule: ScheduleOption = None,
    accelerator: AcceleratorOption = "auto",
    power_of: PowerOfOption = None,
    seed: SeedOption = 0,
    fresh: FreshOption = False,
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Fine-tune a trained vocoder as if it were int8, and print the run; export makes an artifact of it.

    The control sees the same data in the same order from the same seed for the same steps, without quantization: only against
    it does one see what int8 costs. It can be stopped, or killed, at any moment: the same command goes on where it was.

    \b
    Examples: vcompress qat diffwave --size S
              vcompress qat hifigan --size S --steps 5000 --data recordings
    """
    with working():
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split
        from .stages import Job, qat_plan, train_arms

        place, split = Workspace(workspace), Split(take_pattern, validation)
        job = Job(place, family, size, data or [], split, weights, name, calibration_clips, schedule, power_of or "", beginning)
        place.check_writable()
        plan = qat_plan(family, steps, learning_rate, batch_size, seed, accelerator)
        runs = train_arms(job, job.recipe("qat"), plan, control, fresh)
    print_runs(runs, json)


def print_runs(runs: "Sequence[Run]", json: bool) -> None:
    """The last of the runs that were trained, or all as JSON; exit code 130 where it is not finished."""
    if json:
        print_json({"run": runs[-1].folder, "runs": [{"run": run.folder, **run.facts} for run in runs]})
    else:
        print(runs[-1].folder)
    if not runs[-1].complete:
        raise typer.Exit(130)
