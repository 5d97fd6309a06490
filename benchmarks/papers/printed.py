"""The printed tables as they stand in `tables/`: cells are text, so that a number keeps the digits it was printed with."""

import csv
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

TABLES = Path(__file__).parent / "tables"
THESIS = "Douwes 2023"
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")

Cells = dict[str, str]


@dataclass(frozen=True)
class Printed:
    """One number of a table; `text` keeps the digits it was printed with."""

    text: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)

    @property
    def unit(self) -> float:
        """One in its last printed digit: 0.01 of "1.39"."""
        exponent = Decimal(self.text).as_tuple().exponent
        assert isinstance(exponent, int)
        return 10.0**exponent

    def agrees(self, value: float) -> bool:
        """Whether `value`, rounded or cut to as many digits, gives what is printed: the tables do both."""
        digits = Decimal(repr(value)).quantize(Decimal(self.text), "ROUND_HALF_UP"), Decimal(repr(value)).quantize(Decimal(self.text), "ROUND_DOWN")
        return Decimal(self.text) in digits


def number(cell: str) -> Printed | None:
    """The number that a cell begins with; None where there is none."""
    found = _NUMBER.match(cell.strip())
    return Printed(found.group()) if found else None


def value(cell: str) -> float | None:
    """The number that a cell begins with, as a float; None where there is none."""
    found = number(cell)
    return found.value if found else None


def rows_of_table(file: str) -> list[Cells]:
    """The rows of a table, such as "table8_efficiency", column -> cell."""
    with (TABLES / f"{file}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
