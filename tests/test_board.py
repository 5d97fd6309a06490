"""A board held against a profile, and what it tells of heat and supply, on made-up trees of /proc and /sys."""

from pathlib import Path

import pytest
from conftest import CommandLine
from test_sensors import tree
from tiny_bench import gan

from vcompress.benchmarks.conditions import slowed, watched
from vcompress.benchmarks.records import read_records
from vcompress.benchmarks.sensors import throttling as throttling_sensor
from vcompress.errors import VcompressError
from vcompress.runtime.backends import default_backend, threads_of
from vcompress.targets.board import THROTTLED, board_model, label_of, throttling, throttling_words
from vcompress.targets.profile import find_profile

# What /proc/device-tree/model says, by boards that Raspberry Pi OS ran on
MODELS = {
    "rpi-1b": "Raspberry Pi Model B Rev 2",
    "rpi-2b": "Raspberry Pi 2 Model B Rev 1.1",
    "rpi-3b": "Raspberry Pi 3 Model B Rev 1.2",
    "rpi-4b": "Raspberry Pi 4 Model B Rev 1.4",
    "rpi-5": "Raspberry Pi 5 Model B Rev 1.0",
}
OTHERS = (
    "Raspberry Pi Model B Plus Rev 1.2",
    "Raspberry Pi 2 Model B Rev 1.2",  # a BCM2837, the chip of the 3B
    "Raspberry Pi 3 Model B Plus Rev 1.3",
    "Raspberry Pi Compute Module 4 Rev 1.0",
    "Raspberry Pi 400 Rev 1.0",
    "",
)


@pytest.mark.parametrize("name", MODELS)
def test_a_board_is_its_own_profile_and_no_other(name: str) -> None:
    profile = find_profile(name)
    assert [model for model in (*MODELS.values(), *OTHERS) if _is(profile, model)] == [MODELS[name]]
    assert label_of(profile, MODELS[name], another_machine=True) == name


def _is(profile, model: str) -> bool:
    try:
        return label_of(profile, model) == profile.name
    except VcompressError:
        return False


def test_another_machine_is_refused_or_says_so() -> None:
    profile = find_profile("rpi-4b")
    with pytest.raises(VcompressError, match=r"is a Raspberry Pi 400 Rev 1\.0, the target rpi-4b is a Raspberry Pi 4 Model B"):
        label_of(profile, "Raspberry Pi 400 Rev 1.0")
    assert label_of(profile, "Raspberry Pi 400 Rev 1.0", another_machine=True) == "rpi-4b on ANOTHER machine"
    with pytest.raises(VcompressError, match="has no model"):
        label_of(find_profile("desktop-cpu"), "")


def test_the_device_tree_is_read_without_what_commands_a_terminal(tmp_path: Path) -> None:
    root = tree(tmp_path, **{"proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"})
    assert board_model(root) == "Raspberry Pi 4 Model B Rev 1.4"
    tree(tmp_path, **{"proc/device-tree/model": "Pi\x1b[2J\r\n" + 10_000 * "x"})
    assert board_model(root).startswith("Pi [2J x") and len(board_model(root)) == 100
    assert board_model(tmp_path / "nowhere") == ""


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (0, "0x0: none"),
        (0x50000, "0x50000: under-voltage, throttled since the start"),
        (0xA000A, "0xa000a: clock capped, soft temperature limit now; clock capped, soft temperature limit since the start"),
    ],
)
def test_throttling_flags_are_told_in_words(tmp_path: Path, flags: int, words: str) -> None:
    root = tree(tmp_path, **{THROTTLED: f"{flags:x}\n"})
    assert throttling(root) == flags and throttling_words(flags) == words and throttling_sensor(root).value == words


def test_a_machine_without_flags_says_why(tmp_path: Path) -> None:
    assert throttling(tmp_path) is None and "offers no firmware flags" in throttling_sensor(tmp_path).reason
    assert throttling(tree(tmp_path, **{THROTTLED: "soon\n"})) is None


def test_what_happened_while_a_figure_was_taken_is_told() -> None:
    hot, cold, past = (throttling_words(flags) for flags in (0x40004, 0, 0x40000))
    assert slowed({"throttling_before": cold, "throttling_after": hot}) == "throttled"
    assert slowed({"throttling_before": cold, "throttling_after": past}) == "throttled"
    assert slowed({"throttling_before": past, "throttling_after": past}) == ""  # long before
    assert slowed({"throttling_before": "not known: no firmware", "throttling_after": "not known: no firmware"}) == slowed({}) == ""


def test_conditions_are_told_before_and_after_or_why_not() -> None:
    result, found = watched(lambda: 7)
    assert result == 7
    assert set(found) == {f"{name}_{when}" for name in ("temperature", "clock", "governor", "throttling") for when in ("before", "after")}
    assert all(found.values())


@pytest.mark.parametrize(
    ("machine", "bits", "backend"),
    [
        ("x86_64", 64, "onnxruntime"),
        ("aarch64", 64, "onnxruntime"),
        ("aarch64", 32, "tflite_runtime"),  # a 32-bit system under a 64-bit kernel
        ("armv7l", 32, "tflite_runtime"),
        ("armv6l", 32, "c"),
    ],
)
def test_a_machine_has_a_back_end_that_runs_there(machine: str, bits: int, backend: str) -> None:
    assert default_backend(machine, bits) == backend


def test_a_board_is_timed_with_as_many_threads_as_it_has_cores() -> None:
    assert threads_of("onnxruntime", 4) == (1, 2, 3, 4) == threads_of("onnxruntime", 64) and threads_of("litert", 2) == (1, 2)
    assert threads_of("c", 4) == (1,)


def test_bench_refuses_to_call_this_machine_a_board_and_says_so_where_it_has_to(vcompress: CommandLine, tmp_path: Path) -> None:
    if board_model():
        pytest.skip("this is a board")
    artifact = gan(tmp_path / "fp32").folder
    arguments = ("bench", artifact, "--target", "rpi-4b", "--measure", "rtf", "--repeats", 1, "--threads", 1, "--workspace", tmp_path / "runs")
    answer = vcompress(*arguments)
    assert answer.code == 2 and "--another-machine" in answer.err and not (tmp_path / "runs" / "records.jsonl").exists()
    answer = vcompress(*arguments, "--another-machine")
    assert answer.code == 0 and "Measured as rpi-4b on ANOTHER machine (" in answer.out
    records = read_records(tmp_path / "runs" / "records.jsonl")
    assert {record.target for record in records} == {"rpi-4b on ANOTHER machine"} and all(
        "temperature_after" in r.environment for r in records if r.metric == "rtf"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--host", "pi@board"), "--host needs a target"),
        (("--another-machine",), "--another-machine needs a target"),
        (("--port", 22), "belong to a --host"),
        (("--target", "rpi-9"), "no target 'rpi-9'"),
        (("--target", "rpi-4b", "--host=-oProxyCommand=true"), "is no host"),
        (("--target", "rpi-4b", "--host", "pi@board", "--port", 70000), "70000 is no port"),
        (("--target", "rpi-4b", "--host", "pi@board", "--identity", "nowhere"), "no file nowhere"),
        (("--target", "rpi-4b", "--host", "pi@board", "--meter-log", "meter.csv"), "on the board itself"),
        (("--target", "rpi-4b", "--host", "pi@board", "--power-of", "my.toml"), "no target that the host knows"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(vcompress: CommandLine, tmp_path: Path, options: tuple[object, ...], sentence: str) -> None:
    answer = vcompress("bench", gan(tmp_path / "fp32").folder, "--measure", "rtf", "--workspace", tmp_path / "runs", *options)
    assert answer.code == 2 and sentence in answer.err and answer.err.count("\n") == 1
