"""Boards that are simulated: a small vocoder in C runs on each as its twin in numpy does, and what goes wrong is said in one sentence."""

import json
import shutil
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny_firmware
from conftest import CommandLine
from tiny import tiny_artifact
from tiny_vocoders import calibrated, tiny_folded

from vcompress.benchmarks.records import read_records
from vcompress.compress.recipes import Recipe
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.targets.firmware.boards import Board, boards, find_board
from vcompress.targets.firmware.build import Image, build
from vcompress.targets.firmware.linking import read_map
from vcompress.targets.firmware.outcome import read_outcome
from vcompress.targets.profile import Profile, Quantity, find_profile
from vcompress.targets.simulators import instructions, simulate
from vcompress.targets.simulators.program import Run
from vcompress.targets.simulators.timing import timing

FRAMES = 5
NEEDS = {"simavr": "/usr/include/simavr/sim_avr.h", "qemu-system-arm": ""}  # those of npm are in tests/mcu: they are fetched on first use


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def need_simulator(board: Board) -> None:
    need(board.compiler, *([] if NEEDS[board.simulator] else [board.simulator]))
    if NEEDS[board.simulator] and not Path(NEEDS[board.simulator]).is_file():
        pytest.skip("libsimavr-dev is not installed")


def image(name: str, folder: Path, profile: Profile | None = None, more: str = "") -> Image:
    library = tiny_firmware.write_library(folder / "library", more)
    return build(library, profile or find_profile(name), tiny_firmware.mel(FRAMES), folder / "built")


def shrunk(name: str, **bytes_of: int) -> Profile:
    """A target with less memory, nothing of it taken."""
    small = {f"{memory}_bytes": Quantity(value, source="a test") for memory, value in bytes_of.items()}
    none = {f"{memory}_taken_bytes": Quantity(0, source="a test") for memory in bytes_of}
    return replace(find_profile(name), **small, **none)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A tiny vocos, quantized."""
    return write_artifact(tiny_folded("vocos"), Recipe("static"), "vocos-tiny", tmp_path_factory.mktemp("vocos") / "artifact", calibrated("vocos")[2])


@pytest.mark.parametrize("board", [board for board in boards().values() if board.simulator in NEEDS], ids=lambda board: board.name)
def test_a_board_says_what_the_twin_says(board: Board, tmp_path: Path) -> None:
    need_simulator(board)
    built = image(board.name, tmp_path)
    lines: list[str] = []
    outcome = read_outcome(simulate(board.simulator, built.program, lines.append), FRAMES)
    assert np.array_equal(outcome.samples, tiny_firmware.twin(tiny_firmware.mel(FRAMES)))
    assert sum(line.startswith("s") and len(line) > 2 for line in lines) >= FRAMES
    assert len(outcome.pushes) == FRAMES and len(outcome.flushes) == tiny_firmware.TAIL + 1
    assert all(cost > 0 for cost in (outcome.start, *outcome.pushes, *outcome.flushes))
    assert 0 < outcome.stack < outcome.stack + outcome.left + sum(built.ram.values()) <= find_profile(board.name).ram


@pytest.mark.parametrize("name", ["atmega2560", "nano-33-ble"])
def test_an_exported_vocoder_speaks_as_the_reference(name: str, artifact: Artifact, tmp_path: Path, vcompress: CommandLine) -> None:
    need_simulator(find_board(name))
    out, kept = tmp_path / "out.wav", tmp_path / "kept"
    answer = vcompress("firmware", artifact.folder, "--target", name, "--seconds", 0.05, "-o", out, "--keep", kept, "--json")
    assert answer.code == 0, answer.err
    document, front_end = json.loads(answer.out), artifact.manifest.front_end
    frames = round(0.05 * 16000 / front_end.hop_length)
    assert document["samples"] == frames * front_end.hop_length == soundfile.info(out).frames
    for memory in ("flash", "ram"):
        assert document[memory]["bytes"] == sum(document[memory]["parts"].values()) <= document[memory]["available"]
    assert 0 < document["rtf"]["fast"] <= document["rtf"]["slow"]
    assert (kept / "program.map").is_file() and (kept / "c" / "vcompress" / "src" / "vcompress.h").is_file()


def test_simulate_keeps_what_is_counted_apart_from_what_is_reckoned(artifact: Artifact, tmp_path: Path, vcompress: CommandLine) -> None:
    need_simulator(find_board("nano-33-ble"))
    answer = vcompress("simulate", artifact.folder, "--target", "nano-33-ble", "--seconds", 0.05, "--workspace", tmp_path)
    assert answer.code == 0, answer.err
    known = {record.metric: record.known for record in read_records(tmp_path / "records.jsonl")}
    counted = {"flash_bytes", "ram_bytes", "instructions_per_second", "instructions_per_mac"}
    assert known == dict.fromkeys(counted, "simulated") | dict.fromkeys(("rtf", "energy"), "modelled")


@pytest.mark.parametrize(("target", "sentence"), [("esp32-s3", "No simulator stands in"), ("rpi-4b", "No simulator stands in"), ("moon", "There is no target")])
def test_a_target_that_cannot_be_simulated_is_refused(target: str, sentence: str, tmp_path: Path, vcompress: CommandLine) -> None:
    answer = vcompress("firmware", tiny_artifact(tmp_path).folder, "--target", target)
    assert (answer.code, answer.out) == (2, "") and sentence in answer.err


@pytest.mark.parametrize("name", ["atmega2560", "nano-33-ble"])
def test_every_byte_of_the_program_is_in_one_part(name: str, tmp_path: Path) -> None:
    need(find_board(name).compiler)
    built = image(name, tmp_path)
    assert sum(built.flash.values()) == built.program.binary.stat().st_size
    assert built.flash["mel of the test"] == FRAMES * tiny_firmware.BANDS
    assert built.ram["vocoder"] == 4 * tiny_firmware.BANDS + {"atmega2560": 2 + tiny_firmware.BANDS, "nano-33-ble": 4}[name]  # an AVR's constants lie in RAM


@pytest.mark.parametrize("name", ["atmega2560", "nano-33-ble"])
def test_a_program_that_is_too_large_is_told_with_its_numbers(name: str, tmp_path: Path) -> None:
    need(find_board(name).compiler)
    fits = image(name, tmp_path / "fits")
    flash, ram = sum(fits.flash.values()), sum(fits.ram.values())
    with pytest.raises(VcompressError, match=rf"needs {flash:,} bytes of flash where {name} has {flash - 100:,} \(100 too many\)"):
        image(name, tmp_path, shrunk(name, flash=flash - 100))
    with pytest.raises(VcompressError, match=r"\(10 too many\); speak for a shorter time"):
        image(name, tmp_path, shrunk(name, flash=flash - 10))
    with pytest.raises(VcompressError, match=rf"bytes of RAM where {name} has {ram - 20:,} \(2[0-9] too many\)"):
        image(name, tmp_path, shrunk(name, ram=ram - 20))


def test_code_that_does_not_compile_is_told(tmp_path: Path) -> None:
    need("avr-gcc")
    with pytest.raises(VcompressError, match=r"vocoder\.c cannot be compiled for atmega2560 \(.*error.*\)"):
        image("atmega2560", tmp_path, more="int;;what is this")


def test_a_folder_without_a_vocoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VcompressError, match=r"holds no vocoder in C.*vcompress export"):
        build(tmp_path, find_profile("pico"), tiny_firmware.mel(), tmp_path)


def test_a_missing_tool_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VcompressError, match="avr-gcc is not installed; install it with: apt-get install gcc-avr"):
        image("atmega2560", tmp_path)


def printed(made: np.ndarray, **changes: str) -> str:
    figures = {
        "crc": f"{zlib.crc32(made.astype('<i2').tobytes()):08x}",
        "samples": f"{len(made):08x}",
        "stack": "00000040",
        "left": "00000100",
        **changes,
    }
    rows = ["s" + "".join(f"{int(sample) & 0xFFFF:04x}" for sample in row) for row in (made[:2], made[2:], made[:0])]
    return "\n".join([*rows, *(f"{name} {value}" for name, value in figures.items()), "end"]) + "\n"


def test_what_was_printed_is_read_back() -> None:
    samples = np.array([-32768, -1, 0, 32767], np.int16)
    outcome = read_outcome(Run(printed(samples), (0, 1, 10, 15, 20, 27, 30, 31), "cycles"), 2)
    assert np.array_equal(outcome.samples, samples)
    assert (outcome.start, outcome.pushes, outcome.flushes, outcome.total) == (1, (5, 7), (1,), 13)
    assert (outcome.stack, outcome.left) == (64, 256)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"crc": "00000000"}, "CRC-32"), ({"samples": "00000003"}, "not the 3 that were made"), ({"left": "00000000"}, "stack ran into")],
)
def test_what_was_printed_wrongly_is_refused(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(VcompressError, match=sentence):
        read_outcome(Run(printed(np.arange(4, dtype=np.int16), **changes), (0, 1, 2, 3, 4, 5, 6, 7), "cycles"), 2)


@pytest.mark.parametrize(("text", "marks"), [("s00g0\nend\n", (0, 1)), ("s0001\ncrc what\n", (0, 1)), (printed(np.arange(4, dtype=np.int16)), (0, 1, 2))])
def test_what_was_damaged_is_refused(text: str, marks: tuple[int, ...]) -> None:
    with pytest.raises(VcompressError, match="run it again"):
        read_outcome(Run(text, marks, "cycles"), 2)


def test_a_program_that_breaks_off_is_refused() -> None:
    with pytest.raises(VcompressError, match="broke off after 1 of 2 frames"):
        read_outcome(Run("s0001\nfault\n", (0, 1), "cycles"), 2)


def test_a_file_that_is_no_map_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.map"
    path.write_text("Archive member included\n")
    with pytest.raises(VcompressError, match="is no linker map"):
        read_map(path)


def test_the_plugin_counts_what_is_executed(tmp_path: Path) -> None:
    need("qemu-x86_64", "cc")
    source, program, out = tmp_path / "loop.c", tmp_path / "loop", tmp_path / "counts"
    source.write_text('void _start(void) { __asm__ volatile("mov $1000, %ecx\\n1: dec %ecx\\njnz 1b\\nmov $60, %eax\\nxor %edi, %edi\\nsyscall"); }\n')
    subprocess.run(["cc", "-O1", "-nostdlib", "-static", "-fcf-protection=none", "-o", program, source], check=True)
    subprocess.run(["qemu-x86_64", *instructions.option(instructions.build(), out, mnemonics=True), str(program)], check=True)
    counts = instructions.read(out)
    assert counts.mnemonics["decl"] == 1000
    assert counts.total == sum(counts.mnemonics.values()) and 2004 <= counts.total < 2010


def test_cycles_follow_from_what_was_executed() -> None:
    executed = {"smlad": 4, "ldr.w": 4, "bne": 2}  # 4 + 4 to 8 + 2 to 8 cycles on an M4
    m4, m7 = timing("cortex-m4", executed), timing("cortex-m7", executed)
    assert (m4.least, m4.most) == (1.0, 2.0)
    assert m7.least == pytest.approx(0.683) and m7.most == pytest.approx(1.366)
    assert timing("cortex-m0", {"muls": 1, "ldrb": 1, "bne": 1, "pop": 1}).least == (1 + 2 + 1 + 2) / 4
    assert timing("cortex-m3", {"smlal": 1, "it": 1}).most == (7 + 1) / 2


def test_every_board_that_counts_instructions_has_a_timing() -> None:
    for board in boards().values():
        assert bool(board.core) == (board.simulator == "qemu-system-arm")
        assert not board.core or timing(board.core, {"adds": 1}).source


def test_counts_that_are_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    for name in ("absent", "empty"):
        with pytest.raises(VcompressError, match="QEMU left no counts"):
            instructions.read(tmp_path / name)
