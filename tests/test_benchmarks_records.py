"""Records survive what happens to files."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vcompress.benchmarks.records import Record, append_record, read_records

WORDS = st.text(max_size=20)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
RECORDS = st.builds(
    Record,
    **{name: WORDS for name in ("artifact", "name", "family", "size", "recipe", "backend", "target", "metric", "unit", "method", "clips", "time")},
    value=FINITE | st.none(),
    reason=st.text(min_size=1),
    spread=FINITE | st.none(),
    settings=st.dictionaries(WORDS, st.integers() | WORDS | st.booleans(), max_size=3),
    samples=st.lists(FINITE, max_size=4).map(tuple),
    environment=st.dictionaries(WORDS, WORDS, max_size=3),
)


def record(metric: str, value: float = 1.0) -> Record:
    return Record("0123", "hifigan-s", "hifigan", "S", "fp32", "onnxruntime", "host", metric, value, "1")


@given(RECORDS)
def test_a_record_is_one_line_and_comes_back_equal(record: Record) -> None:
    line = record.to_line()
    assert line.count("\n") == 1 and line.endswith("\n")
    assert Record.from_line(line) == record


@given(st.integers(1, 200))
def test_a_truncated_last_line_loses_only_itself(tmp_path_factory, cut: int) -> None:
    path: Path = tmp_path_factory.mktemp("records") / "records.jsonl"
    for metric in ("a", "b", "c"):
        append_record(path, record(metric))
    path.write_bytes(path.read_bytes()[:-cut])
    survivors = [r.metric for r in read_records(path)]
    assert survivors == (["a", "b", "c"] if cut == 1 else ["a", "b"])  # the newline alone is no loss
    append_record(path, record("d"))
    assert [r.metric for r in read_records(path)] == [*survivors, "d"]


def test_the_later_of_two_records_of_one_figure_stands(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        append_record(tmp_path / "records.jsonl", record("rtf", value))
    assert [r.value for r in read_records(tmp_path / "records.jsonl")] == [2.0]
