"""`vcompress simulate`: instructions counted on the processors of Raspberry Pis."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from emulated import FP32, STATIC, CommandLine, Make

from vcompress.runtime.artifact import Artifact
from vcompress.targets.fit import fit
from vcompress.targets.profile import find_profile
from vcompress.targets.workload import workload_of

pytestmark = pytest.mark.pi
REPEATABLE = 0.02  # ONNX Runtime's counts vary by up to 1.3 %


TARGETS = ("rpi-3b", "rpi-4b", "rpi-5")
Figures = list[dict[str, Any]]


def simulate(vcompress: CommandLine, workspace: Path, artifact: Artifact, targets: Sequence[str], seconds: float = 1.0) -> Figures:
    words = [word for target in targets for word in ("--target", target)]
    answer = vcompress("simulate", artifact.folder, *words, "--seconds", seconds, "--workspace", workspace, "--json")
    assert answer.code == 0, answer.err
    figures: Figures = json.loads(answer.out)["figures"]
    return figures


def value(figures: Figures, metric: str, target: str) -> float:
    found: float = next(figure["value"] for figure in figures if (figure["metric"], figure["target"]) == (metric, target))
    return found


@pytest.mark.parametrize("name", ["vocos-nano", "melgan-s"])
def test_instructions_are_counted_on_every_core(artifact: Make, name: str, vcompress: CommandLine, tmp_path: Path) -> None:
    per_second = {}
    for recipe in (STATIC, FP32):
        figures = simulate(vcompress, tmp_path, artifact(name, recipe), TARGETS)
        for figure in figures:
            assert figure["known"] == ("modelled" if figure["metric"] == "rtf" else "simulated") and figure["value"] > 0
            assert figure["spread"] <= REPEATABLE * figure["value"]
        per_second[recipe] = [value(figures, "instructions_per_second", target) for target in TARGETS]
        for target in TARGETS:
            _agrees_with_the_roofline(figures, artifact(name, recipe), target)
    a53, a72, a76 = per_second[STATIC]
    assert a76 < a72 and a53 == pytest.approx(a72, rel=0.3)  # a dot product is one instruction on a Cortex-A76
    records = map(json.loads, (tmp_path / "records.jsonl").read_text().splitlines())
    assert {record["metric"] for record in records} == {"instructions_per_second", "instructions_per_mac", "rtf"}


def _agrees_with_the_roofline(figures: Figures, artifact: Artifact, target: str) -> None:
    """The range that is reckoned from the graph, and that from the instructions, have RTFs in common."""
    ends = [figure["value"] for figure in figures if (figure["metric"], figure["target"]) == ("rtf", target)]
    modelled = fit(find_profile(target), workload_of(artifact, 1.0)).speed
    assert modelled.fast is not None and modelled.slow is not None
    assert modelled.fast <= max(ends) and min(ends) <= modelled.slow


def test_a_longer_clip_costs_as_much_a_second(artifact: Make, vcompress: CommandLine, tmp_path: Path) -> None:
    short, long = (simulate(vcompress, tmp_path, artifact("vocos-s", STATIC), ["rpi-4b"], seconds) for seconds in (1.0, 2.0))
    assert value(long, "instructions_per_second", "rpi-4b") == pytest.approx(value(short, "instructions_per_second", "rpi-4b"), rel=0.1)


def test_a_board_of_32_bits_runs_tflite(artifact: Make, vcompress: CommandLine, tmp_path: Path) -> None:
    figures = simulate(vcompress, tmp_path, artifact("vocos-nano", STATIC), ["rpi-2b"])
    assert {figure["backend"] for figure in figures} == {"tflite_runtime"} and value(figures, "instructions_per_second", "rpi-2b") > 1e6
