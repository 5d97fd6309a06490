"""Table 8: parameters, GFLOPs, energy and real-time factor of the eighteen vocoders, beside what is counted and measured here."""

from ...vocoders.catalogue import CatalogueRow
from .comparison import Comparison
from .ours import Measurements, match
from .printed import THESIS, number, rows_of_table, value

TABLE = "table8_efficiency"
SECONDS = 100  # ten clips of ten seconds
FOLDED = ("waveglow",)  # printed without weight norm; the others with it


def printed_parameters(row: CatalogueRow) -> int:
    """Parameters as Table 8 counts those of a family."""
    return row.parameters_folded if row.family in FOLDED else row.parameters


def compare(measured: Measurements) -> Comparison:
    """17 of the 18 rows agree to the printed digit; the other has no public configuration."""
    rows = []
    for cells in rows_of_table(TABLE):
        found = match(cells["family"], cells["size"], 8)
        row, parameters, gflops = found.row, number(cells["params_millions"]), number(cells["gflops_as_printed"])
        energy = value(cells["energy_10x10s_as_printed_mJ"])
        assert parameters and gflops and energy
        counted = printed_parameters(row) if row else None
        theirs = row.papers_gflops if row else None
        rows.append(
            {
                "vocoder": f"{cells['family']} {cells['size']}",
                "here": f"{row.title} {row.size}" if row else None,
                "parameters_millions_printed": parameters.text,
                "parameters": counted,
                "parameters_agree": parameters.agrees(counted / 1e6) if counted is not None else None,
                "gflops_printed": gflops.text,
                "papers_gflops": theirs,
                "gflops_agree": gflops.agrees(theirs) if theirs is not None else None,
                "gflops_per_second": row.gflops_per_second if row else None,
                "joules_per_second_printed": round(energy / SECONDS, 4),
                "energy": measured.value(row, "energy"),
                "rtf_gpu_printed": cells["rtf_gpu_rtx_a5000"],
                "rtf_cpu_printed": cells["rtf_cpu_xeon_5220r"],
                "rtf": measured.value(row, "rtf"),
                "note": found.note,
            }
        )
    columns = {
        "vocoder": "vocoder",
        "parameters_millions_printed": "M param. printed",
        "parameters": "counted",
        "parameters_agree": "agree",
        "gflops_printed": "GFLOPs printed",
        "papers_gflops": "counted so",
        "gflops_agree": "agree",
        "gflops_per_second": "of 1 s",
        "joules_per_second_printed": "J/s printed",
        "energy": "here",
        "rtf_cpu_printed": "RTF CPU printed",
        "rtf": "here",
    }
    remarks = (
        "GFLOPs printed: one 64-frame input by the thesis's profiler; 'of 1 s': 2 x MAC of a whole synthesis of one second (WaveFlow: by the papers' inverse)",
        "J/s printed: energy of ten clips of ten seconds over 100 s, read as J and not as the mJ of the heading; on an RTX A5000",
        "RTF printed: Xeon 5220R; here: fp32 in ONNX Runtime, one thread, where the workspace has it",
    )
    return Comparison(8, "Efficiency of the eighteen vocoders", f"{THESIS}, Table 8", columns, rows, remarks)
