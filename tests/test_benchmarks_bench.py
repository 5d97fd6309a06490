"""The bench: what it records, and that it measures nothing twice."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_bench import diffusion, gan, write_clips

from vcompress.benchmarks import quality
from vcompress.benchmarks.bench import bench
from vcompress.benchmarks.metrics import METRICS
from vcompress.benchmarks.records import Record
from vcompress.benchmarks.subject import BenchSettings
from vcompress.errors import VcompressError

SETTINGS = BenchSettings(seconds=0.1, repeats=3, warmup=1)
QUALITY = replace(SETTINGS, families=("quality",))
SLOW = ("dnsmos_ovrl", "frechet_dnsmos", "dnsmos_p808")


@pytest.fixture
def quick_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the metrics that take a network of their own."""
    monkeypatch.setattr(quality, "METRICS", {name: metric for name, metric in METRICS.items() if name not in SLOW})


def by_metric(records: list[Record], recipe: str = "fp32") -> dict[str, Record]:
    return {record.metric: record for record in records if record.recipe == recipe}


def test_every_metric_has_a_value_or_a_reason(tmp_path: Path) -> None:
    artifacts = [gan(tmp_path / "fp32"), gan(tmp_path / "int8", "static_w8a8")]
    found = by_metric(bench(artifacts, write_clips(tmp_path / "clips"), SETTINGS, tmp_path / "records.jsonl"), "static_w8a8")
    expected = {*METRICS, "snr_fp32", "file_bytes", "rtf", "cpu_seconds_per_second", "peak_memory", "energy", "executed_gflops_per_second"}
    assert expected <= set(found)
    assert all(record.reason for record in found.values() if record.value is None)
    assert found["pesq_wb"].value == pytest.approx(np.mean(found["pesq_wb"].samples)) and len(found["pesq_wb"].samples) == 2
    assert found["snr_fp32"].value > 20 and found["snr_fp32"].clips == found["pesq_wb"].clips
    assert found["rtf"].settings == {"threads": 1} and found["rtf"].environment["machine"]


def test_a_second_run_adds_no_line_and_again_measures_anew(tmp_path: Path, quick_metrics: None) -> None:
    path, clips = tmp_path / "records.jsonl", write_clips(tmp_path / "clips")
    artifacts = [gan(tmp_path / "int8", "static_w8a8"), gan(tmp_path / "fp32")]
    first = bench(artifacts, clips, SETTINGS, path)
    lines = path.read_text().splitlines()
    assert bench(artifacts, clips, SETTINGS, path) == first
    assert path.read_text().splitlines() == lines
    bench(artifacts[1:], clips, QUALITY, path, again=True)
    assert len(path.read_text().splitlines()) > len(lines)


def test_a_killed_run_goes_on_from_its_last_line(tmp_path: Path, quick_metrics: None) -> None:
    path, clips, artifact = tmp_path / "records.jsonl", write_clips(tmp_path / "clips"), gan(tmp_path / "fp32")

    def stop_at_pesq(done: int, total: int, name: str, record: Record | None) -> None:
        if name.endswith("pesq_wb"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench([artifact], clips, QUALITY, path, stop_at_pesq)
    kept = path.read_text()
    assert [line.count('"metric": "d_stft"') for line in kept.splitlines()] == [0, 0, 1]
    bench([artifact], clips, QUALITY, path)
    assert path.read_text().startswith(kept) and path.read_text().count('"metric": "d_stft"') == 1


def test_snr_is_absent_without_fp32_and_measured_once_it_is_there(tmp_path: Path, quick_metrics: None) -> None:
    path, clips = tmp_path / "records.jsonl", write_clips(tmp_path / "clips")
    int8, fp32 = gan(tmp_path / "int8", "static_w8a8"), gan(tmp_path / "fp32")
    alone = by_metric(bench([int8], clips, QUALITY, path), "static_w8a8")
    assert alone["snr_fp32"].value is None and "no fp32 artifact of hifigan-s" in alone["snr_fp32"].reason
    assert by_metric(bench([fp32, int8], clips, QUALITY, path), "static_w8a8")["snr_fp32"].value is not None
    assert by_metric(bench([int8], clips, QUALITY, path), "static_w8a8")["snr_fp32"].value is not None  # it still stands
    other = gan(tmp_path / "other", seed=1)
    again = by_metric(bench([other, int8], clips, QUALITY, path), "static_w8a8")["snr_fp32"]
    assert other.identity in again.method and again.value < 10


def test_a_folded_artifact_is_compared_with_folded_fp32(tmp_path: Path, quick_metrics: None) -> None:
    artifacts = [gan(tmp_path / recipe, recipe) for recipe in ("fp32", "folded_static_w8a8")]
    found = by_metric(bench(artifacts, write_clips(tmp_path / "clips"), QUALITY, tmp_path / "records.jsonl"), "folded_static_w8a8")
    assert "no folded_fp32 artifact" in found["snr_fp32"].reason


def test_diffusion_is_compared_with_fp32_step_by_step_with_the_same_noise(tmp_path: Path, quick_metrics: None) -> None:
    artifacts = [diffusion(tmp_path / "fp32"), diffusion(tmp_path / "static", "static_w8a8", damping=0.51)]
    found = by_metric(bench(artifacts, write_clips(tmp_path / "clips"), QUALITY, tmp_path / "records.jsonl"), "static_w8a8")
    steps = [found[f"snr_step_{n}"].value for n in range(5, -1, -1)]
    assert len(steps) == 6 and steps[0] > steps[-1] > 10  # other noise would leave 0 dB
    assert "snr_step_6" not in found


def test_a_package_that_comes_later_fills_the_absence(tmp_path: Path, quick_metrics: None, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clips, artifact = tmp_path / "records.jsonl", write_clips(tmp_path / "clips"), gan(tmp_path / "fp32")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pystoi", None)
        assert "pystoi is not installed" in by_metric(bench([artifact], clips, QUALITY, path))["stoi"].reason
    assert by_metric(bench([artifact], clips, QUALITY, path))["stoi"].value is not None


def test_audio_of_outputs_and_references_is_kept_beside_the_records(tmp_path: Path, quick_metrics: None) -> None:
    artifact = gan(tmp_path / "fp32")
    found = by_metric(bench([artifact], write_clips(tmp_path / "clips"), QUALITY, tmp_path / "records.jsonl"))
    for folder in (artifact.identity, f"reference-{found['d_stft'].clips}"):
        samples, rate = soundfile.read(tmp_path / "audio" / folder / "clip_1.wav")
        assert rate == 16000 and len(samples) == 1.5 * 16000 // 256 * 256
    # The reference is at the front end's level, -25 dB, as the vocoder heard it.
    assert 10 * np.log10(np.mean(samples**2)) == pytest.approx(-25, abs=0.2)


def test_clips_of_another_level_or_content_have_another_hash(tmp_path: Path) -> None:
    from tiny_bench import FRONT_END

    from vcompress.benchmarks.references import read_references

    clips = write_clips(tmp_path / "clips", 3)
    identities = {read_references(chosen, front_end).identity for chosen, front_end in (
        (clips, FRONT_END), (clips[:2], FRONT_END), (clips[::-1], FRONT_END), (clips, replace(FRONT_END, level_db=None)),
    )}  # fmt: skip
    assert len(identities) == 4
    assert read_references(clips, replace(FRONT_END, minimum=-1.0)).identity == read_references(clips, FRONT_END).identity


def test_clips_with_one_stem_keep_apart(tmp_path: Path) -> None:
    from vcompress.benchmarks.references import distinct_names

    assert distinct_names([*write_clips(tmp_path / "a"), *write_clips(tmp_path / "b")]) == ("clip_0", "clip_1", "clip_0-2", "clip_1-2")


def test_an_unknown_family_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(VcompressError, match="cannot measure 'beauty'"):
        bench([], [], replace(SETTINGS, families=("beauty",)), tmp_path / "records.jsonl")


def test_the_bench_starts_without_torch() -> None:
    code = "import sys, vcompress.benchmarks.bench, vcompress.benchmarks.quality; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
