"""`vcompress import`: a checkpoint of a public code base, made a run to compress."""

from pathlib import Path
from typing import Annotated

import typer

from .options import RUNS, FamilyArgument, JsonOption, WorkspaceOption
from .output import print_json, say, working

CheckpointArgument = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="File of weights, as the code base's trainer wrote it.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Its configuration: JSON, YAML or hparams.py; never run.", show_default=False)
]
StatisticsOption = Annotated[
    Path | None, typer.Option("--stats", metavar="FILE", help="ParallelWaveGAN: stats.npy or stats.h5 of its mel bands.", show_default=False)
]
PresetOption = Annotated[
    str | None, typer.Option("--size", metavar="S|M|L", help="What its size has to be; for HiFi-GAN it stands for the configuration.", show_default=False)
]
RateOption = Annotated[int | None, typer.Option("--sample-rate", metavar="HZ", min=1, help="Where file and configuration do not say it.", show_default=False)]
MaximumOption = Annotated[
    float | None, typer.Option("--mel-maximum", metavar="X", help="Thesis: the largest log(1 + S) of its data set, which no file holds.", show_default=False)
]
ScheduleOption = Annotated[
    Path | None, typer.Option("--schedule", metavar="FILE", help="WaveGrad: betas to synthesize with, .npy, .json or .pt.", show_default=False)
]
DefaultsOption = Annotated[
    bool, typer.Option("--public-defaults", help="fatchord: what the configuration does not say is as in the repository's own hparams.py.")
]
NameOption = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name of the runs.  [default: FAMILY-CODEBASE]", show_default=False)]


def import_vocoder(
    family: FamilyArgument,
    checkpoint: CheckpointArgument,
    config: ConfigOption = None,
    stats: StatisticsOption = None,
    size: PresetOption = None,
    sample_rate: RateOption = None,
    mel_maximum: MaximumOption = None,
    schedule: ScheduleOption = None,
    public_defaults: DefaultsOption = False,
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Import a trained vocoder of a public code base and print the run; quantize, qat and export go on from it by its name.

    It keeps its own mel and sample rate. Nothing in the file is executed. Which code bases: docs/importing.md.

    \b
    Examples: vcompress import hifigan g_02500000 --config config.json
              vcompress import melgan checkpoint-400000steps.pkl --config config.yml --stats stats.npy --name lj
              vcompress quantize hifigan --name hifigan-jik876
    """
    with working():
        from ..runtime.files import sha256
        from ..runtime.workspace import Workspace
        from ..vocoders.checkpoint import save_checkpoint
        from ..vocoders.importers import default_name, import_checkpoint, read_settings
        from ..vocoders.importers.public import Said
        from ..vocoders.registry import find_family
        from ..vocoders.trainer import WEIGHTS

        title = find_family(family).title
        place = Workspace(workspace)
        said = Said(read_settings(config) if config is not None else None, size, stats, sample_rate, mel_maximum, schedule, public_defaults or None)
        read, importer = import_checkpoint(checkpoint, family, said)
        name = name or default_name(importer)
        place.check_writable()
        source = {"source": checkpoint.name, "imported": importer.code_base, "imported_sha256": sha256(checkpoint)}
        with place.making(read.family, read.size, "fp32", name, **source) as run:
            save_checkpoint(run.folder / WEIGHTS, read)
            run = run.update(complete=True, checkpoint=WEIGHTS, steps=read.training.steps)
        parameters = sum(value.numel() for value in read.weights.values())
        say(f"{title} {read.size} of {importer.code_base}: {parameters:,} parameters, {read.front_end.sample_rate} Hz, hop {read.front_end.hop_length}.")
        place_too = "" if workspace == RUNS else f" --workspace {workspace}"
        say(f"Go on with: vcompress quantize {read.family} --name {name}{place_too}")
    if json:
        print_json({"run": run.folder, **run.facts, "sample_rate": read.front_end.sample_rate, "hop_length": read.front_end.hop_length})
    else:
        print(run.folder)
