"""The printed rows as records, labelled `published`: what they say, in the unit they say it in, never joined with what is measured here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..records import PUBLISHED, Record, append_record, read_records
from .printed import THESIS, Cells, rows_of_table, value

SING = "Défossez et al. 2018"


@dataclass(frozen=True)
class Column:
    """One column of a table: its metric and unit; `target`: what it was measured on; `scale`: what its numbers are multiplied by."""

    cell: str
    metric: str
    unit: str = ""
    target: str = ""
    method: str = ""
    recipe: str = "fp32"
    scale: float = 1.0


@dataclass(frozen=True)
class Source:
    """One table: where it is printed, which columns become records, and which make up a row's name."""

    file: str
    where: str
    columns: tuple[Column, ...]
    name: tuple[str, ...] = ("model",)


_VOCODER = ("family", "size")
SOURCES = (
    Source(
        "table3_training_energy",
        f"{THESIS}, Table 3",
        (
            Column("kWh", "training_energy", "kWh", method="GPUs x W x h, PUE 1"),
            Column("kgCO2eq_thesis", "training_co2e", "kg CO2e", method="0.437 kg/kWh"),
        ),
    ),
    Source(
        "table5_percent_mos",
        f"{THESIS}, Table 5",
        (
            Column("percent_mos", "percent_mos", method="MOS of the model over that of the ground truth in the same test"),
            Column("mos_model", "mos", method="listening test of the model's own paper"),
            Column("params_millions", "parameters", "1", scale=1e6),
        ),
    ),
    Source(
        "table6_waveflow",
        f"{THESIS}, Table 6",
        (
            Column("mos", "mos", method="listening test of WaveFlow's authors"),
            Column("params_millions", "parameters", "1", scale=1e6),
            Column("e_train_kWh", "training_energy", "kWh"),
            Column("e_gen_Wh_100s_22050Hz", "synthesis_energy_100s", "Wh", method="100 s of audio at 22.05 kHz"),
        ),
    ),
    Source(
        "table7_quality",
        f"{THESIS}, Table 7",
        (
            Column("mos", "mos", method="listening test"),
            Column("d_stft", "d_stft", method="mean |ln(1 + |X|^2) - ln(1 + |Y|^2)|, frame 1024, hop 256"),
            Column("fid", "fid"),
        ),
        _VOCODER,
    ),
    Source(
        "table8_efficiency",
        f"{THESIS}, Table 8",
        (
            Column("params_millions", "parameters", "1", scale=1e6),
            Column("gflops_as_printed", "gflops_64_frames", "GFLOP", method="profiler's count of one 64-frame input"),
            Column("energy_10x10s_as_printed_mJ", "synthesis_energy_100s", "mJ as printed, J by the power it implies", "RTX A5000", "ten clips of ten seconds"),
            Column("rtf_gpu_rtx_a5000", "rtf", "s/s", "RTX A5000"),
            Column("rtf_cpu_xeon_5220r", "rtf", "s/s", "Xeon 5220R"),
        ),
        _VOCODER,
    ),
    Source(
        "table9_sizes",
        f"{THESIS}, Table 9",
        (
            Column("fp32_MB", "file_bytes", "bytes", method="torch.save(state_dict)", scale=1e6),
            Column("int8_MB", "file_bytes", "bytes", method="torch.save(state_dict)", recipe="int8", scale=1e6),
        ),
        _VOCODER,
    ),
    Source(
        "sing_table2",
        f"{SING}, Table 2",
        (
            Column("mos", "mos", method="listening test"),
            Column("training_hours_x_gpu", "training_gpu_hours", "h"),
            Column("generation_s_per_s", "generation_speed", "s of audio per s"),
            Column("model_size_MB", "file_bytes", "bytes", scale=1e6),
        ),
    ),
)


def published_records() -> list[Record]:
    """Every printed figure that has a metric here, in the order of the tables; columns that are left out (IS, AM) are left out here too."""
    return [record for source in SOURCES for cells in rows_of_table(source.file) for record in _records(source, cells)]


def _records(source: Source, cells: Cells) -> Iterator[Record]:
    words = [cells[column] for column in source.name]
    family = cells.get("family", cells.get("model", ""))
    for column in source.columns:
        number = value(cells[column.cell])
        if number is None:
            continue
        yield Record(
            artifact="",
            name=" ".join(filter(None, words)),
            family=family,
            size=cells.get("size", ""),
            recipe=column.recipe,
            backend="",
            target=column.target,
            metric=column.metric,
            value=float(f"{number * column.scale:.12g}"),  # 1.03 millions, not 1030000.0000000001
            unit=column.unit,
            known=PUBLISHED,
            method=column.method,
            settings={"source": source.where},
        )


def append_published(path: Path) -> tuple[int, int]:
    """Append the published records that a file does not hold yet, or holds otherwise; gives how many were added and how many stood.

    Raises VcompressError where the file cannot be read or written.
    """
    standing = {record.key: record for record in read_records(path)}
    published = published_records()
    new = [record for record in published if standing.get(record.key) != record]
    for record in new:
        append_record(path, record)
    return len(new), len(published) - len(new)
