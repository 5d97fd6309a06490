"""Files of records: checked line by line, merged without doubling, written as tables."""

import csv
import json
import sys
from pathlib import Path

import pytest
from conftest import CommandLine
from hypothesis import given
from hypothesis import strategies as st
from synthetic_records import record, three_vocoders
from test_benchmarks_records import RECORDS

from vcompress.benchmarks.record_files import check_file, merge, problem_of, read_file, select, write_csv, write_parquet, write_records
from vcompress.benchmarks.records import SCHEMA, read_records, standing
from vcompress.benchmarks.rows import rows_of
from vcompress.errors import VcompressError


def line_with(**changes: object) -> str:
    """A good line with other entries; None takes one out."""
    raw = json.loads(record("fp32", "rtf", 0.5).to_line()) | changes
    return json.dumps({key: value for key, value in raw.items() if key not in changes or value is not None})


@given(RECORDS)
def test_a_record_has_no_problem(record) -> None:
    assert problem_of(record.to_line()) == ""


@pytest.mark.parametrize("line, words", [
    (record("fp32", "rtf", 0.5).to_line()[:-5], "no JSON"),
    ("[1, 2]", "no record"),
    (line_with(metric=None), "has no metric"),
    (line_with(schema=None), "has no schema"),
    (line_with(schema=SCHEMA + 1), f"schema {SCHEMA + 1}, this vcompress reads up to {SCHEMA}"),
    (line_with(schema="one"), "no version"),
    (line_with(colour="red"), "colour"),
    (line_with(value="fast"), "value of the wrong kind: 'fast'"),
    (line_with(value=True), "value of the wrong kind"),
    (line_with(name=3), "name of the wrong kind"),
    (line_with(samples=[1, "x"]), "samples of the wrong kind"),
    (line_with(environment={"cores": 2}), "environment of the wrong kind"),
    (line_with(known="guessed"), "guessed"),
    (line_with(value=float("nan")), "is nan"),
    (json.dumps(json.loads(line_with()) | {"value": None}), "neither a value nor a reason"),
])  # fmt: skip
def test_what_is_wrong_with_a_line_is_said(line: str, words: str) -> None:
    assert words in problem_of(line)


def test_problems_come_with_the_number_of_their_line(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(record("fp32", "rtf", 1.0).to_line() + "\n" + "nonsense\n" + record("fp32", "energy", 1.0).to_line())
    lines, problems = check_file(path)
    assert lines == 3 and [problem.line for problem in problems] == [3]  # an empty line is no problem, and counts as a line of the file


@given(st.lists(RECORDS, max_size=6), st.lists(RECORDS, max_size=6))
def test_merging_keeps_every_figure_once(a, b) -> None:
    merged = merge([a, b])
    assert sorted(r.key for r in merged) == sorted({r.key for r in [*a, *b]})
    assert merge([merged]) == merged and merge([merged, merged]) == merged
    assert {r.key: r.time for r in merged} == {r.key: max(o.time for o in [*a, *b] if o.key == r.key) for r in merged}


def test_of_two_records_of_one_figure_the_later_stands_whichever_file_is_first() -> None:
    old, new = record("fp32", "rtf", 2.0, time="2025-01-01T00:00:00"), record("fp32", "rtf", 1.0, time="2025-06-01T00:00:00")
    assert merge([[new], [old]]) == merge([[old], [new]]) == [new]


def test_figures_of_two_machines_both_stand() -> None:
    here, there = record("fp32", "rtf", 2.0), record("fp32", "rtf", 9.0, environment={"machine": "board"})
    assert merge([[here], [there]]) == [here, there]


def test_selecting() -> None:
    records = three_vocoders()
    found = select(records, name="hifigan-s", metric="rtf", recipe=None, machine="bench-1")
    assert found and {(r.name, r.metric) for r in found} == {("hifigan-s", "rtf")}
    assert select(records, machine="elsewhere") == []


def test_a_table_has_every_record_and_field(tmp_path: Path) -> None:
    records = [record("fp32", "rtf", 0.1, settings={"threads": 2}, samples=(0.1, 0.3)), record("fp32", "energy", None, reason="no meter")]
    write_csv(tmp_path / "table.csv", records)
    with (tmp_path / "table.csv").open(newline="") as lines:
        first, second = csv.DictReader(lines)
    assert (first["value"], json.loads(first["settings"]), json.loads(first["samples"])) == ("0.1", {"threads": 2}, [0.1, 0.3])
    assert (second["value"], second["reason"]) == ("", "no meter")


def test_parquet_has_every_record_and_field(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    write_parquet(tmp_path / "table.parquet", [record("fp32", "rtf", 0.1, samples=(0.1, 0.3)), record("fp32", "energy", None, reason="no meter")])
    first, second = parquet.read_table(tmp_path / "table.parquet").to_pylist()
    assert (first["value"], first["samples"], first["schema"]) == (0.1, [0.1, 0.3], SCHEMA)
    assert (second["value"], second["reason"], second["samples"]) == (None, "no meter", [])


# --- the command -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    write_records(path, three_vocoders())
    return path


def test_ls_and_show(vcompress: CommandLine, file: Path) -> None:
    rows = json.loads(vcompress("records", "ls", file, "--json").out)
    assert sum(row["figures"] + row["absent"] for row in rows) == len(list(standing(three_vocoders())))
    assert {row["machine"] for row in rows} == {"bench-1"} and "bench-1" in vcompress("records", "ls", "--workspace", file.parent).out
    shown = json.loads(vcompress("records", "show", file, "--name", "melgan-s", "--recipe", "fp32", "--metric", "rtf", "--json").out)
    assert [(r["metric"], r["settings"]["threads"]) for r in shown] == [("rtf", 1), ("rtf", 2)]
    assert "absent: no RAPL" in vcompress("records", "show", file, "--metric", "energy").out


def test_merge_writes_each_figure_once(vcompress: CommandLine, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "board.jsonl"
    write_records(other, [record("fp32", "rtf", 9.0, environment={"machine": "board"})])
    answer = vcompress("records", "merge", file, other, file, "-o", tmp_path / "all.jsonl", "--json")
    assert answer.code == 0 and json.loads(answer.out)["records"] == len(read_file(file)) + 1
    again = vcompress("records", "merge", tmp_path / "all.jsonl", other, "-o", tmp_path / "all.jsonl")  # onto one of its own sources
    assert again.code == 0 and len(read_records(tmp_path / "all.jsonl")) == len(read_file(file)) + 1


def test_merge_says_what_it_passes_over(vcompress: CommandLine, file: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl").write_text('{"artifact": "01')
    answer = vcompress("records", "merge", file, tmp_path / "cut.jsonl", "-o", tmp_path / "all.jsonl")
    assert answer.code == 0 and "1 lines that are no records" in answer.err


def test_export_writes_a_table(vcompress: CommandLine, file: Path, tmp_path: Path) -> None:
    assert vcompress("records", "export", file, "--csv", tmp_path / "table.csv").code == 0
    assert len(list(csv.reader((tmp_path / "table.csv").open(newline="")))) == len(read_file(file)) + 1


def test_check_ends_with_2_and_names_the_lines(vcompress: CommandLine, file: Path) -> None:
    good = vcompress("records", "check", file)
    assert good.code == 0 and f"schema {SCHEMA}" in good.out
    with file.open("a") as lines:
        lines.write(line_with(value="fast") + "\n")
    bad = vcompress("records", "check", file)
    assert bad.code == 2 and "value of the wrong kind" in bad.out and len(bad.err.splitlines()) == 1
    assert len(json.loads(vcompress("records", "check", file, "--json").out)["problems"]) == 1


def test_parquet_without_its_package_is_said_in_a_sentence(vcompress: CommandLine, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = vcompress("records", "export", file, "--parquet", tmp_path / "table.parquet")
    assert answer.code == 2 and "vcompress[parquet]" in answer.err and not (tmp_path / "table.parquet").exists()


@pytest.mark.parametrize("arguments", [("ls",), ("show",), ("check",), ("export", "--csv", "x.csv")], ids=lambda arguments: arguments[0])
def test_a_file_that_is_not_there_is_said_in_a_sentence(vcompress: CommandLine, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    answer = vcompress("records", *arguments, "--workspace", tmp_path / "nowhere")
    assert (answer.code, answer.out) == (2, "") and "cannot be read" in answer.err and len(answer.err.splitlines()) == 1


def test_export_to_nothing_is_said_in_a_sentence(vcompress: CommandLine, file: Path) -> None:
    assert "--csv" in vcompress("records", "export", file).err
    with pytest.raises(VcompressError):
        read_file(file.parent)  # a folder


@pytest.mark.parametrize("command", ["ls", "show", "export", "merge", "check"])
def test_every_command_has_an_example(vcompress: CommandLine, command: str) -> None:
    answer = vcompress("records", command, "--help")
    assert answer.code == 0 and f"Example: vcompress records {command}" in answer.out


HOSTILE = {
    "an array in an array, a thousand times": "[" * 100_000,
    "settings as deep": line_with(settings={"a": 0}).replace('{"a": 0}', '{"a": ' + "[" * 300 + "]" * 300 + "}"),
    "a schema without end": line_with().replace(f'"schema": {SCHEMA}', '"schema": 1e999'),
    "a schema in words": line_with(schema="1"),
    "a number too large for a float": line_with().replace('"value": 0.5', f'"value": {10**400}'),
    "repeats too large for a table": line_with(repeats=10**30),
    "a value without end": line_with().replace('"value": 0.5', '"value": 1e999'),
    "a spread that is no number": line_with().replace('"spread": null', '"spread": NaN'),
    "a setting without end": line_with(settings={"a": 0}).replace('{"a": 0}', '{"a": -Infinity}'),
    "samples without end": line_with(samples=[1, 2]).replace("[1, 2]", "[1, 1e999]"),
    "half a character": line_with(name="\ud800"),
    "a time that is none": line_with(time=5),
    "an environment that is a list": line_with(environment=[]),
    "an environment of lists": line_with(environment={"machine": []}),
    "settings that are a list": line_with(settings=[1]),
    "samples that are a text": line_with(samples="12"),
    "a record in a record": json.dumps({"schema": SCHEMA, "record": json.loads(line_with())}),
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_is_passed_over_and_named(tmp_path: Path, vcompress: CommandLine, line: str) -> None:
    good = record("fp32", "energy", 1.0)
    path = tmp_path / "records.jsonl"
    path.write_text(line.strip() + "\n" + good.to_line())
    assert problem_of(line) and read_records(path) == [good] and merge([read_file(path)]) == [good]
    check = vcompress("records", "check", path)
    assert check.code == 2 and check.out.startswith("line 1 ") and len(check.err.splitlines()) == 1
    write_csv(tmp_path / "table.csv", read_file(path))
    assert vcompress("records", "show", path, "--json").code == 0


def test_separators_inside_a_text_are_no_ends_of_lines(tmp_path: Path) -> None:
    strange = record("fp32", "energy", None, reason="a\u2028b\x0bc\x85d")
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(json.loads(strange.to_line()), ensure_ascii=False) + "\n", encoding="utf-8")
    assert check_file(path) == (1, []) and read_records(path) == [strange]


def test_what_would_steer_a_terminal_is_not_printed(vcompress: CommandLine, tmp_path: Path) -> None:
    write_records(tmp_path / "records.jsonl", [record("fp32", "energy", None, reason="\x1b[2J\x07gone")])
    out = vcompress("records", "show", tmp_path / "records.jsonl").out
    assert "?[2J?gone" in out and "\x1b" not in out


def test_a_device_is_no_file_of_records(vcompress: CommandLine) -> None:
    for command in ("check", "ls", "show"):
        answer = vcompress("records", command, "/dev/zero")
        assert answer.code == 2 and "it is no file" in answer.err


def test_a_usual_figure_stands_before_one_of_a_preset() -> None:
    usual, papers = record("fp32", "rtf", 0.5, settings={"threads": 1}), record("fp32", "rtf", 0.4, settings={"threads": 1, "protocol": "papers"})
    for order in ([usual, papers], [papers, usual]):
        assert rows_of(order)[0].figure("rtf") == usual
    assert rows_of([papers])[0].figure("rtf") == papers


@pytest.mark.parametrize("place", ["/", "records.jsonl", "both"])
def test_a_table_is_not_written_over_the_records_or_a_folder(vcompress: CommandLine, tmp_path: Path, place: str) -> None:
    records = tmp_path / "records.jsonl"
    write_records(records, [record("fp32", "rtf", 0.5)])
    before = records.read_bytes()
    tables = ("--csv", tmp_path / "a", "--parquet", tmp_path / "a") if place == "both" else ("--csv", tmp_path / place)
    answer = vcompress("records", "export", records, *tables)
    assert (answer.code, answer.out) == (2, "") and len(answer.err.splitlines()) == 1 and records.read_bytes() == before
    assert vcompress("records", "merge", records, "-o", "/").code == 2
