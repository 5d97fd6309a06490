"""`vcompress prune`: fewer weights or fewer channels, and int8 on top."""

from typing import Annotated

import typer

from .options import (
    RUNS,
    DataOption,
    FamilyArgument,
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
from .output import working
from .qat import QatRateOption, print_runs
from .quantize import CalibrationOption, WeightsOption
from .train import AcceleratorOption, BatchOption, FreshOption

SparsityOption = Annotated[float, typer.Option("--sparsity", metavar="PART", help="What goes: a part of each matrix's weights, or of the channels.")]
StructuredOption = Annotated[bool, typer.Option("--structured", help="Whole channels go, and the graph shrinks; without it single weights become zero.")]
BlockOption = Annotated[
    str | None,
    typer.Option("--block", metavar="ROWSxCOLUMNS", help="Weights become zero in blocks, such as 16x1, which WaveRNN's loop leaves out.  [default: 1x1]",
                 show_default=False),
]  # fmt: skip
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Prune the layers with this word in their paths, such as recurrent; may be given again.", show_default=False),
]
ThenInt8Option = Annotated[bool, typer.Option("--int8", help="Then go on in int8 (QAT), for as many steps again.")]
PruneStepsOption = Annotated[int, typer.Option("--steps", metavar="N", min=1, help="Optimiser steps of each training.")]
PruneControlOption = Annotated[bool, typer.Option("--control/--no-control", help="Also train the control: the same with neither pruning nor quantization.")]


def prune(
    family: FamilyArgument,
    size: NamedSizeOption = None,
    sparsity: SparsityOption = 0.5,
    structured: StructuredOption = False,
    block: BlockOption = None,
    only: OnlyOption = None,
    int8: ThenInt8Option = False,
    steps: PruneStepsOption = 1000,
    control: PruneControlOption = True,
    weights: WeightsOption = None,
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
    """Prune a trained vocoder while it trains on, and print the run; export makes an artifact of it, quantize and qat take it as --from.

    Weights that are zero make a file smaller once it is compressed, and no dense kernel faster; blocks of them make WaveRNN's loop faster; channels
    are gone from the graph. The control sees the same data in the same order for the same steps with nothing pruned. A killed command goes on where it was.

    \b
    Examples: vcompress prune hifigan --size S --sparsity 0.5
              vcompress prune hifigan --size S --sparsity 0.5 --structured --int8
              vcompress prune wavernn --sparsity 0.95 --block 16x1
              vcompress quantize hifigan --from runs/hifigan-s/channels50_fp32/20260101-120000-000000
    """
    with working():
        from dataclasses import replace

        from ..compress.recipes import Pruning, Recipe
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split
        from .stages import Job, qat_plan, train_arms

        pruning = Pruning.of(sparsity, structured, block, tuple(only or ()))
        place, split = Workspace(workspace), Split(take_pattern, validation)
        job = Job(place, family, size, data or [], split, weights, name, calibration_clips, schedule, power_of or "")
        place.check_writable()
        plan = qat_plan(family, steps, learning_rate, batch_size, seed, accelerator)
        runs = train_arms(job, Recipe(pruning=pruning), plan, control, fresh)
        if int8 and runs[-1].complete:
            job = replace(job, weights=None, schedule=None, beginning=runs[-1].folder)
            runs += train_arms(job, job.recipe("qat"), plan, control, fresh)
    print_runs(runs, json)
