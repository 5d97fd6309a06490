"""Size: int8 over fp32 of all configurations, counted in the ONNX files."""

from collections.abc import Collection, Sequence
from pathlib import Path

from ...errors import VcompressError
from ...vocoders.catalogue import CatalogueRow
from ..bench import bench
from ..records import read_records
from ..rows import Row, row_named, rows_of
from ..size import SIZES
from ..subject import BenchSettings
from .artifacts import FOLDED, FP32, INT8, PLACE, Maker, Say, configurations, name_of, recipes_of
from .section import NOT_YET, Section, at_most, command, table
from .speed import RECORDS

TITLE = "Size"
WEIGHTS, FILE = 0.27, 0.30  # of fp32's, that the project set itself
BYTES = BenchSettings(families=("size",))


def measure(root: Path, only: Collection[str] = (), again: bool = False, say: Say = print, quick: bool = False) -> None:
    """Make every artifact that is not there and count its bytes."""
    for configuration in configurations():
        for recipe in recipes_of(configuration) if not only or name_of(configuration) in only else ():
            try:
                artifact = Maker(root, configuration, say).artifact(recipe)
            except (VcompressError, MemoryError) as error:
                say(f"{name_of(configuration)} {recipe} cannot be made: {error or 'the memory of this machine is too small for it'}")
            else:
                bench([artifact], (), BYTES, root / PLACE / RECORDS, again=again)


def write(root: Path) -> Section:
    """The section, from the records."""
    records = read_records(root / PLACE / RECORDS)
    rows, counted = rows_of(records), [record for record in records if record.metric in SIZES]
    pairs = [(c, folded) for c in configurations() for folded in ("", FOLDED) if folded + INT8 in recipes_of(c)]
    headings = ("Vocoder", "fp32 weights", "int8 weights", "scales", "biases", "ratio", "Asked", "", "fp32 file", "int8 file", "ratio", "Asked", "")
    text = (
        "Static int8 in kB, summed over the graphs. First ratio: int8 weights + scales and zero points + biases over the fp32 weights; second: file over file, "
        "both without names and metadata. With the schedule folded, DiffWave's step embedding is a table of constants, in fp32 and int8 alike; "
        "those rows are compared with each other, so that quantization gets no credit for it, and nothing is asked of them: "
        "what is left has as many channels, each with its scales and bias, and a third to two thirds of the weights."
    )
    return Section(TITLE, text, [table(headings, [_line(rows, c, folded) for c, folded in pairs])], counted, command("size", root))


def _line(rows: Sequence[Row], configuration: CatalogueRow, folded: str) -> list[str]:
    title = f"{configuration.title} {configuration.size}{', schedule folded' if folded else ''}"
    fp32, int8 = (row_named(rows, name_of(configuration), folded + recipe) for recipe in (FP32, INT8))
    parts = [int8.value(f"{kind}_bytes") if int8 else None for kind in ("weight", "scale", "bias")]
    base, files = fp32.value("weight_bytes") if fp32 else None, [row.value("file_bytes") if row else None for row in (fp32, int8)]
    held = [part for part in parts if part is not None]
    ratio = sum(held) / base if base and len(held) == len(parts) else None
    file_ratio = files[1] / files[0] if files[0] and files[1] else None
    asked = (None, None) if folded else (WEIGHTS, FILE)
    cells = [_kilobytes(base), *map(_kilobytes, parts), *_judged(ratio, asked[0]), *map(_kilobytes, files), *_judged(file_ratio, asked[1])]
    return [title, *cells]


def _judged(ratio: float | None, bound: float | None) -> list[str]:
    return [NOT_YET if ratio is None else f"{ratio:.4f}", "" if bound is None else f"≤ {bound:.2f}", at_most(ratio, bound)]


def _kilobytes(value: float | None) -> str:
    return "" if value is None else f"{value / 1e3:,.1f}"
