"""`vcompress pareto`: the page of a workspace's records."""

from pathlib import Path
from typing import Annotated

import typer

from .options import RUNS, JsonOption, WorkspaceOption
from .output import print_json, working

OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the page goes.  [default: WORKSPACE/report]", show_default=False)]


def pareto(out: OutOption = None, workspace: WorkspaceOption = RUNS, json: JsonOption = False) -> None:
    """Make the page: quantized against fp32.

    The verdict in a line, the key table, fronts of any two objectives and all at once, what compression bought, targets, sensitivity,
    players and spectrograms, method and environment, from the records of a workspace alone: report.html (one file, offline),
    pareto.csv and pareto.png. Beside every figure stands how it is known.

    \b
    Examples: vcompress pareto
              vcompress pareto --workspace runs/demo --out page
    """
    with working():
        from ..benchmarks.lead import lead
        from ..benchmarks.prospects import targets_of
        from ..benchmarks.records import read_records
        from ..benchmarks.report import write_report
        from ..benchmarks.rows import rows_of
        from ..benchmarks.table import key_table
        from ..runtime.workspace import Workspace

        records = read_records(Workspace(workspace).records)
        command = f"vcompress bench --workspace {workspace} && vcompress pareto --workspace {workspace}"
        paths = write_report(records, workspace, out or workspace / "report", command)
    if json:
        print_json({"html": paths.html, "csv": paths.csv, "png": paths.png})
    else:
        rows = rows_of(records)
        print(key_table(rows).markdown())
        if verdict := lead(rows, targets_of(records, rows)):
            print("".join(phrase.text for phrase in verdict))
        print(paths.html)
