"""Table 9: sizes in fp32 and int8, beside the same file counted here and what this project's int8 takes."""

from .comparison import Comparison
from .ours import Measurements, match
from .printed import THESIS, number, rows_of_table

TABLE = "table9_sizes"
MB = 1e6
CLOSE = 0.1  # MB: what the names of the tensors in the file, which are not the public code's, can make of difference
INT8 = "static_w8a8"
NOTES = {
    "WaveGrad": "printed with int8 in 5 of 59 convolutions only: the quantizer did not know the subclass of the others",
    "WaveGlow M": "the public code saves 139.54 MB too, and the neighbours agree: perhaps a slip in print",
}


def compare(measured: Measurements) -> Comparison:
    """Files of torch.save(state_dict) in MB of 1e6 bytes; here, int8 is all ONNX graphs of the artifact, and its weights, scales and biases."""
    rows = []
    for cells in rows_of_table(TABLE):
        found = match(cells["family"], cells["size"], 9)
        fp32, int8 = number(cells["fp32_MB"]), number(cells["int8_MB"])
        assert fp32 and int8
        saved = found.row.papers_fp32_bytes / MB if found.row and found.row.papers_fp32_bytes is not None else None
        kept, file = (measured.value(found.row, metric, INT8) for metric in ("parameter_bytes", "file_bytes"))
        name = f"{cells['family']} {cells['size']}"
        rows.append(
            {
                "vocoder": name,
                "fp32_mb_printed": fp32.text,
                "fp32_mb": None if saved is None else round(saved, 3),
                "difference_mb": None if saved is None else round(saved - fp32.value, 3),
                "agrees": None if saved is None else fp32.agrees(saved) or abs(saved - fp32.value) < CLOSE,
                "int8_mb_printed": int8.text,
                "int8_mb": None if kept is None else round(kept / MB, 3),
                "int8_file_mb": None if file is None else round(file / MB, 3),
                "note": "; ".join(filter(None, (found.note, *(note for start, note in NOTES.items() if name.startswith(start))))),
            }
        )
    columns = {
        "vocoder": "vocoder",
        "fp32_mb_printed": "fp32 MB printed",
        "fp32_mb": "saved so",
        "difference_mb": "difference",
        "agrees": "agrees",
        "int8_mb_printed": "int8 MB printed",
        "int8_mb": "weights, scales, biases here",
        "int8_file_mb": "file here",
    }
    remarks = (
        f"saved so: torch.save of all tensors; agrees: to the printed digit or within {CLOSE} MB, for the names in the file are others",
        f"int8 here: {INT8} of the workspace; where there is none: make bench, or vcompress quantize, export and bench --measure size",
    )
    return Comparison(9, "Sizes of the eighteen vocoders", f"{THESIS}, Table 9", columns, rows, remarks)
