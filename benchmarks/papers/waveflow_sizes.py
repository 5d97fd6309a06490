"""Table 6: WaveFlow in five sizes, as trained by its authors, beside this project's three."""

from ...vocoders.catalogue import catalogue
from ..carbon import JOULES_PER_KWH
from .comparison import Comparison
from .ours import Measurements
from .printed import THESIS, rows_of_table, value

TABLE = "table6_waveflow"
# (height, channels) of this project's sizes, which are the thesis's: its small one has the height 8
SIZES = {("8", "64"): "S", ("16", "96"): "M", ("16", "128"): "L"}
SECONDS = 100  # of audio at 22.05 kHz that E_gen is for


def compare(measured: Measurements) -> Comparison:
    """Parameters beside those of the same height and channels here, and the energy for a second of audio."""
    ours = {row.size: row for row in catalogue() if row.family == "waveflow"}
    rows = []
    for cells in rows_of_table(TABLE):
        size = SIZES.get((cells["height"], cells["residual_channels"]))
        row, energy = ours.get(size or ""), value(cells["e_gen_Wh_100s_22050Hz"])
        assert energy
        rows.append(
            {
                "model": cells["model"],
                "height": cells["height"],
                "channels": cells["residual_channels"],
                "parameters_millions_printed": cells["params_millions"],
                "size": size,
                "parameters": row.parameters if row else None,
                "parameters_folded": row.parameters_folded if row else None,
                "mos_printed": cells["mos"],
                "e_train_kwh_printed": cells["e_train_kWh"],
                "joules_per_second_printed": round(energy * JOULES_PER_KWH / 1000 / SECONDS, 3),
                "energy": measured.value(row, "energy"),
                "note": "" if row else f"this vcompress has no WaveFlow {size}" if size else "this project has no such size",
            }
        )
    columns = {
        "model": "model",
        "height": "height",
        "channels": "channels",
        "parameters_millions_printed": "M parameters printed",
        "size": "here",
        "parameters": "parameters",
        "parameters_folded": "without weight norm",
        "mos_printed": "MOS",
        "e_train_kwh_printed": "kWh of training",
        "joules_per_second_printed": "J/s from print",
        "energy": "J/s here",
    }
    remark = "M parameters printed are those of WaveFlow's own authors; the networks of Table 8, which are this project's, have 0.6 to 0.7 % more"
    return Comparison(6, "WaveFlow in five sizes", f"{THESIS}, Table 6", columns, rows, (remark,))
