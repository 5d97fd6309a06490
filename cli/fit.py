"""`vcompress fit`: whether a vocoder fits a target and how fast it would be there, reckoned without compiling anything."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import RUNS, JsonOption, WorkspaceOption
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..targets.budget import Budget
    from ..targets.fit import Fit
    from ..targets.workload import Workload

ArtifactsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[ARTIFACT]...", help="Folders of artifacts.  [default with --all: every configuration, int8]", show_default=False),
]
TargetOption = Annotated[
    list[str] | None, typer.Option("--target", metavar="NAME|FILE", help="A target (see: vcompress targets) or your own; may be given again.")
]
AllOption = Annotated[bool, typer.Option("--all", help="A table of all artifacts against all targets, or those given with --target.")]
SecondsOption = Annotated[float, typer.Option("--seconds", metavar="S", min=0.1, max=600, help="Length of the utterance, for what must be held of it in RAM.")]
RecordsOption = Annotated[
    str | None, typer.Option("--records", metavar="FILE|workspace", help="Append the figures to a file of records, or to the workspace's, as modelled.")
]
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="With --all: as Markdown, a row for each vocoder and a column for each target.")]
HEADERS = ("vocoder", "recipe", "target", "flash, kB", "of", "RAM, kB", "of", "RTF", "verdict")
WORDS = 3
ABSENT = "-"
MISFIT = 1


def fit(
    artifacts: ArtifactsArgument = None,
    target: TargetOption = None,
    everything: AllOption = False,
    seconds: SecondsOption = 4.0,
    records: RecordsOption = None,
    workspace: WorkspaceOption = RUNS,
    markdown: MarkdownOption = False,
    json: JsonOption = False,
) -> None:
    """Does it fit, and is it fast enough? Reckoned from the graphs and the target's profile; nothing is compiled or run.

    A computer needs RAM for weights and activations of an utterance; a microcontroller needs flash for weights and tables, and RAM
    for a streaming execution: to the byte where the C export plans it, code and stack as measured on builds. What is not known makes
    a lower bound. The speed is a range.
    Ends with 0 where it fits (as far as is known), 1 where it does not, 2 for a mistake. --all is an overview and ends with 0.

    \b
    Examples: vcompress fit ARTIFACT --target rpi-3b
              vcompress fit ARTIFACT ARTIFACT --all
              vcompress fit --all --target pico --json
    """
    from ..errors import VcompressError
    from ..targets.fit import fit as hold
    from ..targets.profile import built_in, find_profile

    if not artifacts and not everything:
        raise VcompressError("There is nothing to fit; name an artifact, or give --all for every configuration of the catalogue.")
    if not target and not everything:
        raise VcompressError("There is no target to fit it to; give --target NAME (see: vcompress targets), or --all.")
    if markdown and (json or not everything):
        raise VcompressError("--markdown is a table of --all; give both, and not --json.")
    profiles = [find_profile(name) for name in (target or built_in())]
    workloads = [_read(folder, seconds) for folder in artifacts or ()] or _catalogue(seconds)
    found = [hold(profile, workload) for workload in workloads for profile in profiles]
    if records is not None:
        _append(found, records, workspace)
    if json:
        choice = workloads if everything else _catalogue(seconds)
        print_json({"seconds": seconds, "known": "modelled", "fits": [_document(one, choice) for one in found]})
    elif everything:
        _print_all(found, markdown)
    else:
        for one in found:
            _print(one, _catalogue(seconds))
    if not everything and not all(one.fits is not False for one in found):
        raise typer.Exit(MISFIT)


def _read(folder: Path, seconds: float) -> "Workload":
    from ..runtime.artifact import Artifact
    from ..targets.workload import workload_of

    return workload_of(Artifact.open(folder), seconds)


def _catalogue(seconds: float) -> "list[Workload]":
    from ..targets.workload import workload_of_row
    from ..vocoders.catalogue import catalogue

    return [workload_of_row(row, seconds) for row in catalogue()]


def _append(found: "list[Fit]", place: str, workspace: Path) -> None:
    from ..benchmarks.modelled import append_modelled
    from ..runtime.workspace import Workspace

    path = Workspace(workspace).records if place == "workspace" else Path(place)
    added, stood = append_modelled(path, found)
    say(f"{added} modelled figures added to {path}, {stood} stood there.")


def _document(one: "Fit", others: "list[Workload]") -> dict[str, Any]:
    from ..targets.remedies import remedies

    workload = one.workload
    budgets = {budget.memory: _budget_document(budget) for budget in one.budgets}
    return {
        "name": workload.name,
        "recipe": workload.recipe,
        "artifact": workload.identity or None,
        "target": one.profile.name,
        "fits": one.fits,
        "verdict": one.verdict,
        "budgets": budgets,
        "rtf": {"fast": one.speed.fast, "slow": one.speed.slow, "method": one.speed.method, "reason": one.speed.reason},
        "macs_per_second": workload.macs_per_second,
        "int8_share": workload.int8_share,
        "obstacle": one.obstacle,
        "remedies": remedies(one, others),
        "notes": workload.notes,
    }


def _budget_document(budget: "Budget") -> dict[str, Any]:
    from dataclasses import asdict

    needed = budget.needed if budget.known else None
    parts = [asdict(part) for part in budget.parts]
    return {"needed_bytes": needed, "available_bytes": budget.available, "fits": budget.fits, "bound": budget.bound, "parts": parts}


def _print_all(found: "list[Fit]", markdown: bool) -> None:
    if markdown:
        _print_matrix(found)
        return
    print_table(HEADERS, [_line(one) for one in found], words=WORDS)
    print("\nBytes are lower bounds where a part is not known, RTF is modelled: see vcompress fit ARTIFACT --target NAME")


def _print_matrix(found: "list[Fit]") -> None:
    from ..benchmarks.table import markdown_table

    rows: dict[int, list[str]] = {}
    for one in found:
        workload = one.workload
        row = rows.setdefault(id(workload), [f"{workload.name} {workload.recipe}", f"{workload.stored_bytes / 1024:,.0f}"])
        row.append(one.verdict if one.fits is False else f"{_rtf(one)} {one.speed.words}".removeprefix(f"{ABSENT} "))
    targets = dict.fromkeys(one.profile.name for one in found)
    print(markdown_table([("vocoder", "weights, kB", *targets), *rows.values()]))


def _line(one: "Fit") -> tuple[str, ...]:
    cells = [cell for memory in ("flash", "RAM") for cell in _cells(one.budget(memory))]
    return one.workload.name, one.workload.recipe, one.profile.name, *cells, _rtf(one), one.verdict


def _cells(budget: "Budget | None") -> tuple[str, str]:
    if budget is None:
        return ABSENT, ABSENT
    return f"{budget.needed / 1024:,.1f}" if budget.known else ABSENT, f"{budget.available / 1024:,.0f}"


def _rtf(one: "Fit") -> str:
    ends = (one.speed.fast, one.speed.slow)
    return " to ".join(dict.fromkeys(_figure(end) for end in ends if end is not None)) or ABSENT


def _figure(value: float) -> str:
    """Three digits; a hundred and more without a power of ten, less than a thousandth as such."""
    if value < 1e-3:
        return "< 0.001"
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def _print(one: "Fit", others: "list[Workload]") -> None:
    from ..targets.remedies import remedies

    workload = one.workload
    print(f"{workload.name} {workload.recipe} on {one.profile.name} ({one.profile.title}): {one.verdict}")
    for line in (*(line for budget in one.budgets for line in _account(budget)), *_speed_lines(one)):
        print(f"  {line}")
    for sentence in (*remedies(one, others), *workload.notes):
        print(f"  {sentence}")


def _account(budget: "Budget") -> Iterator[str]:
    if not budget.known:
        yield f"{budget.memory}: not known, of {budget.available:,.0f} bytes; {budget.parts[0].reason}"
        return
    yield f"{budget.memory}: {budget.needed:,} of {budget.available:,.0f} bytes{f', {budget.bound}' if budget.bound else ''}"
    for part in budget.parts:
        yield f"  {part.name}: {f'{part.bytes:,}' if part.bytes is not None else f'not known ({part.reason})'}"


def _speed_lines(one: "Fit") -> Iterator[str]:
    if one.speed.reason:
        yield f"RTF: not known, {one.speed.reason}"
        return
    yield f"RTF: {_rtf(one)}, modelled ({one.speed.method})"
    if one.profile.is_mcu and one.workload.int8_share < 1:
        yield f"  {100 * (1 - one.workload.int8_share):.2g} % of the MACs are not int8 and are reckoned as if they were: the range is low by that"
