"""Table 7: listening test and distances of the eighteen vocoders, beside the distances measured here."""

from .comparison import Comparison
from .ours import Measurements, match
from .printed import THESIS, rows_of_table

TABLE = "table7_quality"
GROUND_TRUTH = "Ground truth"


def compare(measured: Measurements) -> Comparison:
    """D_STFT is defined alike there and here, but on other recordings and other weights: an order of magnitude, no more."""
    rows = []
    for cells in rows_of_table(TABLE):
        truth = cells["family"] == GROUND_TRUTH
        found = None if truth else match(cells["family"], cells["size"], 7)
        rows.append(
            {
                "vocoder": f"{cells['family']} {cells['size']}".strip(),
                "mos_printed": cells["mos"],
                "mos_interval_printed": cells["mos_ci"],
                "d_stft_printed": cells["d_stft"],
                "d_stft": measured.value(found.row, "d_stft") if found else None,
                "pesq_wb": measured.value(found.row, "pesq_wb") if found else None,
                "fid_printed": cells["fid"],
                "note": found.note if found else "",
            }
        )
    columns = {
        "vocoder": "vocoder",
        "mos_printed": "MOS printed",
        "mos_interval_printed": "+/-",
        "d_stft_printed": "D_STFT printed",
        "d_stft": "D_STFT here",
        "pesq_wb": "PESQ wb here",
        "fid_printed": "FID printed",
    }
    remarks = (
        "here: fp32 weights of the workspace on its own recordings, so no more than an order of magnitude; listening tests cannot be repeated here",
        "IS and AM of the table are left out; why: docs/papers.md",
    )
    return Comparison(7, "Quality of the eighteen vocoders", f"{THESIS}, Table 7", columns, rows, remarks)
