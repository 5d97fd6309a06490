"""Boards with Linux under QEMU: a tiny vocoder as it runs on a Raspberry Pi 4, and what is said where that cannot be. The rest: make test-pi."""

import json
from pathlib import Path

import pytest
from conftest import CommandLine
from emulated import STATIC, decibels, exported, missing_tools, system_of
from tiny import tiny_artifact

from vcompress.benchmarks.workload import steady_mel
from vcompress.errors import VcompressError
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize
from vcompress.targets.profile import find_profile
from vcompress.targets.userlands import userland as module
from vcompress.targets.userlands.machines import Core, core_of, cores
from vcompress.targets.userlands.running import run
from vcompress.targets.userlands.userland import Userland, userland


@pytest.fixture(scope="module")
def pi() -> tuple[Userland, Core]:
    """A Raspberry Pi 4, without root."""
    if missing := missing_tools("qemu-aarch64"):
        pytest.skip(f"{', '.join(missing)} not installed; make test-pi installs what is needed")
    try:
        return system_of("cortex-a72")
    except VcompressError as error:
        pytest.skip(f"no userland here: {error}")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return exported("melgan", STATIC, tmp_path_factory.mktemp("artifact") / "melgan")


def test_a_vocoder_sounds_on_a_board_as_it_does_here(pi: tuple[Userland, Core], artifact: Artifact) -> None:
    mel = steady_mel(artifact.manifest.front_end, 4)
    here, there = synthesize(artifact, load("onnxruntime", artifact), mel), run(*pi, artifact, "onnxruntime", mel)
    assert decibels(here, there.waveform) > 35 and there.counts == () and "cortex-a72" in there.environment["simulator"]


def test_instructions_become_records(pi: tuple[Userland, Core], artifact: Artifact, vcompress: CommandLine, tmp_path: Path) -> None:
    answer = vcompress("simulate", artifact.folder, "--target", "rpi-4b", "--seconds", 0.1, "--workspace", tmp_path, "--json")
    assert answer.code == 0, answer.err
    figures = json.loads(answer.out)["figures"]
    counted, _, fast, slow = figures
    assert [figure["known"] for figure in figures] == ["simulated", "simulated", "modelled", "modelled"]
    assert counted["value"] > 1e5 and counted["repeats"] == 2 and counted["spread"] < 0.05 * counted["value"]
    low, high = pi[1].cycles
    clock = find_profile("rpi-4b").clock_hz.value
    assert (fast["value"], slow["value"]) == pytest.approx((counted["value"] * low / clock, counted["value"] * high / clock))
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 4


def test_what_fails_on_a_board_is_a_sentence(pi: tuple[Userland, Core]) -> None:
    with pytest.raises(VcompressError, match=r"failed under qemu-aarch64 -cpu cortex-a72 \(ZeroDivisionError: division by zero\)"):
        pi[0].python(pi[1], ["-c", "1 / 0"])
    with pytest.raises(VcompressError, match="did not end"):
        pi[0].python(pi[1], ["-c", "import time; time.sleep(60)"], longest=0.5)


@pytest.mark.parametrize(
    "target, core", [("rpi-1b", "arm1176"), ("rpi-2b", "cortex-a7"), ("rpi-3b", "cortex-a53"), ("rpi-4b", "cortex-a72"), ("rpi-5", "cortex-a76")]
)
def test_a_profile_names_its_core(target: str, core: str) -> None:
    found = core_of(find_profile(target))
    assert found.name == core
    text = found.cpuinfo()
    assert text.count("processor\t:") == 4 and f"CPU part\t: {found.part}\n" in text and ("asimddp" in text) == (core == "cortex-a76")


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("--target", "desktop-cpu"), "is a cpu, which"),
        (("--target", "rpi-9"), "There is no target 'rpi-9'"),
        (("--target", "rpi-2b", "--backend", "onnxruntime"), "has no wheel for armhf"),
        (("--target", "rpi-4b", "--backend", "tflite_runtime"), "has no wheel for arm64"),
    ],
)
def test_what_cannot_be_simulated_is_a_sentence(words: tuple[str, ...], sentence: str, vcompress: CommandLine, tmp_path: Path) -> None:
    answer = vcompress("simulate", tiny_artifact(tmp_path / "artifact").folder, *words, "--workspace", tmp_path)
    assert answer.code == 2 and sentence in answer.err and len(answer.err.strip().splitlines()) == 1
    assert not (tmp_path / "records.jsonl").exists()


def test_a_missing_tool_names_its_package_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    core = cores()["cortex-a72"]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VcompressError, match="mmdebstrap is not installed; install it with: apt-get install mmdebstrap"):
        userland(core.architecture, core, tmp_path / "cache")
    assert not list(tmp_path.rglob("root"))


def test_a_userland_is_there_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    core = cores()["cortex-a72"]

    def unpack(architecture: object, root: Path, packages: object) -> None:
        root.mkdir()
        raise VcompressError("mmdebstrap cannot unpack Debian's packages (no network); check the network.")

    monkeypatch.setattr(module, "unpack", unpack)
    monkeypatch.setattr(module, "tool", lambda name: name)
    with pytest.raises(VcompressError, match="no network"):
        userland(core.architecture, core, tmp_path)
    assert not list((tmp_path / "userlands").iterdir())
