"""`vcompress records`: the file of all figures, listed, shown, exported, merged and checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import RUNS, JsonOption, WorkspaceOption
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..benchmarks.records import Record

FileArgument = Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A file of records.  [default: that of the workspace]", show_default=False)]
NameOption = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Only this vocoder, such as hifigan-s.")]
RecipeOption = Annotated[str | None, typer.Option("--recipe", metavar="RECIPE", help="Only this recipe, such as static_w8a8.")]
MetricOption = Annotated[str | None, typer.Option("--metric", metavar="METRIC", help="Only this figure, such as rtf.")]
KnownOption = Annotated[str | None, typer.Option("--known", metavar="HOW", help="Only what is measured, simulated, modelled or published.")]

records = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


@records.callback()
def _records() -> None:
    """List, show, export, merge and check records: one figure each.

    \b
    Examples: vcompress records ls
              vcompress records show --name hifigan-s --metric rtf
              vcompress records export --csv figures.csv
              vcompress records merge laptop.jsonl board.jsonl -o all.jsonl
              vcompress records check runs/records.jsonl
    """


def _read(file: Path | None, workspace: Path) -> "list[Record]":
    from ..benchmarks.record_files import read_file
    from ..runtime.workspace import Workspace

    return read_file(file or Workspace(workspace).records)


@records.command("ls")
def ls(file: FileArgument = None, workspace: WorkspaceOption = RUNS, json: JsonOption = False) -> None:
    """What there are figures of: a line for each vocoder, recipe, place and way of knowing.

    \b
    Example: vcompress records ls --workspace runs/bench
    """
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in _read(file, workspace):
        place = (record.backend, record.target, record.environment.get("machine", ""))
        groups.setdefault((record.name, record.recipe, *place, record.known), []).append(record)
    keys = ("name", "recipe", "backend", "target", "machine", "known")
    rows = [
        dict(zip(keys, key, strict=True))
        | {"figures": sum(r.value is not None for r in held), "absent": sum(r.value is None for r in held), "newest": max(r.time for r in held)}
        for key, held in groups.items()
    ]
    if json:
        print_json(rows)
    else:
        print_table((*keys, "figures", "absent", "newest"), [[str(cell) for cell in row.values()] for row in rows], words=len(keys))


@records.command("show")
def show(
    file: FileArgument = None,
    name: NameOption = None,
    recipe: RecipeOption = None,
    metric: MetricOption = None,
    known: KnownOption = None,
    workspace: WorkspaceOption = RUNS,
    json: JsonOption = False,
) -> None:
    """The figures themselves; with --json all that is known of each.

    \b
    Example: vcompress records show --name hifigan-s --metric rtf
    """
    from dataclasses import asdict

    from ..benchmarks.record_files import select

    found = select(_read(file, workspace), name=name, recipe=recipe, metric=metric, known=known)
    if json:
        print_json([asdict(record) for record in found])
        return
    rows = [
        (r.name, r.recipe, r.backend, r.metric, "-" if r.value is None else f"{r.value:.6g}", r.unit, "" if r.spread is None else f"{r.spread:.2g}", _how(r))
        for r in found
    ]
    print_table(("name", "recipe", "backend", "metric", "value", "unit", "spread", "known"), rows, words=4)


def _how(record: "Record") -> str:
    if record.value is None:
        return f"absent: {record.reason}"
    settings = " ".join(f"{key}={value}" for key, value in record.settings.items())
    return f"{record.known} {settings}".strip()


CsvOption = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a table of comma-separated values.")]
ParquetOption = Annotated[Path | None, typer.Option("--parquet", metavar="FILE", help="Write an Apache Parquet table; needs vcompress[parquet].")]


@records.command("export")
def export(
    file: FileArgument = None, csv: CsvOption = None, parquet: ParquetOption = None, workspace: WorkspaceOption = RUNS, json: JsonOption = False
) -> None:
    """Tables for other programs: one line a record, one column a field.

    \b
    Example: vcompress records export --csv figures.csv --parquet figures.parquet
    """
    from ..benchmarks.record_files import read_file, write_csv, write_parquet
    from ..errors import VcompressError
    from ..runtime.workspace import Workspace

    if csv is None and parquet is None:
        raise VcompressError("There is no file to write; give --csv FILE, --parquet FILE or both.")
    source = file or Workspace(workspace).records
    places = [path.resolve() for path in (source, csv, parquet) if path is not None]
    if len(set(places)) < len(places):
        raise VcompressError("A table would be written over the records, or over the other table; give each a name of its own.")
    found = read_file(source)
    for path, write in ((csv, write_csv), (parquet, write_parquet)):
        if path is not None:
            write(path, found)
    if json:
        print_json({"records": len(found), "csv": csv, "parquet": parquet})
    else:
        print("\n".join(str(path) for path in (csv, parquet) if path is not None))


OutOption = Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="Where the merged records go; may be one of those that are read.")]


@records.command("merge")
def merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of records, of any machines.")], out: OutOption, json: JsonOption = False
) -> None:
    """Several files made into one, every figure once: the later stands, figures of different machines all stand.

    \b
    Example: vcompress records merge laptop.jsonl board.jsonl -o all.jsonl
    """
    from ..benchmarks.record_files import check_file, read_file, write_records
    from ..benchmarks.record_files import merge as merge_all

    groups = []
    for path in files:
        if problems := check_file(path)[1]:
            say(f"{path}: {len(problems)} lines that are no records are passed over; see: vcompress records check {path}")
        groups.append(read_file(path))
    merged = merge_all(groups)
    write_records(out, merged)
    if json:
        print_json({"out": out, "records": len(merged), "read": {str(path): len(group) for path, group in zip(files, groups, strict=True)}})
    else:
        print(f"{len(merged)} of {sum(map(len, groups))} figures stand in {out}")


@records.command("check")
def check(file: FileArgument = None, workspace: WorkspaceOption = RUNS, json: JsonOption = False) -> None:
    """Check every line of a file against the schema; ends with 2 where one does not fit.

    \b
    Example: vcompress records check runs/records.jsonl
    """
    from dataclasses import asdict

    from ..benchmarks.record_files import check_file
    from ..benchmarks.records import SCHEMA
    from ..errors import VcompressError
    from ..runtime.workspace import Workspace

    path = file or Workspace(workspace).records
    lines, problems = check_file(path)
    if json:
        print_json({"file": path, "schema": SCHEMA, "lines": lines, "problems": [asdict(problem) for problem in problems]})
    else:
        for problem in problems:
            print(f"line {problem.line} {problem.what}")
        if not problems:
            print(f"All {lines} lines of {path} are records of schema {SCHEMA}.")
    if problems:
        raise VcompressError(f"{len(problems)} of {lines} lines of {path} are no records; they are passed over wherever it is read, so take them out.")
