"""What the page says of targets, and its verdict line, from records of every kind."""

import pytest
from synthetic_records import on_targets, record, three_vocoders, vocoder

from vcompress.benchmarks.columns import TIMES
from vcompress.benchmarks.lead import lead, sentence
from vcompress.benchmarks.prospects import Prospect, targets_of
from vcompress.benchmarks.rows import row_named, rows_of


def prospect(*records) -> Prospect:
    (target,) = targets_of(records)
    (found,) = target.prospects
    return found


def on(target: str, metric: str, value: float | None, known: str = "modelled", **changes):
    backend = {"modelled": "model", "simulated": "c"}.get(known, "onnxruntime")
    return record("static_w8a8", metric, value, **{"known": known, "target": target, "backend": backend, **changes})


def test_ends_of_a_modelled_rtf_make_a_range() -> None:
    found = prospect(*(on("rpi-4b", "rtf", value, settings={"end": end}) for end, value in (("fast", 0.8), ("slow", 1.2))))
    span = found.span("rtf")
    assert span is not None and (span.low, span.high, span.known) == (0.8, 1.2, "modelled") and found.speed == "real time in doubt"


@pytest.mark.parametrize("known", ["measured", "simulated"])
def test_the_surest_figure_stands(known: str) -> None:
    found = prospect(on("pico", "rtf", 0.4), on("pico", "rtf", 3.0, known), on("pico", "rtf", 0.5, settings={"end": "slow"}))
    span = found.span("rtf")
    assert span is not None and (span.low, span.known) == (3.0, known) and found.speed == "slower than real time"


def test_what_is_reckoned_from_counts_stands_before_what_is_reckoned_from_graphs() -> None:
    found = prospect(on("rpi-4b", "rtf", 0.2), on("rpi-4b", "rtf", 0.6, backend="onnxruntime", settings={"threads": 1, "end": "fast"}))
    assert found.span("rtf") and found.span("rtf").low == 0.6


def test_an_absent_surer_figure_leaves_the_other() -> None:
    found = prospect(on("pico", "energy", 0.1), on("pico", "energy", None, "measured", reason="no meter"))
    assert found.span("energy") and found.span("energy").known == "modelled"
    assert prospect(on("pico", "energy", None, reason="no meter")).reason("energy") == "no meter"


def test_fits_says_how_many_times_too_large() -> None:
    found = prospect(on("pico", "flash_bytes", 4.2e6), on("pico", "flash_budget_bytes", 2e6), on("pico", "ram_bytes", 1e3), on("pico", "ram_budget_bytes", 2e5))
    assert (found.fits.answer, found.fits.words) == (False, f"does not fit: flash 2.1{TIMES}")


def test_linked_bytes_fit_without_a_doubt_and_are_held_against_the_budget() -> None:
    budgets = [on("pico", f"{memory}_budget_bytes", 2e5) for memory in ("flash", "ram")]
    linked = [on("pico", f"{memory}_bytes", 1e5, "simulated") for memory in ("flash", "ram")]
    assert prospect(*budgets, *linked).fits.words == "fits" and prospect(*budgets, *linked).fits.known == "simulated"
    assert prospect(*linked).fits.answer is None  # without a budget nothing is said


def test_an_artifact_whose_ram_cannot_be_told_does_not_run_on_a_microcontroller() -> None:
    unknown = on("pico", "ram_bytes", None, reason="reflect padding cannot stream")
    assert prospect(unknown, on("pico", "ram_budget_bytes", 1e5)).fits.answer is False
    assert prospect(on("pico", "ram_bytes", None, reason="known of an artifact only", artifact="")).fits.answer is None


def test_another_back_end_of_the_machine_stands_beside_the_rows_and_not_in_the_verdict_line() -> None:
    records = [*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), on("host", "rtf", 0.002, "measured", backend="torch-cuda:fp16", time="2024-01-01T00:00:00")]
    rows = rows_of(records)
    (target,) = targets_of(records, rows)
    assert (target.name, target.other) == ("torch-cuda:fp16 on bench-1", True)
    assert [(found.recipe, found.span("rtf").low) for found in target.prospects] == [("static_w8a8", 0.002)]
    assert "torch" not in "".join(phrase.text for phrase in lead(rows, [target]))


def test_the_machine_itself_and_the_papers_are_no_targets() -> None:
    assert targets_of([record("fp32", "rtf", 1.0), record("fp32", "rtf", 1.0, known="published", target="RTX A5000")]) == []


def test_what_was_measured_on_another_machine_than_the_board_is_not_said_of_the_board() -> None:
    records = [*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), on("rpi-4b on ANOTHER machine", "rtf", 0.1, "measured", time="2024-01-01T00:00:00")]
    (target,) = targets_of(records, rows_of(records))
    assert target.other and "rpi" not in "".join(phrase.text for phrase in lead(rows_of(records), [target]))


def test_verdict_line_names_the_targets_and_how_they_are_known() -> None:
    records = [*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), *on_targets()]
    rows = rows_of(records)
    row = row_named(rows, "hifigan-s", "qat_w8a8")
    assert row is not None
    phrases = sentence(rows, row, targets_of(records))
    text = "".join(phrase.text for phrase in phrases)
    saved = f"int8 QAT HiFi-GAN S is 3.7{TIMES} smaller and 2.5{TIMES} faster than fp32 for 0.01 PESQ against its control"
    assert text == f"{saved}; real time on rpi-4b and rpi-5, not on rpi-2b and pico."
    assert [phrase.known for phrase in phrases if "real time" in phrase.text] == ["modelled"]


def test_verdict_line_says_what_is_slower_and_what_cannot_be_judged() -> None:
    rows = rows_of([r for r in three_vocoders() if r.name == "melgan-s" and "static" not in r.recipe])
    assert "not trained enough for its quality to be judged" in "".join(phrase.text for phrase in lead(rows, []))
    slow = rows_of([record("fp32", "rtf", 1.0), record("static_w8a8", "rtf", 2.0)])
    assert "".join(phrase.text for phrase in lead(slow, [])) == f"Static int8 HiFi-GAN S is 2.0{TIMES} slower than fp32; its PESQ was not compared."
    assert lead(rows_of([record("fp32", "rtf", 1.0)]), []) == []
