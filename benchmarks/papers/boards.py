"""Table 10: boards, and what the thesis's way to reckon a synthesis on them makes of the right number of operations."""

import re

from ...vocoders.catalogue import catalogue
from .comparison import Comparison
from .ours import Measurements
from .printed import THESIS, number, rows_of_table, value

TABLE = "table10_boards"
SCALES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}
REMARK = re.compile(r"\s*\((.*)\)")


def flops(cell: str) -> float:
    """FLOP/s of a cell such as "9.92G"."""
    found = number(cell)
    assert found
    return found.value * SCALES[cell[len(found.text) :].strip()]


def compare(measured: Measurements) -> Comparison:
    """Seconds for one second of MelGAN M: printed GFLOPs over the board's FLOP/s, as in the thesis, and with those of one second."""
    melgan = next(row for row in catalogue() if (row.family, row.size) == ("melgan", "M"))
    printed = value(next(c["gflops_as_printed"] for c in rows_of_table("table8_efficiency") if (c["family"], c["size"]) == (melgan.title, melgan.size)))
    assert printed
    rows = []
    for cells in rows_of_table(TABLE):
        remarks = [f"{key.replace('_', ' ')}: {found.group(1)}" for key, cell in cells.items() if (found := REMARK.search(cell))]
        rows.append(
            {
                "board": cells["board"],
                "clock_mhz_printed": REMARK.sub("", cells["clock_MHz"]),
                "flops_printed": cells["flops_as_printed"],
                "ram_printed": REMARK.sub("", cells["ram"]),
                "drive_printed": REMARK.sub("", cells["drive"]),
                "melgan_m_seconds_printed": round(printed * 1e9 / flops(cells["flops_as_printed"]), 4),
                "melgan_m_seconds": round(melgan.gflops_per_second * 1e9 / flops(cells["flops_as_printed"]), 4),
                "note": "; ".join(remarks),
            }
        )
    columns = {
        "board": "board",
        "clock_mhz_printed": "MHz",
        "flops_printed": "FLOP/s",
        "ram_printed": "RAM",
        "drive_printed": "storage",
        "melgan_m_seconds_printed": "MelGAN M, s as in the thesis",
        "melgan_m_seconds": "for 1 s of audio",
    }
    remark = "modelled: operations over the FLOP/s of the table, a bound that no board sustains"
    return Comparison(10, "Boards", f"{THESIS}, Table 10", columns, rows, (remark,))
