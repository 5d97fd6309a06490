"""What a user can get wrong: one sentence, exit code 2, nothing half-written."""

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import Answer, CommandLine
from tiny import GRAPH, tiny_artifact, tone

from vcompress.runtime.artifact import MANIFEST
from vcompress.runtime.files import replacing, sha256


def assert_one_sentence(answer: Answer, *words: str) -> None:
    assert answer.code == 2, answer
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1 and answer.err.rstrip().endswith("."), answer.err
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_artifact(tmp_path_factory.mktemp("tiny") / "artifact").folder


@pytest.fixture
def mel(artifact: Path, tmp_path: Path) -> Path:
    np.save(tmp_path / "mel.npy", np.zeros((80, 4), np.float32))
    return tmp_path / "mel.npy"


# --- recordings -------------------------------------------------------------------------------------------------------------


def write_wav(path: Path, samples: np.ndarray, subtype: str = "FLOAT", rate: int = 16000) -> None:
    soundfile.write(path, samples, rate, subtype=subtype)


def write_cut(path: Path, keep: float) -> None:
    soundfile.write(path, tone(), 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])


def with_value(value: float) -> np.ndarray:
    samples = tone()
    samples[100] = value
    return samples


RECORDINGS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "missing": ("a.wav", lambda path: None),
    "a folder": ("a.wav", lambda path: path.mkdir()),
    "empty": ("a.wav", lambda path: path.write_bytes(b"")),
    "text": ("a.wav", lambda path: path.write_text("no audio at all\n" * 100)),
    "wav cut in its header": ("a.wav", lambda path: write_cut(path, 0.001)),
    "wav cut in half": ("a.wav", lambda path: write_cut(path, 0.5)),
    "wav cut at its end": ("a.wav", lambda path: write_cut(path, 0.999)),
    "flac cut in half": ("a.flac", lambda path: write_cut(path, 0.5)),
    "flac cut at its end": ("a.flac", lambda path: write_cut(path, 0.99)),
    "no samples": ("a.wav", lambda path: write_wav(path, tone()[:0])),
    "shorter than a frame": ("a.wav", lambda path: write_wav(path, tone()[:255])),
    "silent": ("a.wav", lambda path: write_wav(path, 0 * tone())),
    "NaN": ("a.wav", lambda path: write_wav(path, with_value(np.nan))),
    "infinite": ("a.wav", lambda path: write_wav(path, with_value(np.inf))),
    "a rate of no speech": ("a.wav", lambda path: write_wav(path, tone(0.01), rate=10)),
    "another suffix": ("a.mp3", lambda path: path.write_bytes(b"ID3")),
}


@pytest.mark.parametrize("what", RECORDINGS)
def test_synth_refuses_a_recording_that_is(vcompress: CommandLine, artifact: Path, tmp_path: Path, what: str) -> None:
    name, write = RECORDINGS[what]
    write(tmp_path / name)
    assert_one_sentence(vcompress("synth", artifact, tmp_path / name, "-o", tmp_path / "made" / "out.wav"), str(tmp_path / name))
    assert not (tmp_path / "made").exists()


def test_synth_takes_a_wav_of_unknown_length(vcompress: CommandLine, artifact: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), 16000)
    whole = bytearray((tmp_path / "a.wav").read_bytes())
    whole[4:8] = whole[40:44] = b"\xff\xff\xff\xff"  # as a program writes that sends WAV through a pipe
    (tmp_path / "a.wav").write_bytes(whole)
    assert vcompress("synth", artifact, tmp_path / "a.wav", "-o", tmp_path / "out.wav").code == 0


# --- mels -------------------------------------------------------------------------------------------------------------------

GOOD = np.full((80, 4), 0.5, np.float32)


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def save_cut(path: Path) -> None:
    np.save(path, GOOD)
    path.write_bytes(path.read_bytes()[:-20])


def save_npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


MELS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("m.npy", lambda path: None, "no file"),
    "empty": ("m.npy", lambda path: path.write_bytes(b""), "no mel"),
    "text": ("m.npy", lambda path: path.write_text("hello"), "no mel"),
    "cut short": ("m.npy", save_cut, "no mel"),
    "a damaged npz": ("m.npz", lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "damaged"),
    "of 40 bands": ("m.npy", lambda path: np.save(path, GOOD[:40]), "(40, 4)"),
    "on its side": ("m.npy", lambda path: np.save(path, GOOD.T), "(4, 80)"),
    "without frames": ("m.npy", lambda path: np.save(path, GOOD[:, :0]), "(80, 0)"),
    "a single row": ("m.npy", lambda path: np.save(path, GOOD[:, 0]), "(80,)"),
    "of another hop": ("m.npz", lambda path: save_npz(path, mel=GOOD, hop_length=200), "hop_length 200"),
    "under another name": ("m.npz", lambda path: save_npz(path, spectrogram=GOOD), "no mel"),
    "of integers": ("m.npy", lambda path: np.save(path, GOOD.astype(np.int16)), "int16"),
    "of complex numbers": ("m.npy", lambda path: np.save(path, GOOD.astype(np.complex64)), "complex64"),
    "NaN": ("m.npy", lambda path: np.save(path, GOOD * np.nan), "NaN"),
    "too large for float32": ("m.npy", lambda path: np.save(path, GOOD.astype(np.float64) * 1e300), "NaN or infinite"),
    "a pickled array": ("m.npy", lambda path: np.save(path, np.array([GOOD, None], object), allow_pickle=True), "no mel"),
    "a pickled array in npz": ("m.npz", lambda path: save_npz(path, mel=np.array([GOOD, None], object)), "no mel"),
}


@pytest.mark.parametrize("what", MELS)
def test_synth_refuses_a_mel_that_is(vcompress: CommandLine, artifact: Path, tmp_path: Path, what: str) -> None:
    name, write, words = MELS[what]
    write(tmp_path / name)
    assert_one_sentence(vcompress("synth", artifact, tmp_path / name, "-o", tmp_path / "out.wav"), str(tmp_path / name), words)
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("form", ["pickle", "object array"])
def test_synth_never_runs_code_in_a_mel(vcompress: CommandLine, artifact: Path, tmp_path: Path, form: str) -> None:
    trap = Trap(tmp_path / "sprung")
    if form == "pickle":
        (tmp_path / "m.npy").write_bytes(pickle.dumps(trap))
    else:
        np.save(tmp_path / "m.npy", np.array([trap], object), allow_pickle=True)
    assert_one_sentence(vcompress("synth", artifact, tmp_path / "m.npy", "-o", tmp_path / "out.wav"))
    assert not (tmp_path / "sprung").exists()


# --- artifacts --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(artifact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(artifact, tmp_path / "copy"))


def set_value(manifest: Any, path: tuple[str | int, ...], value: Any) -> None:
    for key in path[:-1]:
        manifest = manifest[key]
    manifest[path[-1]] = value


def test_synth_refuses_a_folder_that_is_no_artifact(vcompress: CommandLine, mel: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing", mel):
        assert_one_sentence(vcompress("synth", folder, mel, "-o", tmp_path / "out.wav"), str(folder), "vcompress export")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "5", '"manifest"', "\0\0", '{"schema": 1}', '{"schema": "new"}', '{"schema": Infinity}'])
def test_synth_refuses_a_manifest_of_garbage(vcompress: CommandLine, copy: Path, mel: Path, tmp_path: Path, text: str) -> None:
    (copy / MANIFEST).write_text(text)
    assert_one_sentence(vcompress("synth", copy, mel, "-o", tmp_path / "out.wav"), MANIFEST)


def test_synth_refuses_a_manifest_that_is_no_text(vcompress: CommandLine, copy: Path, mel: Path, tmp_path: Path) -> None:
    (copy / MANIFEST).write_bytes(b"\xff\xfe\x00\xd8")
    assert_one_sentence(vcompress("synth", copy, mel, "-o", tmp_path / "out.wav"), MANIFEST)


@pytest.mark.parametrize(
    "path, value, words",
    [
        (("schema",), 99, "schema 99"),
        (("files", GRAPH), "0" * 64, "does not match its hash"),
        (("files",), {}, "no hash"),
        (("files", "../mel.npy"), "0" * 64, "outside the artifact"),
        (("files", "/etc/hostname"), "0" * 64, "outside the artifact"),
        (("files", "graphs/other.onnx"), "0" * 64, "lacks graphs/other.onnx"),
        (("graphs", "network", "file"), "../mel.npy", "no hash"),
        (("graphs",), {}, MANIFEST),
        (("sampler",), {"name": "crystal ball"}, "crystal ball"),
        (("sampler",), {"name": "diffusion"}, "sampler"),
        (("front_end", "n_mels"), 40, "(80, 4)"),
        (("front_end", "hop_length"), 0, "front end"),
        (("front_end", "maximum"), -1.0, "maximum"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_synth_refuses_a_manifest_with(vcompress: CommandLine, copy: Path, mel: Path, tmp_path: Path, path: tuple[str, ...], value: object, words: str) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    set_value(manifest, path, value)
    (copy / MANIFEST).write_text(json.dumps(manifest))
    assert_one_sentence(vcompress("synth", copy, mel, "-o", tmp_path / "out.wav"), words)
    assert not (tmp_path / "out.wav").exists()


def places(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything in a JSON document."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


@pytest.mark.parametrize("value", [None, [], {}, "x", 5, -1, float("inf"), True, ["a"], {"a": 1}], ids=repr)
def test_a_manifest_with_anything_anywhere_never_ends_in_a_traceback(vcompress: CommandLine, copy: Path, mel: Path, tmp_path: Path, value: object) -> None:
    good = json.loads((copy / MANIFEST).read_text())
    for path in places(good)[1:]:
        manifest = deepcopy(good)
        set_value(manifest, path, value)
        (copy / MANIFEST).write_text(json.dumps(manifest))
        answer = vcompress("synth", copy, mel, "-o", tmp_path / "out.wav")
        assert answer.code in (0, 2), path
        assert len(answer.err.splitlines()) == (1 if answer.code else 0), path


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x0a\x3a\xff\xff\xff\xff"], ids=["empty", "text", "damaged"])
def test_synth_refuses_a_graph_that_is_none(vcompress: CommandLine, copy: Path, mel: Path, tmp_path: Path, content: bytes) -> None:
    (copy / GRAPH).write_bytes(content)
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["files"][GRAPH] = sha256(copy / GRAPH)
    (copy / MANIFEST).write_text(json.dumps(manifest))
    assert_one_sentence(vcompress("synth", copy, mel, "-o", tmp_path / "out.wav"), GRAPH)


def test_synth_refuses_a_graph_that_was_altered(vcompress: CommandLine, copy: Path, mel: Path, tmp_path: Path) -> None:
    with (copy / GRAPH).open("ab") as file:
        file.write(b"\0")
    assert_one_sentence(vcompress("synth", copy, mel, "-o", tmp_path / "out.wav"), "does not match its hash")


def test_synth_refuses_a_graph_that_is_gone(vcompress: CommandLine, copy: Path, mel: Path, tmp_path: Path) -> None:
    (copy / GRAPH).unlink()
    assert_one_sentence(vcompress("synth", copy, mel, "-o", tmp_path / "out.wav"), f"lacks {GRAPH}")


# --- names ------------------------------------------------------------------------------------------------------------------


def test_synth_refuses_a_back_end_that_is_unknown(vcompress: CommandLine, artifact: Path, mel: Path, tmp_path: Path) -> None:
    answer = vcompress("synth", artifact, mel, "-o", tmp_path / "out.wav", "--backend", "abacus")
    assert_one_sentence(answer, "'abacus'", "onnxruntime")


def test_bench_refuses_names_that_are_unknown(vcompress: CommandLine, artifact: Path, tmp_path: Path) -> None:
    place = ("--workspace", tmp_path / "runs")
    assert_one_sentence(vcompress("bench", artifact, *place, "--measure", "taste"), "'taste'", "quality")
    assert_one_sentence(vcompress("bench", artifact, *place, "--measure", "rtf", "--backend", "abacus"), "'abacus'", "onnxruntime")


@pytest.mark.parametrize("command", ["train", "quantize", "qat", "run"])
def test_refuses_a_family_or_size_that_is_unknown(vcompress: CommandLine, tmp_path: Path, command: str) -> None:
    place = ("--workspace", tmp_path / "runs")
    assert_one_sentence(vcompress(command, "wavenot", *place), "'wavenot'", "melgan, hifigan, diffwave")
    assert_one_sentence(vcompress(command, "hifigan", "--size", "XXL", *place), "'XXL'", "S, M, L")
    assert not (tmp_path / "runs").exists()


def test_run_refuses_a_recipe_that_is_unknown(vcompress: CommandLine, tmp_path: Path) -> None:
    answer = vcompress("run", "hifigan", "--recipes", "static_w3a3", "--workspace", tmp_path / "runs")
    assert_one_sentence(answer, "'static_w3a3'", "static_w8a8")
    assert not (tmp_path / "runs").exists()


# --- nothing there yet --------------------------------------------------------------------------------------------------------


def test_bench_says_that_there_is_no_artifact_yet(vcompress: CommandLine, tmp_path: Path) -> None:
    assert_one_sentence(vcompress("bench", "--workspace", tmp_path / "runs"), "no artifact", "vcompress export")
    assert not (tmp_path / "runs").exists()


def test_pareto_says_that_there_are_no_records_yet(vcompress: CommandLine, tmp_path: Path) -> None:
    assert_one_sentence(vcompress("pareto", "--workspace", tmp_path / "runs"), "no records", "vcompress bench")
    assert not (tmp_path / "runs").exists()


def test_export_says_that_there_is_no_run_yet(vcompress: CommandLine, tmp_path: Path) -> None:
    assert_one_sentence(vcompress("export", "--int8", "--workspace", tmp_path / "runs"), "vcompress quantize")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("clips", [(), ("a.wav",)], ids=["empty", "one side"])
def test_bench_refuses_a_folder_without_validation_clips(vcompress: CommandLine, artifact: Path, tmp_path: Path, clips: tuple[str, ...]) -> None:
    (tmp_path / "data").mkdir()
    for name in clips:
        soundfile.write(tmp_path / "data" / name, tone(), 16000)
    answer = vcompress("bench", artifact, "--data", tmp_path / "data", "--workspace", tmp_path / "runs")
    assert_one_sentence(answer, str(tmp_path / "data"))
    assert_one_sentence(vcompress("bench", artifact, "--data", tmp_path / "none", "--workspace", tmp_path / "runs"), str(tmp_path / "none"))


def test_bench_refuses_a_pattern_that_is_none(vcompress: CommandLine, artifact: Path, tmp_path: Path) -> None:
    assert_one_sentence(vcompress("bench", artifact, "--validation", "(", "--workspace", tmp_path / "runs"), "'('")


# --- places that cannot be written --------------------------------------------------------------------------------------------


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix == ".part"]


@pytest.mark.parametrize("name", ["out.mp3", "out", "mel.npy/out.wav", "folder.wav"])
def test_synth_refuses_a_place_that_cannot_be_written(vcompress: CommandLine, artifact: Path, mel: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.wav").mkdir()
    assert_one_sentence(vcompress("synth", artifact, mel, "-o", tmp_path / name), str(tmp_path / name))
    assert not leftovers(tmp_path) and list((tmp_path / "folder.wav").iterdir()) == []


def test_synth_leaves_the_old_file_when_the_disk_is_full(
    vcompress: CommandLine, artifact: Path, mel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    (tmp_path / "out.wav").write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", fill)
    assert_one_sentence(vcompress("synth", artifact, mel, "-o", tmp_path / "out.wav"), "No space left", str(tmp_path / "out.wav"))
    assert (tmp_path / "out.wav").read_bytes() == b"old" and not leftovers(tmp_path)


@pytest.mark.parametrize("command", [("train", "hifigan"), ("quantize", "hifigan"), ("qat", "hifigan"), ("run", "hifigan"), ("bench",)], ids=" ".join)
def test_refuses_a_workspace_that_cannot_be_written(vcompress: CommandLine, artifact: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("no folder")
    given = (artifact,) if command == ("bench",) else ()
    assert_one_sentence(vcompress(*command, *given, "--workspace", tmp_path / "file" / "runs"), str(tmp_path / "file" / "runs"), "--workspace")


def test_bench_ends_with_a_sentence_when_the_disk_is_full(vcompress: CommandLine, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("vcompress.benchmarks.records.os.fsync", fail)
    answer = vcompress("bench", artifact, "--measure", "size", "--workspace", tmp_path / "runs")
    assert_one_sentence(answer, "records.jsonl", "No space left")


def test_pareto_leaves_no_part_of_a_page_when_the_disk_is_full(vcompress: CommandLine, artifact: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    pytest.importorskip("jinja2", reason="jinja2 is not installed")
    place = ("--workspace", tmp_path / "runs")
    assert vcompress("bench", artifact, "--measure", "size", *place).code == 0
    (tmp_path / "file").write_text("no folder")
    assert_one_sentence(vcompress("pareto", *place, "--out", tmp_path / "file" / "page"), str(tmp_path / "file" / "page"))
    assert not leftovers(tmp_path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        part.write_text("new, but not w")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_demo_corpus_refuses_a_cache_that_cannot_be_written(vcompress: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("espeakng_loader", reason="espeakng-loader is not installed")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    assert_one_sentence(vcompress("demo-corpus"), "XDG_CACHE_HOME")
