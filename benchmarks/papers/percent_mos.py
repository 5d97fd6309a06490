"""Table 5: %MOS, a listening test's score over that of the ground truth in the same test."""

from .comparison import Comparison
from .ours import Measurements
from .printed import THESIS, number, rows_of_table, value

TABLE = "table5_percent_mos"


def compare(measured: Measurements) -> Comparison:
    """The quotient computed again. Listening tests are not what this project can repeat."""
    rows = []
    for cells in rows_of_table(TABLE):
        truth, model, printed = value(cells["mos_ground_truth"]), value(cells["mos_model"]), number(cells["percent_mos"])
        assert truth and model and printed
        swapped = "(" in cells["mos_ground_truth"]
        rows.append(
            {
                "model": cells["model"],
                "parameters_millions_printed": cells["params_millions"],
                "mos_ground_truth_printed": f"{truth:g}",
                "mos_printed": f"{model:g}",
                "percent_mos_printed": printed.text,
                "percent_mos": round(model / truth, 4),
                "agrees": printed.agrees(model / truth),
                "note": "the two MOS stand in each other's column in print" if swapped else "",
            }
        )
    columns = {
        "model": "model",
        "parameters_millions_printed": "M parameters",
        "mos_ground_truth_printed": "MOS of truth",
        "mos_printed": "MOS",
        "percent_mos_printed": "%MOS printed",
        "percent_mos": "computed",
        "agrees": "agrees",
    }
    return Comparison(5, "%MOS of published models", f"{THESIS}, Table 5", columns, rows)
