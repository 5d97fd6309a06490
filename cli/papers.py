"""`vcompress papers`: the printed tables beside what this project counts and measures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import RUNS, JsonOption, WorkspaceOption
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..benchmarks.papers.comparison import Comparison

TableOption = Annotated[
    int | None, typer.Option("--table", metavar="N", help="3, 5, 6, 7, 8, 9 or 10 of the thesis.  [default: all, and the fronts]", show_default=False)
]
FrontsOption = Annotated[bool, typer.Option("--fronts", help="Only the fronts of the papers' figures, from their own tables.")]
RecordsOption = Annotated[
    Path | None, typer.Option("--records", metavar="FILE", help="Append the printed figures to a file of records, as published; none twice.")
]
DOCUMENT = "conventions, known slips, and which measures are left out: docs/papers.md"


def papers(
    table: TableOption = None, fronts: FrontsOption = False, records: RecordsOption = None, workspace: WorkspaceOption = RUNS, json: JsonOption = False
) -> None:
    """The papers' tables, beside what is counted and measured here.

    Tables 3 and 5 to 10 of C. Douwes' thesis (2023): as printed, recomputed from their own inputs, and counted on this project's
    networks; what the workspace has measured stands beside. Then who is on the fronts of the papers' figures.

    \b
    Examples: vcompress papers --table 8
              vcompress papers --fronts --json
              vcompress papers --records runs/records.jsonl
    """
    from ..benchmarks.papers import TABLES, compare_table
    from ..benchmarks.papers.fronts import front_lines, paper_fronts
    from ..benchmarks.papers.ours import Measurements
    from ..benchmarks.papers.published import append_published

    if records is not None:
        added, stood = append_published(records)
        if json:
            print_json({"records": records, "added": added, "stood": stood})
        else:
            print(f"{added} published figures added to {records}, {stood} stood there.")
        return
    wanted = [table] if table is not None else [] if fronts else list(TABLES)
    measured = Measurements.read(workspace)
    tables = [compare_table(number, measured) for number in wanted]
    drawn = paper_fronts() if fronts or table is None else []
    if json:
        documents = [{"table": t.number, "title": t.title, "source": t.source, "rows": t.rows, "remarks": t.remarks} for t in tables]
        print_json({"tables": documents, "fronts": [found.as_json() for found in drawn], "document": "docs/papers.md"})
        return
    for comparison in tables:
        _print(comparison)
    if drawn:
        print("Fronts of the papers' figures: whom nobody dominates, the cheapest first\n")
        print_table(("quality against cost", "from", "on the front"), front_lines(drawn), words=3)
        print()
    print(DOCUMENT)


def _print(comparison: "Comparison") -> None:
    print(f"{comparison.source}: {comparison.title}\n")
    print_table(list(comparison.columns.values()), comparison.cells(), comparison.words)
    print()
    for index, note in enumerate(comparison.notes, 1):
        print(f"[{index}] {note}")
    for remark in comparison.remarks:
        print(remark)
    print()
