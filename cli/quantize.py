"""`vcompress quantize`: int8 without training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import VcompressError
from .options import (
    RUNS,
    DataOption,
    FamilyArgument,
    FromOption,
    JsonOption,
    NamedSizeOption,
    NameOption,
    ScheduleOption,
    TakePatternOption,
    ValidationOption,
    WorkspaceOption,
)
from .output import print_json, say, working

if TYPE_CHECKING:
    from ..runtime.workspace import Run
    from .hearing import Hearing
    from .stages import Job

WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights", metavar="FILE", help="Checkpoint to start from.  [default: the newest trained run, else the shipped weights]", show_default=False
    ),
]
DynamicOption = Annotated[bool, typer.Option("--dynamic", help="Quantize activations as they come: no calibration, slower kernels.")]
SymmetricOption = Annotated[bool, typer.Option("--symmetric", help="Signed activations with zero point 0, as TensorRT wants them on a GPU (docs/gpu.md).")]
CalibrationOption = Annotated[int, typer.Option("--calibration-clips", metavar="N", min=1, help="Training clips that the ranges are measured on.")]
MixedOption = Annotated[bool, typer.Option("--mixed", help="Give 16 bits, or float, to what costs most in 8: chosen by listening to each tensor alone.")]
QualityOption = Annotated[
    float | None,
    typer.Option(
        "--quality", metavar="DB", help="With --mixed: SNR to reach against fp32, with at most 5 % more log-mel L1.  [default: 20]", show_default=False
    ),
]
BudgetOption = Annotated[
    float | None,
    typer.Option("--budget", metavar="PERCENT", min=0, help="With --mixed: the best that takes so much longer than 8 bits everywhere.", show_default=False),
]
HeardOption = Annotated[
    int | None,
    typer.Option(
        "--clips",
        metavar="N",
        min=1,
        help="Training clips to listen to, other than those of the calibration.  [default: 6; 2 for diffusion]",
        show_default=False,
    ),
]
SecondsOption = Annotated[
    float | None, typer.Option("--seconds", metavar="S", min=0.1, help="How much of each of them.  [default: 2; 1 for diffusion]", show_default=False)
]


def quantize(
    family: FamilyArgument,
    size: NamedSizeOption = None,
    dynamic: DynamicOption = False,
    symmetric: SymmetricOption = False,
    mixed: MixedOption = False,
    quality: QualityOption = None,
    budget: BudgetOption = None,
    clips: HeardOption = None,
    seconds: SecondsOption = None,
    weights: WeightsOption = None,
    beginning: FromOption = None,
    data: DataOption = None,
    validation: ValidationOption = None,
    take_pattern: TakePatternOption = r"_\d+$",
    calibration_clips: CalibrationOption = 8,
    schedule: ScheduleOption = None,
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Quantize a trained vocoder to int8 after training, and print the run; export makes an artifact of it.

    Calibration sends clips through the real sampler with all its steps and measures every activation.

    \b
    Examples: vcompress quantize hifigan --size S
              vcompress quantize hifigan --size S --mixed --quality 22
              vcompress quantize hifigan --size S --symmetric
              vcompress quantize melgan --size M --weights mine.safetensors --data recordings
    """
    with working():
        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split
        from .hearing import Hearing
        from .stages import Job
        from .stages import quantize as make

        if mixed + dynamic + symmetric > 1 or (quality is not None and budget is not None):
            raise VcompressError("--mixed, --dynamic and --symmetric, or --quality and --budget, exclude each other; give one of them.")
        if not mixed and any(option is not None for option in (quality, budget, clips, seconds)):
            raise VcompressError("--quality, --budget, --clips and --seconds say how --mixed chooses; give --mixed too, or leave them out.")
        place, split = Workspace(workspace), Split(take_pattern, validation)
        job = Job(place, family, size, data or [], split, weights, name, calibration_clips, schedule, beginning=beginning)
        place.check_writable()
        run = _mixed(job, quality, budget, Hearing(clips, seconds)) if mixed else make(job, "dynamic" if dynamic else "symmetric" if symmetric else "static")
    if json:
        print_json({"run": run.folder, **run.facts})
    else:
        print(run.folder)


def _mixed(job: "Job", quality: float | None, budget: float | None, hearing: "Hearing") -> "Run":
    """Choose, calibrate, and say what was chosen."""
    from ..compress.mixed import Goal
    from .hearing import mixed_summary, quantize_mixed

    goal = Goal(Goal.snr if quality is None else quality, slower=None if budget is None else budget / 100)
    run = quantize_mixed(job, goal, hearing)
    say(mixed_summary(run))
    return run
