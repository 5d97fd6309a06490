"""`vcompress bench --host` against a real sshd in the userlands of Raspberry Pis."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulated import STATIC, CommandLine, Make
from sshd import Board, board, enable_binfmt

from vcompress.runtime.artifact import Artifact

pytestmark = [pytest.mark.pi, pytest.mark.skipif(os.geteuid() != 0, reason="chroot and binfmt need root; run make test-pi as root")]
LONGEST = 600.0  # seconds: the first bench has pip make an environment there


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A Raspberry Pi 4 with a 64-bit system."""
    enable_binfmt()
    with board("cortex-a72", "Raspberry Pi 4 Model B Rev 1.4", tmp_path_factory.mktemp("pi4")) as found:
        yield found


def bench(there: Board, config: Path, workspace: Path, artifact: Artifact, *words: object) -> list[str]:
    command = ["bench", artifact.folder, "--target", "rpi-4b", "--host", "board", "--ssh-config", config, "--workspace", workspace, "--clips", 1]
    return [str(word) for word in (*command, *words)]


def records_of(workspace: Path) -> list[dict]:
    path = workspace / "records.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_board_is_measured_over_ssh(pi: Board, artifact: Make, vcompress: CommandLine, tmp_path: Path) -> None:
    words = ("--measure", "rtf", "--measure", "memory", "--measure", "quality", "--threads", 1, "--repeats", 3)
    answer = vcompress(*bench(pi, pi.config(), tmp_path, artifact("vocos-nano", STATIC), *words))
    assert answer.code == 0, answer.err
    found = {record["metric"]: record for record in records_of(tmp_path)}
    rtf = found["rtf"]
    assert rtf["value"] > 0 and (rtf["known"], rtf["target"], rtf["backend"]) == ("measured", "rpi-4b", "onnxruntime")
    assert rtf["environment"]["architecture"] == "aarch64" and "Raspberry Pi 4 Model B" in rtf["environment"]["machine"]
    assert found["log_mel_l1"]["value"] > 0  # of the audio that came back
    again = vcompress(*bench(pi, pi.config(), tmp_path, artifact("vocos-nano", STATIC), *words))
    assert again.code == 0 and "Making a Python environment" not in again.err


def test_a_connection_that_is_cut_keeps_what_came_and_goes_on(pi: Board, artifact: Make, vcompress: CommandLine, tmp_path: Path) -> None:
    words = bench(pi, pi.config(), tmp_path, artifact("vocos-s", STATIC), "--measure", "rtf", "--threads", 1, "--threads", 2, "--repeats", 30)
    command = [sys.executable, "-m", "vcompress", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as desk:
        end = time.monotonic() + LONGEST
        while not records_of(tmp_path) and desk.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        pi.cut()
        _, said = desk.communicate(timeout=LONGEST)
    assert desk.returncode == 2 and "give the same command to go on" in said.splitlines()[-1]
    kept = records_of(tmp_path)
    assert kept
    answer = vcompress(*words)
    assert answer.code == 0, answer.err
    after = records_of(tmp_path)
    assert after[: len(kept)] == kept and {record["settings"]["threads"] for record in after if record["metric"] == "rtf"} == {1, 2}


@pytest.mark.parametrize(
    "host_key, user_key, words",
    [("stranger", "user", "is not the one that is known"), ("", "user", "is not known; log in once"), ("host", "stranger", "lets nobody in")],
)
def test_keys_that_do_not_fit_are_refused(pi: Board, artifact: Make, vcompress: CommandLine, tmp_path: Path, host_key: str, user_key: str, words: str) -> None:
    answer = vcompress(*bench(pi, pi.config(host_key, user_key), tmp_path, artifact("vocos-nano", STATIC)))
    assert answer.code == 2 and words in answer.err and len(answer.err.strip().splitlines()) == 1
    assert not records_of(tmp_path)


def test_a_machine_is_not_called_what_it_is_not(pi: Board, artifact: Make, vcompress: CommandLine, tmp_path: Path) -> None:
    command = bench(pi, pi.config(), tmp_path, artifact("vocos-nano", STATIC))
    answer = vcompress(*("rpi-5" if word == "rpi-4b" else word for word in command))
    assert answer.code == 2 and "Raspberry Pi 4 Model B" in answer.err


def test_a_board_of_32_bits_is_measured_with_tflite_runtime(artifact: Make, vcompress: CommandLine, tmp_path: Path) -> None:
    enable_binfmt()
    with board("cortex-a7", "Raspberry Pi 2 Model B Rev 1.1", tmp_path, with_wheels=True) as found:
        words = ("--measure", "rtf", "--threads", 1, "--repeats", 3, "--board-python", "/usr/bin/python3")
        command = bench(found, found.config(), tmp_path, artifact("vocos-nano", STATIC), *words)
        answer = vcompress(*("rpi-2b" if word == "rpi-4b" else word for word in command))
    assert answer.code == 0, answer.err
    rtf = next(record for record in records_of(tmp_path) if record["metric"] == "rtf")
    assert rtf["value"] > 0 and (rtf["target"], rtf["backend"], rtf["environment"]["architecture"]) == ("rpi-2b", "tflite_runtime", "armv7l")
