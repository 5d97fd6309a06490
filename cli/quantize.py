"""`vcompress quantize`: int8 without training."""

from pathlib import Path
from typing import Annotated

import typer

from .options import RUNS, DataOption, FamilyArgument, JsonOption, NameOption, SizeOption, TakePatternOption, ValidationOption, WorkspaceOption
from .output import print_json, working

WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights", metavar="FILE", help="Checkpoint to start from.  [default: the newest trained run, else the shipped weights]", show_default=False
    ),
]
DynamicOption = Annotated[bool, typer.Option("--dynamic", help="Quantize activations as they come: no calibration, slower kernels.")]
CalibrationOption = Annotated[int, typer.Option("--calibration-clips", metavar="N", min=1, help="Training clips that the ranges are measured on.")]


def quantize(
    family: FamilyArgument,
    size: SizeOption = "S",
    dynamic: DynamicOption = False,
    weights: WeightsOption = None,
    data: DataOption = None,
    validation: ValidationOption = None,
    take_pattern: TakePatternOption = r"_\d+$",
    calibration_clips: CalibrationOption = 8,
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Quantize a trained vocoder to int8 after training, and print the run; export makes an artifact of it.

    Calibration sends clips through the real sampler with all its steps and measures every activation.

    \b
    Examples: vcompress quantize hifigan --size S
              vcompress quantize melgan --size M --weights mine.safetensors --data recordings
    """
    with working():
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split
        from .stages import Job
        from .stages import quantize as make

        place = Workspace(workspace)
        job = Job(place, family, size, data or [], Split(take_pattern, validation), weights, name, calibration_clips)
        place.check_writable()
        run = make(job, "dynamic" if dynamic else "static")
    if json:
        print_json({"run": run.folder, **run.facts})
    else:
        print(run.folder)
