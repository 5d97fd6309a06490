"""Which figures stand beside each other, what is compared with what, and what is said of it."""

import pytest
from synthetic_records import CLIPS, NO_ENERGY, quality, record, three_vocoders, vocoder

from vcompress.benchmarks.columns import BY_METRIC, column_of
from vcompress.benchmarks.paired import compare, mean_difference, student_t
from vcompress.benchmarks.rows import front_of, row_named, rows_of
from vcompress.benchmarks.table import cost_table, key_table, quality_table
from vcompress.benchmarks.verdict import Outcome, headline, judge, ratio


def cell(table, name, recipe, label):
    line = next(line for line in table.lines if (line.name, line.recipe) == (name, recipe))
    return line.cells[[heading.label for heading in table.headings].index(label)]


@pytest.mark.parametrize(("degrees", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (7, 2.365), (30, 2.042)])
def test_student_t_gives_the_printed_tables(degrees, quantile):
    assert student_t(degrees) == pytest.approx(quantile, abs=6e-4)


def test_mean_difference_is_paired():
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t(2) = 4.303.
    mean, half = mean_difference([11, 102, 1003], [10, 100, 1000])
    assert (mean, half) == (2, pytest.approx(4.303 / 3**0.5, abs=1e-3))
    assert mean_difference([1.0], [0.5]) == (0.5, None)


def test_rows_put_fp32_first_and_the_control_below_qat():
    rows = rows_of(list(reversed(vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3))))
    assert [row.recipe for row in rows] == ["fp32", "static_w8a8", "qat_w8a8", "control_qat_w8a8"]


def test_rows_are_of_the_place_where_most_were_timed():
    gpu = record("fp32", "rtf", 0.001, backend="torch-cuda", time="2026-01-01T00:00:00")
    rows = rows_of([*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), gpu])
    assert len(rows) == 4 and rows[0].value("rtf") == 0.05
    newer = [record(row.recipe, "rtf", 0.002, backend="torch-cuda", time="2026-01-01T00:00:00") for row in rows]
    assert [row.value("rtf") for row in rows_of([*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), *newer])] == [0.002] * 4


def test_rows_take_the_newest_artifact_and_one_place():
    old = record("qat_w8a8", "file_bytes", 9.0, artifact="old", time="2024-01-01T00:00:00")
    elsewhere = record("fp32", "rtf", 9.0, environment={"machine": "other"}, time="2024-01-01T00:00:00")
    rows = rows_of([*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), old, elsewhere])
    assert row_named(rows, "hifigan-s", "qat_w8a8").artifact == "hifigan-s-qat_w8a8"
    assert row_named(rows, "hifigan-s", "fp32").value("rtf") == 0.05


def test_rows_prefer_the_clips_that_most_rows_share():
    later = quality("fp32", "pesq_wb", 3.3, clips="new")
    row = row_named(rows_of([*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), later]), "hifigan-s", "fp32")
    assert row.figure("pesq_wb").clips == CLIPS


def test_rtf_is_that_of_the_fewest_threads():
    table = key_table(rows_of(vocoder("hifigan-s", 4e6, 0.048, 2.4, 0.3)))
    assert cell(table, "hifigan-s", "fp32", "RTF").text == "0.048"
    assert cell(table, "hifigan-s", "fp32", "RTF").sub == "2 thr. 0.030"


def test_fronts_join_only_rows_with_the_same_clips():
    records = [record(recipe, "file_bytes", size) for recipe, size in (("fp32", 4.0), ("static_w8a8", 1.0), ("dynamic_w8", 2.0))]
    records += [quality("fp32", "pesq_wb", 2.0), quality("static_w8a8", "pesq_wb", 3.0), quality("dynamic_w8", "pesq_wb", 1.0, clips="other")]
    rows = rows_of(records)
    inside = front_of(rows, [BY_METRIC["pesq_wb"].objective, BY_METRIC["file_bytes"].objective])
    assert {row.recipe: kept for row, kept in zip(rows, inside, strict=True)} == {"fp32": False, "static_w8a8": True, "dynamic_w8": True}


def test_qat_is_compared_with_its_control_and_static_with_fp32():
    rows = rows_of(three_vocoders())
    references = {row.recipe: compare(rows, row, "pesq_wb").reference for row in rows if row.name == "diffwave-s" and row.recipe != "fp32"}
    assert references["static_w8a8"] == "fp32"
    assert references["qat_w8a8"] == "control_qat_w8a8"
    assert references["folded_qat_w8a8"] == "folded_control_qat_w8a8"
    assert references["folded_static_w8a8"] == "folded_fp32"
    difference = compare(rows, row_named(rows, "hifigan-s", "qat_w8a8"), "pesq_wb")
    assert difference.value == pytest.approx(-0.01)
    assert difference.half_width > 0 and difference.clips == 8


def test_folded_rows_get_no_credit_for_the_folding():
    rows = rows_of(three_vocoders())
    assert ratio(rows, row_named(rows, "diffwave-s", "folded_static_w8a8"), "file_bytes") == pytest.approx(1 / 0.27)
    assert ratio(rows, row_named(rows, "diffwave-s", "folded_fp32"), "file_bytes") == pytest.approx(2.5)


def test_compare_says_why_when_clips_differ_or_the_reference_is_missing():
    rows = rows_of([quality("fp32", "pesq_wb", 2.5), quality("static_w8a8", "pesq_wb", 2.5, clips="other"), quality("qat_w8a8", "pesq_wb", 2.5)])
    assert "different clips" in compare(rows, row_named(rows, "hifigan-s", "static_w8a8"), "pesq_wb").reason
    assert "control_qat_w8a8 has not been measured" in compare(rows, row_named(rows, "hifigan-s", "qat_w8a8"), "pesq_wb").reason


@pytest.mark.parametrize(
    ("lost", "louder", "noise", "outcome"),
    [(0.05, 0.01, 0.0, Outcome.KEPT), (0.05, 0.04, 0.0, Outcome.LOST), (0.15, 0.0, 0.0, Outcome.LOST), (0.05, 0.0, 0.1, Outcome.UNSURE)],
)
def test_verdict_of_static(lost, louder, noise, outcome):
    # Bounds: 0.10 PESQ and 5 % of 0.3 = 0.015. The noise alternates between four clips: its interval is 3.18 * 0.1155 / 2 = 0.18.
    clips = (2.4, 2.6, 2.3, 2.7)
    fp32 = [record("fp32", "pesq_wb", 2.5, samples=clips), record("fp32", "log_mel_l1", 0.3, samples=(0.3,) * 4)]
    pesq = tuple(clip - lost + noise * (-1) ** i for i, clip in enumerate(clips))
    static = [record("static_w8a8", "pesq_wb", 2.5 - lost, samples=pesq), record("static_w8a8", "log_mel_l1", 0.3 + louder, samples=(0.3 + louder,) * 4)]
    rows = rows_of([*fp32, *static])
    assert judge(rows, row_named(rows, "hifigan-s", "static_w8a8")).outcome is outcome


def test_verdict_says_when_the_vocoder_is_not_trained_enough():
    rows = rows_of(three_vocoders())
    table = key_table(rows)
    assert {cell(table, line.name, line.recipe, "Verdict").text for line in table.lines if line.name == "melgan-s"} == {"not trained enough to judge"}
    assert "melgan-s is not trained enough to judge" in headline(rows)


def test_absent_figures_show_a_dash_with_their_reason():
    table = key_table(rows_of(three_vocoders()))
    assert cell(table, "hifigan-s", "fp32", "Energy").text == "-"
    assert table.notes[0] == NO_ENERGY
    assert f"[1] {NO_ENERGY}" in table.markdown()
    assert "| - [1]" in table.markdown()


def test_tables_hold_what_was_measured_and_no_more():
    rows = rows_of([record("fp32", "file_bytes", 4e6), quality("fp32", "stoi", 0.9)])
    assert [heading.label for heading in quality_table(rows).headings] == ["STOI"]
    assert not cost_table(rows).headings
    assert "hifigan-s fp32 has not been measured for rtf" in key_table(rows).notes


def test_headline_when_nothing_is_quantized():
    assert "Nothing quantized" in headline(rows_of([record("fp32", "file_bytes", 4e6)]))


def test_columns_agree_with_the_registry_of_metrics():
    from vcompress.benchmarks.metrics import METRICS

    for metric in METRICS.values():
        assert (BY_METRIC[metric.name].sense, BY_METRIC[metric.name].kind) == ({"lower": "min", "higher": "max"}[metric.sense], "quality")


def test_column_of_a_graph_and_of_an_unknown_metric():
    assert column_of("file_bytes_step").label == "File size of step"
    assert (column_of("wattage", "W").label, column_of("wattage", "W").better) == ("wattage", "")


def test_speed_comes_from_interleaved_runs_where_there_are_any():
    race = record("static_w8a8", "speedup", 3.1, unit="x", settings={"threads": 1})
    table = key_table(rows_of([*vocoder("hifigan-s", 4e6, 0.048, 2.4, 0.3), race]))
    assert (cell(table, "hifigan-s", "static_w8a8", "Speed").text, cell(table, "hifigan-s", "static_w8a8", "Speed").sub) == ("3.10", "interleaved")
    assert cell(table, "hifigan-s", "qat_w8a8", "Speed").text == "2.50"


def test_a_target_on_which_int8_is_not_faster_says_so_in_verdict_and_headline():
    rows = rows_of([record("fp32", "rtf", 0.41, target="rpi-4b"), record("static_w8a8", "rtf", 0.44, target="rpi-4b")])
    assert "not faster than fp32 on rpi-4b: 0.93" in cell(key_table(rows), "hifigan-s", "static_w8a8", "Verdict").sub
    assert "static_w8a8 is not faster than fp32 on rpi-4b" in headline(rows)
    assert headline(rows).startswith("Measured as rpi-4b: ") and key_table(rows).caption.endswith("measured as rpi-4b")
    faster = rows_of([record("fp32", "rtf", 0.41), record("static_w8a8", "rtf", 0.3)])
    assert "not faster" not in headline(faster) and "not faster" not in key_table(faster).markdown()
