"""The exported C library: equal to the oracle bit for bit, in the artifact, in the command line, as a back end."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from c_programs import PICO, Chain, integer_mel, narrow, state_program
from conftest import CommandLine
from tiny import tiny_artifact
from tiny_vocoders import tiny_mels

from vcompress.errors import VcompressError
from vcompress.export.c import derived
from vcompress.export.c.generate.library import SOURCES, Library
from vcompress.export.c.program import Program, TargetFacts
from vcompress.export.c.reference.executor import quantize_mel, run_streaming, run_whole, waveform
from vcompress.export.formats import kept
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed")
FLAGS = "-std=c99 -O1 -Wall -Wextra -Wconversion -Werror -fsanitize=address,undefined -fno-sanitize-recover=all".split()


def written(library: Library, folder: Path) -> Path:
    for name, text in library.files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def spoken(library: Library, folder: Path, mel: np.ndarray) -> np.ndarray:
    """What the example of a library makes of integers (F, n_mels), compiled with every warning an error and run under the sanitizers."""
    written(library, folder)
    sources = [*map(str, sorted((folder / SOURCES).glob("*.c"))), str(folder / "example.c")]
    subprocess.run(["cc", *FLAGS, f"-I{folder / SOURCES}", "-o", str(folder / "example"), *sources], check=True)
    bits = library.program.tensors[library.program.input].bits
    given = mel.astype(np.int8 if bits == 8 else np.int16).tobytes()
    return np.frombuffer(subprocess.run([str(folder / "example")], input=given, capture_output=True, check=True).stdout, np.int16)


def of_everything() -> Program:
    """A chain with every kind of step but the inverse STFT."""
    chain = Chain(3, bits=16)
    chain.convolution(4, 3, 1, 1)
    trunk = chain.last
    chain.table()
    chain.convolution(4, 3, 3, 2, groups=4)
    chain.sum(trunk)
    chain.upsample(4, 3, 1)
    trunk = chain.last
    chain.convolution(4, 5, 2, 3, bits=16, groups=2)
    chain.sum(trunk, bits=16)
    wide = chain.last
    chain.convolution(4, 2, 1, 0)
    chain.product(wide)
    first = chain.last
    chain.table()
    chain.joined(first, chain.last)
    chain.upsample(4, 2, 0)
    return chain.program()


@needs_cc
@pytest.mark.parametrize("make, variant", [(of_everything, "q31"), (of_everything, "q15"), (state_program, "q31")])
def test_c_equals_the_oracle_bit_for_bit(make: Callable[[], Program], variant: str, tmp_path: Path) -> None:
    library = Library.of(make(), TargetFacts("host", variant))
    mel = integer_mel(library.program, 5)
    assert np.array_equal(spoken(library, tmp_path, mel), run_streaming(library.lowered, library.streaming, mel))


@needs_cc
@pytest.mark.parametrize("family", ("melgan", "vocos"))
def test_a_vocoder_in_c_equals_the_oracle_bit_for_bit(family: str, tmp_path: Path) -> None:
    artifact = narrow(family)
    library = Library.of(derived.program_of(artifact.folder, artifact.manifest), TargetFacts("atmega2560", "q15", packed=True))
    mel = quantize_mel(library.program, tiny_mels(1)[0][:, :5])
    samples = spoken(library, tmp_path, mel)
    assert np.abs(samples).max() > 100
    assert np.array_equal(samples, waveform(library.program, run_whole(library.lowered, mel), 5))


@pytest.fixture(scope="module")
def exported() -> Artifact:
    """The artifact of a tiny Vocos with its C files."""
    return narrow("vocos")


def test_the_files_are_derived_entries_and_a_plan_accounts_for_the_memory(exported: Artifact) -> None:
    assert set(exported.manifest.derived) == {"c"} and set(exported.manifest.derived["c"].values()) < set(exported.manifest.files)
    plan = json.loads(exported.derived_path("c", "plan.json").read_text())
    header = exported.derived_path("c", f"{SOURCES}/vcompress.h").read_text()
    assert f"#define VC_STATE_BYTES {plan['state_bytes']}l" in header and f"#define VC_ARENA_BYTES {plan['arena_bytes']}l" in header
    assert plan["target"]["name"] == "pico" and plan["arena_lower_bound"] <= plan["arena_bytes"]
    assert max(buffer["offset"] + buffer["bytes"] for buffer in plan["buffers"]) <= plan["arena_bytes"]
    weights = sum(graph.bytes["weights"] for graph in exported.manifest.graphs.values())
    assert plan["constants"]["weights"] == pytest.approx(weights, abs=4 * len(exported.manifest.layers))  # rounded up to words
    assert {"example.c", "CMakeLists.txt", "vcompress/vcompress.ino"} <= set(exported.manifest.derived["c"])


def test_an_export_anew_keeps_the_formats_and_the_target(exported: Artifact, tmp_path: Path) -> None:
    assert kept(exported.folder, ("onnx",), None) == (("onnx", "c"), PICO)
    other = TargetFacts("nano-33-ble")
    assert kept(exported.folder, ("onnx", "c"), other) == (("onnx", "c"), other)
    assert kept(tmp_path / "none", ("onnx",), None) == (("onnx",), None)


@needs_cc
def test_the_back_end_speaks_what_the_oracle_does(exported: Artifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mel = tiny_mels(1)[0]
    session = load("c", exported)
    program = derived.program_of(exported.folder, exported.manifest)
    library = Library.of(program, PICO)
    expected = waveform(program, run_whole(library.lowered, quantize_mel(program, mel)), mel.shape[1]) / 32768
    for _ in range(2):  # an utterance leaves nothing behind
        assert np.array_equal(synthesize(exported, session, mel), expected.astype(np.float32))
    assert session.environment["c_target"] == "pico" and len(list((tmp_path / "vcompress" / "c").glob("*.so"))) == 1
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VcompressError, match="needs a C compiler"):
        load("c", exported)


def test_the_back_end_says_where_there_are_no_c_files(tmp_path: Path) -> None:
    with pytest.raises(VcompressError, match="--format c"):
        load("c", tiny_artifact(tmp_path))


def test_a_target_is_for_c_and_has_to_be_known(vcompress: CommandLine, tmp_path: Path) -> None:
    place = ("--workspace", tmp_path)
    assert "give --format c" in vcompress("export", "--int8", "--target", "pico", *place).err
    answer = vcompress("export", "--int8", "--format", "c", "--target", "abacus", *place)
    assert answer.code == 2 and "There is no target 'abacus'" in answer.err
    (tmp_path / "own.toml").write_text('title = "mine"\nkind = "mcu"\n')
    assert "own.toml: its core is missing" in vcompress("export", "--int8", "--format", "c", "--target", tmp_path / "own.toml", *place).err


def test_fit_accounts_for_what_the_export_takes(exported: Artifact, vcompress: CommandLine) -> None:
    answer = vcompress("fit", exported.folder, "--target", "pico", "--json")
    assert answer.code == 0, answer.err
    budgets = json.loads(answer.out)["fits"][0]["budgets"]
    plan = json.loads(exported.derived_path("c", "plan.json").read_text())
    flash, ram = ({part["name"]: part["bytes"] for part in budgets[memory]["parts"]} for memory in ("flash", "RAM"))
    assert {name: flash[name] for name in plan["constants"]} == plan["constants"]
    assert flash["code"] > 1000
    assert ram["state"] == plan["state_bytes"] and ram["stack"] > 50
    assert next(size for name, size in ram.items() if name.startswith("arena")) == plan["arena_bytes"]
