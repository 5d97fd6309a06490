"""`vcompress sensitivity`: what each tensor and each layer costs alone in 8 bits."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import VcompressError
from .options import RUNS, DataOption, JsonOption, NamedSizeOption, NameOption, TakePatternOption, ThreadsOption, ValidationOption, WorkspaceOption
from .output import print_json, say, working
from .quantize import CalibrationOption, HeardOption, SecondsOption, WeightsOption

if TYPE_CHECKING:
    from rich.console import Console

    from ..compress.ranking import Damage, Kind, Ranking
    from ..runtime.workspace import Run
    from ..vocoders.corpus import Split
    from .stages import Job

SubjectArgument = Annotated[str, typer.Argument(metavar="ARTIFACT|FAMILY", help="Folder of an artifact or of its run, or a family of vocoders.")]
LayersOption = Annotated[bool, typer.Option("--layers/--no-layers", help="Also each layer's activations, and all of the layer.")]
ComplementOption = Annotated[bool, typer.Option("--complement", help="Also all but the one; takes as long again.")]
TopOption = Annotated[int, typer.Option("--top", metavar="N", min=1, help="Rows of each table, the worst first.")]
ChartOption = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Where the chart goes (.svg or .png).  [default: sensitivity.svg in the run]", show_default=False),
]


def sensitivity(
    subject: SubjectArgument,
    size: NamedSizeOption = None,
    clips: HeardOption = None,
    seconds: SecondsOption = None,
    layers: LayersOption = True,
    complement: ComplementOption = False,
    top: TopOption = 20,
    chart: ChartOption = None,
    weights: WeightsOption = None,
    data: DataOption = None,
    validation: ValidationOption = None,
    take_pattern: TakePatternOption = r"_\d+$",
    calibration_clips: CalibrationOption = 8,
    threads: ThreadsOption = 1,
    workspace: WorkspaceOption = RUNS,
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Rank tensors and layers by what 8 bits of each alone do to the waveform, and print the ranking.

    One thing at a time is rounded while all the rest stays float; the real sampler runs with the noise of fp32. What was
    measured is kept in the run: the same command goes on where it was stopped.

    \b
    Examples: vcompress sensitivity hifigan --size S
              vcompress sensitivity runs/diffwave-s/static_w8a8/20260101-120000-000000/artifact --clips 1 --seconds 1 --no-layers
    """
    with working():
        import torch

        from ..runtime.workspace import Workspace
        from ..vocoders.corpus import Split
        from .hearing import Hearing, judge_of, open_vocoder, ranking_of
        from .stages import Job

        place, split = Workspace(workspace), Split(take_pattern, validation)
        if chart is not None and chart.suffix.lower() not in (".svg", ".png"):
            raise VcompressError(f"{chart} is neither .svg nor .png; give the chart one of these suffixes.")
        run = _run_of(subject)
        if run is None:
            job = Job(place, subject, size, data or [], split, weights, name, calibration_clips)
            place.check_writable()
            run, _ = job.source()
        else:
            if weights is not None or size is not None or name is not None:
                raise VcompressError("--weights, --size and --name belong to a family; leave them out where an artifact or a run is named.")
            job = _job_of(run, data, split, calibration_clips)
        torch.set_num_threads(threads)
        vocoder, bits = open_vocoder(run)
        judge, facts = judge_of(job, run, vocoder, Hearing(clips, seconds))
        ranking = ranking_of(judge, bits, facts, layers, complement)
        path = ranking.save(run.folder)
        drawn = _draw(ranking, chart or run.folder / "sensitivity.svg", wanted=chart is not None)
    if json:
        print_json({"ranking": path, "chart": drawn, **ranking.document()})
        return
    _print(ranking, top, layers)
    print(drawn or path)


def _run_of(subject: str) -> "Run | None":
    """The run of an artifact's or a run's folder; None for the name of a family. Raises VcompressError for a folder that is neither."""
    from ..runtime.artifact import MANIFEST
    from ..runtime.workspace import RUN, Workspace

    folder = Path(subject)
    if not folder.is_dir() or not ((folder / MANIFEST).is_file() or (folder / RUN).is_file()):
        if folder.is_dir() or len(folder.parts) > 1:
            raise VcompressError(f"{subject} is neither an artifact, nor a run, nor a family of vocoders; name a run, or a family such as hifigan.")
        return None
    if (folder / RUN).is_file():
        return Workspace().open_run(folder)
    if not (folder.resolve().parent / RUN).is_file():
        raise VcompressError(f"The artifact {folder} lies outside its run, which holds the weights that it was made of; name the run.")
    return Workspace().open_run(folder.resolve().parent)


def _job_of(run: "Run", data: "list[Path] | None", split: "Split", calibration_clips: int) -> "Job":
    """A job whose workspace is the one that the run lies in."""
    from ..runtime.workspace import Workspace
    from .stages import Job

    place: Workspace = Workspace(run.folder.parents[2])
    place.check_writable()
    return Job(place, str(run.facts.get("family")), str(run.facts.get("size")), data or [], split, calibration_clips=calibration_clips)


def _draw(ranking: "Ranking", path: Path, wanted: bool) -> Path | None:
    """The chart; None where matplotlib is missing and nobody asked for one."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        if wanted:
            raise VcompressError("A chart needs matplotlib, which is not installed; run: pip install 'vcompress[report]'.")
        say("No chart: matplotlib is not installed (pip install 'vcompress[report]').")
        return None
    from ..benchmarks.report.ranked import write_chart

    write_chart(ranking, path)
    return path


def _print(ranking: "Ranking", top: int, layers: bool) -> None:
    """Tables on stdout: tensors, then layers with weights and activations side by side."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    _print_table(console, ranking, "tensor", ("tensor",), top)
    _print_table(console, ranking, "layer", ("layer", "weights", "activations") if layers else ("weights",), top)
    chosen = "As static_w8a8 has it" if ranking.facts["recipe"] == "fp32" else "As the run has it"
    for words, damage in (("All in 8 bits", ranking.everything), (chosen, ranking.chosen)):
        console.print(f"{words}: {_snr(damage)} dB SNR, {_percent(damage)} log-mel L1 against the recordings (fp32: {ranking.facts['log_mel_l1_fp32']:.3f}).")


def _print_table(console: "Console", ranking: "Ranking", heading: str, kinds: "tuple[Kind, ...]", top: int) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column(heading, overflow="fold")
    table.add_column("now")
    words = {"tensor": "", "layer": "", "weights": "weights " if len(kinds) > 1 else "", "activations": "activations "}
    complement = any(row.others is not None for row in ranking.rows)
    for kind in kinds:
        table.add_column(f"{words[kind]}SNR (dB)", justify="right")
        table.add_column(f"{words[kind]}log-mel L1", justify="right")
    if complement:
        table.add_column("all others SNR (dB)", justify="right")
        table.add_column("all others log-mel L1", justify="right")
    by_name = {(row.kind, row.name): row for row in ranking.rows}
    for row in ranking.sorted(kinds[0])[:top]:
        cells = [cell for kind in kinds for cell in (_snr(by_name[kind, row.name].alone), _percent(by_name[kind, row.name].alone))]
        if complement:
            cells += [_snr(row.others), _percent(row.others)] if row.others else ["", ""]
        table.add_row(row.name, row.now, *cells)
    console.print(table)


def _snr(damage: "Damage") -> str:
    return "no error" if damage.snr is None else f"{damage.snr:.1f}"


def _percent(damage: "Damage") -> str:
    return f"{damage.log_mel_l1:+.1%}".replace("%", " %")
