"""Arguments and options that several commands share, so that they are called and explained alike everywhere."""

from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("runs")

FamilyArgument = Annotated[str, typer.Argument(metavar="FAMILY", help="Family of vocoders, such as hifigan (see: vcompress list).")]
ArtifactArgument = Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Folder of an artifact, as export prints it.")]

SizeOption = Annotated[str, typer.Option("--size", metavar="S|M|L|nano", help="Size of the vocoder; nano is one of vocos.")]
NamedSizeOption = Annotated[
    str | None, typer.Option("--size", metavar="S|M|L", help="Size of the vocoder.  [default: that of the runs of --name, else S]", show_default=False)
]
WorkspaceOption = Annotated[Path, typer.Option("--workspace", metavar="DIR", help="Folder of the runs and their records.")]
NameOption = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name of the runs.  [default: FAMILY-SIZE]", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Decides everything that is drawn at random.")]
ThreadsOption = Annotated[int, typer.Option("--threads", metavar="N", min=1, help="Threads that the network runs with.")]
BackendOption = Annotated[
    str | None,
    typer.Option("--backend", metavar="NAME", help="What runs the graphs: onnxruntime, litert, tflite_runtime, c, loop, onnx-loop, torch-cuda:fp16:graphs ... "
                 "(docs/gpu.md).  [default: what suits the machine]", show_default=False),
]  # fmt: skip
PowerOfOption = Annotated[
    str | None,
    typer.Option("--power-of", metavar="TARGET", help="Target whose profile gives the power of this machine: energy is modelled where nothing meters it.",
                 show_default=False),
]  # fmt: skip
FromOption = Annotated[
    Path | None,
    typer.Option("--from", metavar="RUN", help="A pruned run to start from (see: vcompress prune), in place of trained weights.", show_default=False),
]
DataOption = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="DIR", help="Folder of recordings; may be given again.  [default: the demo corpus, or notes]", show_default=False),
]
ValidationOption = Annotated[
    str | None,
    typer.Option("--validation", metavar="PATTERN", help="Regular expression of the prompts held out.  [default: 5 % by hash]", show_default=False),
]
ScheduleOption = Annotated[
    str | None,
    typer.Option(
        "--schedule", metavar="STEPS|FILE", help="Diffusion: another noise schedule, such as 50, or what `vcompress schedule` found.", show_default=False
    ),
]
TakePatternOption = Annotated[str, typer.Option("--take-pattern", metavar="PATTERN", help="The part of a file's stem that numbers the take.")]
