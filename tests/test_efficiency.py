"""How well a machine is used: its peak and the cache of it, shares of it, and what each layer computes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import CommandLine
from tiny_bench import BANDS, HOP, diffusion, gan

from vcompress.benchmarks import efficiency, peak
from vcompress.benchmarks.peak import Peaks, machine_peaks, measure_peaks
from vcompress.benchmarks.rtf import Timing
from vcompress.benchmarks.subject import BenchSettings, Subject

QUICK = BenchSettings(seconds=0.16, repeats=3, warmup=1)
MACS = 10 * BANDS * HOP  # of ten frames, 0.16 s
PEAKS = Peaks(int8=4e9, fp32=1e9)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    machine_peaks.cache_clear()
    yield tmp_path / "cache/vcompress/peaks.json"
    machine_peaks.cache_clear()


def test_both_peaks_are_measured() -> None:
    peaks = measure_peaks(1, shapes=((16, 3, 64),), seconds=0.01)
    assert peaks.int8 > 1e6 and peaks.fp32 > 1e6 and peaks.others >= 0


def test_a_peak_is_measured_once_for_each_number_of_threads(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(peak, "measure_peaks", lambda threads: asked.append(threads) or PEAKS)
    for threads in (1, 2, 1, 2):
        assert machine_peaks(threads) == PEAKS
        machine_peaks.cache_clear()  # as a new process would begin
    assert asked == [1, 2] and len(json.loads(cache.read_text())) == 2


def test_a_peak_that_others_disturbed_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "measure_peaks", lambda threads: replace(PEAKS, others=0.5))
    assert machine_peaks(1).others == 0.5 and not cache.exists()


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a": 3}', "[" * 100_000])
def test_a_damaged_cache_is_made_anew(cache: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(peak, "measure_peaks", lambda threads: PEAKS)
    cache.parent.mkdir(parents=True)
    cache.write_text(text)
    assert machine_peaks(1) == PEAKS and PEAKS.int8 in [kept["int8"] for kept in json.loads(cache.read_text()).values() if isinstance(kept, dict)]


def test_an_entry_of_the_cache_that_is_no_peak_is_measured_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "measure_peaks", lambda threads: PEAKS)
    machine_peaks(1)
    machine_peaks.cache_clear()
    cache.write_text(json.dumps({key: {"int8": -1, "fp32": "x"} for key in json.loads(cache.read_text())}))
    assert machine_peaks(1) == PEAKS


@pytest.mark.parametrize("recipe, macs_a_second, share", [("fp32", PEAKS.fp32, 0.0), ("static_w8a8", PEAKS.int8, 1.0)])
def test_the_share_is_of_the_peak_that_the_bits_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, macs_a_second: float, share: float) -> None:
    monkeypatch.setattr(efficiency, "machine_peaks", lambda threads: PEAKS)
    subject = Subject(gan(tmp_path, recipe), QUICK)
    subject.timings[1, ""] = Timing((0.2, 0.1, 0.4), (0.1, 0.1, 0.1), audio=0.16)
    found = {planned.metric: planned.measure() for planned in efficiency.plan(subject)}
    assert found["macs_reached"].value == pytest.approx(MACS / 0.2)
    assert found["peak_share"].value == pytest.approx(MACS / macs_a_second / 0.2)
    assert found["int8_mac_share"].value == share
    # the mel in 4 or 1 bytes and the channels laid out in time, both alive when the convolution runs
    assert found["peak_activation_bytes"].value >= 10 * (BANDS * (1 if share else 4) + HOP)


def test_a_peak_that_cannot_be_measured_is_absent_with_its_reason(tmp_path: Path) -> None:
    planned = {p.metric: p for p in efficiency.plan(Subject(gan(tmp_path), replace(QUICK, backend="torch-cuda")))}
    assert "its CPU" in planned["peak_share"].missing and not planned["macs_reached"].missing


def test_layers_are_listed_with_their_operations(vcompress: CommandLine, tmp_path: Path) -> None:
    artifact = diffusion(tmp_path / "a")
    document = json.loads(vcompress("layers", artifact.folder, "--json").out)
    assert [(row["graph"], row["kind"], row["calls"]) for row in document["layers"]] == [
        ("conditioner", "Conv", 1),
        ("step", "Conv", 6),
        ("step", "MatMul", 6),
    ]
    assert sum(row["macs_per_second"] for row in document["layers"]) == pytest.approx(document["macs_per_second"])
    text = vcompress("layers", artifact.folder).out
    assert "MMAC for a second of audio, 0.0 % of them in int8" in text and "conditioner" in text
    answer = vcompress("layers", tmp_path)
    assert (answer.code, answer.out) == (2, "") and "not an artifact" in answer.err
