"""The printed tables beside what is counted: every row that can agree does, and the others say why."""

import json
from pathlib import Path

import pytest
from conftest import CommandLine
from synthetic_records import three_vocoders

from vcompress.benchmarks.papers import TABLES, compare_table
from vcompress.benchmarks.papers.fronts import paper_fronts
from vcompress.benchmarks.papers.ours import NO_SUCH_WAVEGRAD, Measurements, match
from vcompress.benchmarks.papers.printed import Printed, number, rows_of_table, value
from vcompress.benchmarks.papers.published import append_published, published_records
from vcompress.benchmarks.pareto import dominates
from vcompress.benchmarks.records import Record, append_record, read_records
from vcompress.benchmarks.rows import rows_of
from vcompress.errors import VcompressError
from vcompress.vocoders.catalogue import CatalogueRow, catalogue

NOTHING = Measurements()


def rows(table: int, measured: Measurements = NOTHING) -> list[dict]:
    return [dict(row) for row in compare_table(table, measured).rows]


# --- numbers as they are printed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("printed, counted, agrees", [
    ("1.39", 1.3907, True), ("1.39", 1.3957, True), ("1.39", 1.4001, False), ("1.39", 1.3849, False),
    ("0.928", 0.928514, True), ("0.928", 0.927499, False), ("6063.6", 6063.6499, True), ("11", 10.56, True), ("24", 24.04, True),
])  # fmt: skip
def test_a_number_agrees_when_it_gives_the_printed_digits_rounded_or_cut(printed: str, counted: float, agrees: bool) -> None:
    assert Printed(printed).agrees(counted) is agrees


def test_a_cell_gives_its_number_with_the_printed_digits() -> None:
    assert number("3.9 (as printed)") == Printed("3.9") and number("1e-05") == Printed("1e-05") and number("") is None
    assert value("256 MB (as printed)") == 256.0


# --- Table 8: parameters and FLOPs -------------------------------------------------------------------------------------------


def test_parameters_and_gflops_agree_to_the_printed_digit_wherever_there_is_a_configuration() -> None:
    table = rows(8)
    assert len(table) == 18
    for row in table:
        if row["parameters"] is None:
            assert row["note"], row["vocoder"]
        else:
            assert row["parameters_agree"] and row["gflops_agree"], row
    assert next(row for row in table if row["vocoder"] == "WaveGrad L")["note"] == NO_SUCH_WAVEGRAD


def test_17_of_18_rows_agree() -> None:
    here = {row.title for row in catalogue()}
    missing = {cells["family"] for cells in rows_of_table("table8_efficiency")} - here
    expected = 17 - sum(2 if title == "WaveGrad" else 3 for title in missing)
    assert sum(row["parameters_agree"] is True and row["gflops_agree"] is True for row in rows(8)) == expected


def test_wavegrads_sizes_are_those_of_the_configurations() -> None:
    for size, meant in (("S", "S"), ("M", "L")):
        found = match("WaveGrad", size, 8)
        assert found.row is None or found.row.size == meant
    assert match("WaveGrad", "L", 8).row is None
    assert all(match("WaveGrad", size, 9).row in (None, *catalogue()) for size in "SML")


# WaveFlow M and L, whose inverse makes 15,000 calls of convolutions, are counted again with the rest of the catalogue.
COUNTED = [row for row in catalogue() if row.papers_gflops is not None and not (row.family == "waveflow" and row.size != "S")]


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: f"{row.family}-{row.size}")
def test_the_papers_count_is_counted_again(row: CatalogueRow) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from vcompress.vocoders.papers_count import papers_gflops
    from vcompress.vocoders.registry import find_family

    family = find_family(row.family)
    with torch.device("meta"):
        assert papers_gflops(family, family.sizes[row.size], family.network(family.sizes[row.size])) == row.papers_gflops


@pytest.mark.parametrize("row", [row for row in catalogue() if row.size == "S" and row.papers_fp32_bytes], ids=lambda row: row.family)
def test_the_saved_file_is_as_long_as_it_says(row: CatalogueRow, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from vcompress.vocoders.papers_count import saved_bytes
    from vcompress.vocoders.registry import find_family

    family = find_family(row.family)
    network = family.network(family.sizes[row.size])
    assert saved_bytes(family, network) == row.papers_fp32_bytes
    torch.save(dict(network.state_dict()), tmp_path / "archive.pt")
    assert (tmp_path / "archive.pt").stat().st_size == pytest.approx(row.papers_fp32_bytes, rel=0.001)


def test_the_count_has_the_profilers_rules() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from torch import nn
    from torch.nn import functional

    from vcompress.vocoders.papers_count import profiled_flops

    x = torch.zeros(1, 4, 10)
    assert profiled_flops(lambda: nn.Conv1d(4, 6, 3, padding=1)(x)) == 10 * 6 * (2 * 4 * 3 + 1)
    assert profiled_flops(lambda: nn.Conv1d(4, 6, 3, padding=1, bias=False, groups=2)(x)) == 10 * 6 * 2 * 2 * 3
    assert profiled_flops(lambda: nn.ConvTranspose1d(4, 6, 4, 2, 1, bias=False)(x)) == 2 * 10 * 4 * 4 * 4  # in x in, not in x out
    assert profiled_flops(lambda: nn.ConvTranspose1d(4, 6, 4, 2, 1)(x)) == 2 * 10 * 4 * 4 * 4 + 4 * 5  # bias: where a convolution would have outputs
    assert profiled_flops(lambda: nn.Linear(10, 3)(x)) == 2 * 4 * 10 * 3
    assert profiled_flops(lambda: functional.leaky_relu(x) + torch.tanh(x) * torch.sigmoid(x)) == 40
    assert profiled_flops(lambda: functional.interpolate(x, scale_factor=3)) == 30


# --- the other tables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table, columns", [(3, ["agrees"]), (5, ["agrees"])])
def test_what_the_papers_compute_from_their_own_numbers_agrees(table: int, columns: list[str]) -> None:
    assert all(row[column] is True for row in rows(table) for column in columns)


def test_saved_sizes_agree_but_for_one_that_says_why() -> None:
    counted = [row for row in rows(9) if row["fp32_mb"] is not None]
    assert len(counted) >= 9
    assert {row["vocoder"] for row in counted if not row["agrees"]} <= {"WaveGlow M"}
    assert all(row["note"] for row in counted if not row["agrees"])


def test_waveflow_in_five_sizes_has_its_energy_for_a_second_of_audio() -> None:
    table = rows(6)
    assert [row["size"] for row in table] == ["S", None, "M", "L", None]
    assert table[0]["joules_per_second_printed"] == pytest.approx(1.349 * 3600 / 100)


def test_a_board_takes_less_for_a_second_than_for_64_frames() -> None:
    table = {row["board"]: row for row in rows(10)}
    assert table["RPi 4B"]["melgan_m_seconds_printed"] == pytest.approx(7.02 / 9.92, abs=1e-4)
    assert all(row["melgan_m_seconds"] < row["melgan_m_seconds_printed"] for row in table.values())


def test_measured_figures_stand_beside_the_printed_ones() -> None:
    def figure(metric: str, figure: float, recipe: str = "fp32", name: str = "melgan-s") -> Record:
        return Record("a", name, "melgan", name[-1].upper(), recipe, "onnxruntime", "host", metric, figure, "")

    trained = [figure("rtf", 0.02), figure("d_stft", 0.15), figure("energy", 1.5)]
    speed = [figure("rtf", 0.5), figure("parameter_bytes", 1.07e6, "static_w8a8"), figure("rtf", 0.07, name="melgan-m")]
    measured = Measurements(trained, speed)
    first, second = rows(8, measured)[:2]
    assert (first["rtf"], first["energy"], second["rtf"], second["energy"]) == (0.02, 1.5, 0.07, None)
    assert rows(9, measured)[0]["int8_mb"] == pytest.approx(1.07)
    assert rows(7, measured)[1]["d_stft"] == 0.15 and rows(7, measured)[2]["d_stft"] is None


def test_another_table_is_refused() -> None:
    with pytest.raises(VcompressError, match=r"Table 4.*3, 5, 6"):
        compare_table(4, NOTHING)


# --- fronts ------------------------------------------------------------------------------------------------------------------


def front_of(title: str, source: str = "Tables 7 and 8") -> list[str]:
    return next(found.members for found in paper_fronts() if (found.title, found.source) == (title, source))


def test_fronts_of_the_papers_figures() -> None:
    # By hand from Tables 7 and 8: nothing above MOS 3.90 but HiFi-GAN L, nothing cheaper in energy than MelGAN S, then HiFi-GAN S.
    assert front_of("MOS against energy of a synthesis") == ["MelGAN S", "HiFi-GAN S", "HiFi-GAN L"]
    assert front_of("MOS against GFLOPs as printed") == ["MelGAN S", "HiFi-GAN S", "HiFi-GAN L"]
    assert front_of("MOS against parameters") == ["HiFi-GAN S", "HiFi-GAN L"]  # the smallest of all is better than all but one
    # Tables 5 and 3: 0.59 for 10.49 kg, 0.71 for 18.35, 0.92 for 22.72; FloWaveNet has 0.85 for 35.66
    assert front_of("%MOS against CO2e of the training", "Tables 5 and 3") == ["WaveGAN", "RAVE", "SING"]
    # WaveFlow 4 trained with less energy than 3 and sounds better
    assert "WaveFlow 3" not in front_of("MOS against energy of the training", "Table 6")


def test_every_dominated_point_has_its_dominator() -> None:
    for found in paper_fronts():
        axes, members = (found.quality, found.cost), set(found.members)
        assert members
        for name, point in found.points.items():
            if name not in members and all(point[axis.metric] is not None for axis in axes):
                assert any(dominates(found.points[other], point, axes) for other in members), (found.title, name)


# --- records -----------------------------------------------------------------------------------------------------------------


def test_published_records_say_what_is_printed_and_where() -> None:
    records = published_records()
    assert {record.known for record in records} == {"published"}
    assert len({record.key for record in records}) == len(records)
    found = {(r.name, r.recipe, r.metric, r.settings["source"], r.target): r.value for r in records}
    assert found["MelGAN S", "fp32", "parameters", "Douwes 2023, Table 8", ""] == 1_030_000
    assert found["HiFi-GAN S", "int8", "file_bytes", "Douwes 2023, Table 9", ""] == 1e6
    assert found["WaveGlow L", "fp32", "rtf", "Douwes 2023, Table 8", "Xeon 5220R"] == 0.51
    assert not {record.metric for record in records} & {"is", "am"}


def test_published_records_are_appended_once(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    assert append_published(path) == (len(published_records()), 0)
    before = path.read_bytes()
    assert append_published(path) == (0, len(published_records()))
    assert path.read_bytes() == before and read_records(path) == published_records()


def test_published_figures_are_in_no_row_of_measured_ones(tmp_path: Path) -> None:
    measured = three_vocoders()
    assert rows_of([*published_records(), *measured]) == rows_of(measured)
    assert rows_of(published_records()) == []


def test_the_page_shows_published_figures_apart(tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="jinja2 is not installed")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from vcompress.benchmarks.report import write_report

    with pytest.raises(VcompressError, match="no records"):
        write_report(published_records(), tmp_path, tmp_path / "report", "vcompress bench")
    measured = [record for record in three_vocoders() if record.name == "melgan-s"]
    page = write_report([*measured, *published_records()], tmp_path, tmp_path / "report", "vcompress bench").html.read_text()
    assert f"{len(published_records())} figures printed in the papers" in page and "Douwes 2023, Table 8" in page
    assert "further record" not in page


# --- the command -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_the_command_prints_a_table(vcompress: CommandLine, tmp_path: Path, table: int) -> None:
    answer = vcompress("papers", "--table", table, "--workspace", tmp_path)
    assert answer.code == 0 and f"Table {table}" in answer.out and "docs/papers.md" in answer.out
    document = json.loads(vcompress("papers", "--table", table, "--workspace", tmp_path, "--json").out)
    assert [found["table"] for found in document["tables"]] == [table] and document["tables"][0]["rows"] and not document["fronts"]


def test_the_command_prints_all_with_the_fronts(vcompress: CommandLine, tmp_path: Path) -> None:
    document = json.loads(vcompress("papers", "--workspace", tmp_path, "--json").out)
    assert [found["table"] for found in document["tables"]] == list(TABLES) and len(document["fronts"]) == len(paper_fronts())
    only = json.loads(vcompress("papers", "--fronts", "--json").out)
    assert only["fronts"] == document["fronts"] and not only["tables"]


def test_the_command_reads_the_workspace(vcompress: CommandLine, tmp_path: Path) -> None:
    append_record(tmp_path / "records.jsonl", Record("a", "melgan-s", "melgan", "S", "fp32", "onnxruntime", "host", "rtf", 0.0123, "s/s"))
    row = json.loads(vcompress("papers", "--table", 8, "--workspace", tmp_path, "--json").out)["tables"][0]["rows"][0]
    assert row["rtf"] == 0.0123


def test_the_command_appends_records_once(vcompress: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    first, second = (json.loads(vcompress("papers", "--records", path, "--json").out) for _ in range(2))
    assert first["added"] == second["stood"] == len(published_records()) and second["added"] == first["stood"] == 0


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(vcompress: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = vcompress("papers", "--records", tmp_path / "file" / "records.jsonl")
    assert answer.code == 2 and len(answer.err.splitlines()) == 1


def test_a_table_that_is_not_there_is_said_in_a_sentence(vcompress: CommandLine) -> None:
    answer = vcompress("papers", "--table", 4)
    assert (answer.code, answer.out) == (2, "") and "Table 4" in answer.err and len(answer.err.splitlines()) == 1
