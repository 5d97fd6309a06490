"""What the conditioner saves by being computed once, and the memory of an export: the benchmarks behind docs/flows.md."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_bench import FRONT_END, diffusion_models, quantized_model, write_artifact

from vcompress.benchmarks import conditioners, export_memory
from vcompress.benchmarks.export_memory import peak_of
from vcompress.benchmarks.flops import executed_gflops_per_second
from vcompress.errors import VcompressError
from vcompress.runtime.backends import load
from vcompress.runtime.samplers import make_sampler
from vcompress.runtime.synthesis import synthesize


def test_a_conditioner_at_every_call_is_the_same_waveform_and_more_operations(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path, diffusion_models(), "fp32", "diffwave")
    found = conditioners.measure("diffwave-s", artifact, 0.1, 3)
    calls = make_sampler(artifact.manifest.sampler, FRONT_END.hop_length).calls["step"]
    frames = FRONT_END.sample_rate / FRONT_END.hop_length
    conditioner = 2e-9 * FRONT_END.n_mels * FRONT_END.hop_length * frames  # a 1x1 convolution from mel to samples
    assert found.calls == calls
    assert found.gflops_once == pytest.approx(executed_gflops_per_second(artifact))
    assert found.gflops_every - found.gflops_once == pytest.approx((calls - 1) * conditioner, rel=1e-3)
    assert found.share == pytest.approx(conditioner / (found.gflops_every / calls), rel=1e-3)
    assert found.seconds_every > 0 and found.seconds_once > 0 and found.gain > 0
    session, mel = load("onnxruntime", artifact, 1), np.full((FRONT_END.n_mels, 3), 0.5, np.float32)
    assert np.array_equal(synthesize(artifact, session, mel), synthesize(artifact, conditioners.Repeated(session), mel))
    row = [cell.strip() for cell in conditioners.markdown([found]).splitlines()[-1].split("|")]
    assert row[1:5] == ["diffwave-s", "fp32", f"{calls}", f"{100 * found.share:.0f} %"]


def test_what_has_no_conditioner_is_refused(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path, {"network": quantized_model()}, "static_w8a8")
    with pytest.raises(VcompressError, match="has no conditioner beside"):
        conditioners.measure("hifigan-s", artifact, 0.1, 3)


def test_the_peak_is_that_of_the_command() -> None:
    small, large = peak_of("nothing", ["-c", "pass"]), peak_of("much", ["-c", f"bytearray(b'1') * {1 << 28}"])
    assert (1 << 27) < large.bytes - small.bytes < (1 << 29)
    with pytest.raises(VcompressError, match="a lie ended with 3"):
        peak_of("a lie", ["-c", "raise SystemExit(3)"])


def test_export_memory_runs_the_commands_of_a_user(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: list[list[str]] = []

    def noted(command: str, arguments: list[str]) -> export_memory.Peak:
        given.append(arguments)
        return export_memory.Peak(command, 10**9, 1.0)

    monkeypatch.setattr(export_memory, "peak_of", noted)
    assert export_memory.main(["waveglow", "--size", "L", "--data", "here", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["command"].split(" --")[0] for row in rows] == ["vcompress quantize waveglow", "vcompress export", "vcompress export"]
    assert [arguments[:3] for arguments in given[1:]] == [["-m", "vcompress", command] for command in ("quantize", "export", "export")]
    assert given[1][-4:-2] == ["--data", "here"] and "--int8" in given[3] and sys.executable not in given[1]
    assert export_memory.main(["wavegloe"]) == 2 and "wavegloe" in capsys.readouterr().err
