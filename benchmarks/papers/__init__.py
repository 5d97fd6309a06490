"""The tables of the papers beside what this project counts and measures. A new table is one file here and one line in TABLES."""

from importlib import import_module

from ...errors import VcompressError
from .comparison import Comparison
from .ours import Measurements

# number -> file with `compare(measured)`
TABLES = {
    3: "training_energy",
    5: "percent_mos",
    6: "waveflow_sizes",
    7: "quality",
    8: "efficiency",
    9: "sizes",
    10: "boards",
}


def compare_table(table: int, measured: Measurements) -> Comparison:
    """One table. Raises VcompressError for a number that is not among TABLES."""
    if table not in TABLES:
        raise VcompressError(f"There is no Table {table} here; choose one of {', '.join(map(str, TABLES))}.")
    found: Comparison = import_module(f".{TABLES[table]}", __package__).compare(measured)
    return found
