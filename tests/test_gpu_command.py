"""`python -m vcompress.benchmarks.gpu`, with the back end that a machine without a GPU has."""

import sys
from pathlib import Path

import pytest
from machines import fake_nvml
from tiny_bench import diffusion, gan, write_clips

from vcompress.benchmarks import gpu, subject
from vcompress.benchmarks.bench import bench
from vcompress.benchmarks.energy.nvml import gpu_name
from vcompress.benchmarks.record_files import check_file
from vcompress.benchmarks.records import Record, read_records
from vcompress.benchmarks.rows import rows_of
from vcompress.benchmarks.subject import BenchSettings


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tiny artifacts in the place of real ones."""

    def made(maker: gpu.Maker, recipe: str) -> object:
        folder = tmp_path / "made" / gpu.name_of(maker.configuration) / recipe
        return diffusion(folder, recipe) if maker.configuration.family == "diffwave" else gan(folder, recipe)

    monkeypatch.setattr(gpu.Maker, "artifact", made)


def taken(tmp_path: Path, *more: object) -> list[Record]:
    out = tmp_path / "results" / "machine.jsonl"
    assert gpu.main([*map(str, ("--out", out, "--workspace", tmp_path, "--quick", "--only", "hifigan-s", *more))]) == 0
    assert check_file(out)[1] == []
    return read_records(out)


def test_all_that_a_back_end_runs_is_measured_and_kept_small(tmp_path: Path, tiny: None) -> None:
    found = taken(tmp_path, "--backend", "torch-cpu:fp32", "--backend", "torch-cpu:bf16", "--only", "diffwave-s")
    timed = [record for record in found if record.metric == "rtf"]
    assert {(record.family, record.backend) for record in timed} == {(f, b) for f in ("hifigan", "diffwave") for b in ("torch-cpu:fp32", "torch-cpu:bf16")}
    assert all(record.value and not record.samples and record.environment["machine"] for record in timed)
    assert {record.metric for record in found} <= set(gpu.KEPT) and len(read_records(tmp_path / "gpu" / "records.jsonl")) > len(found)
    assert rows_of(found)


def test_a_second_call_goes_on_and_measures_nothing_twice(tmp_path: Path, tiny: None) -> None:
    first = taken(tmp_path, "--backend", "torch-cpu:fp32")
    assert taken(tmp_path, "--backend", "torch-cpu:fp32") == first


def test_what_cannot_run_is_absent_with_its_reason(tmp_path: Path, tiny: None) -> None:
    found = taken(tmp_path, "--backend", "torch-cpu:graphs", "--backend", "torch-cpu:fp32")
    absent = next(record for record in found if record.backend == "torch-cpu:graphs")
    assert absent.value is None and "CUDA graphs are of GPUs" in absent.reason
    assert any(record.value for record in found)


def test_recordings_make_it_the_papers_protocol(tmp_path: Path, tiny: None) -> None:
    for folder in ("a", "b"):
        write_clips(tmp_path / "data" / folder, count=30, seconds=0.2)
    found = taken(tmp_path, "--backend", "torch-cpu:fp32", "--data", tmp_path / "data")
    assert {record.settings.get("protocol") for record in found if record.metric == "synthesis_time_100s"} == {"papers"}


def test_an_unknown_back_end_ends_before_anything_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--out", str(tmp_path / "x.jsonl"), "--workspace", str(tmp_path), "--backend", "cuda"]) == 2
    assert "no back end 'cuda'" in capsys.readouterr().err and not (tmp_path / "x.jsonl").exists()


def test_records_of_a_gpu_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    monkeypatch.setattr(subject, "on_a_gpu", lambda backend: True)
    (named,) = bench([gan(tmp_path / "a")], [], BenchSettings(seconds=0.1, repeats=3, warmup=1, families=("flops",)), tmp_path / "records.jsonl")
    assert named.environment["gpu"] == "Example GPU"
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_name() == ""
