"""The page of a workspace: `report.html` (one file, no network), `pareto.csv` and `pareto.png`, from records."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import VcompressError
from ...runtime.files import write_text
from ..records import ELSEWHERE, Record
from ..rows import rows_of


@dataclass(frozen=True)
class ReportPaths:
    """Where the report was written."""

    html: Path
    csv: Path
    png: Path


def write_report(records: Sequence[Record], workspace_root: str | Path, out_folder: str | Path, command: str) -> ReportPaths:
    """Write the three files, each whole or not at all.

    workspace_root: holds `audio/` and the runs; command: what repeats it all, printed on the page.
    Raises VcompressError where nothing is measured, a package is missing, or the folder cannot be written.
    """
    if all(record.known in ELSEWHERE for record in records):
        raise VcompressError("There are no records to report on; run vcompress bench first.")
    try:
        from .page import render
        from .picture import write_picture

        rows, out = rows_of(records), Path(out_folder)
        paths = ReportPaths(out / "report.html", out / "pareto.csv", out / "pareto.png")
        page = render(records, rows, Path(workspace_root), command)
        write_picture(rows, paths.png)
    except ModuleNotFoundError as error:
        raise VcompressError(f"The report needs the package {error.name}; install it with: pip install 'vcompress[report]'.") from None
    from .spreadsheet import to_csv

    write_text(paths.csv, to_csv(rows))
    write_text(paths.html, page)
    return paths
