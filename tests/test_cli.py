"""The command line: what it imports, what it prints, how it ends."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import CommandLine
from tiny import tiny_artifact, tiny_run, tone

from vcompress import __main__, __version__
from vcompress.cli.app import COMMANDS
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.synthesis import synthesize
from vcompress.runtime.workspace import Workspace
from vcompress.vocoders.registry import family_names

HEAVY = ("torch", "onnxruntime", "onnx", "plotly", "matplotlib", "numpy", "pydantic")


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "--json"], *([command, "--help"] for command in COMMANDS)], ids=" ".join)
def test_starts_without_anything_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from vcompress.__main__ import main\n"
        f"code = main({arguments!r})\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(code, loaded, file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, timeout=120)
    assert ended.stderr.strip() == "0 []"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(vcompress: CommandLine, command: str) -> None:
    answer = vcompress(command, "--help")
    assert answer.code == 0
    assert "Example" in answer.out and f"vcompress {command}" in answer.out


def test_help_names_every_command(vcompress: CommandLine) -> None:
    answer = vcompress("--help")
    assert answer.code == 0
    assert all(f"\n  {command} " in answer.out for command in COMMANDS)


def test_version(vcompress: CommandLine) -> None:
    assert vcompress("--version").out == f"{__version__}\n"


def test_list_has_every_vocoder(vcompress: CommandLine) -> None:
    rows = json.loads(vcompress("list", "--json").out)
    assert {row["family"] for row in rows} == set(family_names())
    assert {(row["family"], row["size"]) for row in rows} >= {(family, size) for family in ("melgan", "hifigan", "diffwave", "wavegrad") for size in "SML"}
    wanted = {"family", "size", "parameters", "gflops_per_second", "network_calls", "fp32_bytes"}
    assert all(wanted <= row.keys() for row in rows)
    assert {row["network_calls"] for row in rows if row["family"] == "diffwave"} == {6}
    table = vcompress("list").out
    assert all(f"{row['parameters']:,}" in table and f"{row['fp32_bytes']:,}" in table for row in rows)


def test_synth_gives_the_artifacts_waveform_at_the_level_of_the_input(vcompress: CommandLine, tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "artifact")
    soundfile.write(tmp_path / "speech.wav", tone(0.5), 16000)
    answer = vcompress("synth", artifact.folder, tmp_path / "speech.wav", "-o", tmp_path / "out.wav")
    assert (answer.code, answer.out.strip()) == (0, str(tmp_path / "out.wav"))
    made, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    front_end = artifact.manifest.front_end
    source, _ = soundfile.read(tmp_path / "speech.wav", dtype="float32")
    gain = front_end.gain(source)
    expected = synthesize(artifact, load("onnxruntime", artifact), front_end.mel(source * gain)) / gain
    assert rate == 16000 and len(made) == 8000 // 256 * 256
    np.testing.assert_allclose(made, np.clip(expected, -1, 1), atol=1e-4)


@pytest.mark.parametrize("rate, channels", [(22050, 1), (44100, 2), (8000, 1)])
def test_synth_takes_any_rate_and_channels(vcompress: CommandLine, tmp_path: Path, rate: int, channels: int) -> None:
    artifact = tiny_artifact(tmp_path / "artifact")
    soundfile.write(tmp_path / "speech.flac", np.stack([tone(0.5, rate)] * channels, axis=1), rate)
    answer = vcompress("synth", artifact.folder, tmp_path / "speech.flac", "--out", tmp_path / "new" / "out.flac", "--json")
    assert answer.code == 0
    facts = json.loads(answer.out)
    assert facts["out"] == str(tmp_path / "new" / "out.flac") and facts["sample_rate"] == 16000
    assert soundfile.info(facts["out"]).duration == pytest.approx(facts["seconds"]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("form", ["mel.npy", "mel.npz", "batch.npy"])
def test_synth_takes_a_saved_mel(vcompress: CommandLine, tmp_path: Path, form: str) -> None:
    artifact = tiny_artifact(tmp_path / "artifact")
    mel = artifact.manifest.front_end.mel(tone(0.5))
    if form.endswith(".npz"):
        np.savez(tmp_path / form, mel=mel, hop_length=256)
    else:
        np.save(tmp_path / form, mel[None] if form == "batch.npy" else mel)
    answer = vcompress("synth", artifact.folder, tmp_path / form, "-o", tmp_path / "out.wav")
    assert answer.code == 0
    made, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert len(made) == 256 * mel.shape[1]
    np.testing.assert_allclose(made, synthesize(artifact, load("onnxruntime", Artifact.open(artifact.folder)), mel), atol=1e-4)


def test_demo_corpus_prints_its_folder(vcompress: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("espeakng_loader", reason="espeakng-loader is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("vcompress.vocoders.demo_corpus.make_demo_corpus.__defaults__", (None, 3, lambda done, total: None))
    answer = vcompress("demo-corpus")
    folder = Path(answer.out.strip())
    assert answer.code == 0 and folder.is_relative_to(tmp_path)
    assert len(list(folder.rglob("*.flac"))) == 6 and (folder / "metadata.csv").is_file()
    assert json.loads(vcompress("demo-corpus", "--json").out) == {"folder": str(folder)}


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two prompts in two takes: one is held out by `--validation held`."""
    for index, stem in enumerate(("held_1", "held_2", "kept_1", "kept_2")):
        path = tmp_path / "recordings" / f"{stem}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, tone(0.6, level=0.1 + 0.02 * index), 16000)
    return tmp_path / "recordings"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An old and a new fp32 run and a static one, all with artifacts."""
    workspace = Workspace(tmp_path / "runs")
    for recipe, seed in (("fp32", 0), ("fp32", 1), ("static_w8a8", 2)):
        tiny_run(workspace, recipe, seed)
    return workspace


def test_bench_takes_the_newest_artifact_of_every_recipe(vcompress: CommandLine, workspace: Workspace) -> None:
    answer = vcompress("bench", "--workspace", workspace.root, "--measure", "size", "--json")
    assert answer.code == 0
    document = json.loads(answer.out)
    assert document["records"] == str(workspace.records)
    measured = {(figure["recipe"], figure["artifact"]) for figure in document["figures"]}
    newest = {recipe: Artifact.open(next(workspace.runs(recipe=recipe)).artifact).identity for recipe in ("fp32", "static_w8a8")}
    assert measured == set(newest.items())


def test_bench_takes_the_artifacts_and_clips_it_is_given(vcompress: CommandLine, workspace: Workspace, recordings: Path) -> None:
    artifact = next(workspace.runs(recipe="static_w8a8")).artifact
    arguments = ["--workspace", workspace.root, "--data", recordings, "--validation", "held", "--measure", "quality", "--json"]
    figures = json.loads(vcompress("bench", artifact, *arguments).out)["figures"]
    assert {figure["recipe"] for figure in figures} == {"static_w8a8"}
    mel = next(figure for figure in figures if figure["metric"] == "log_mel_l1")
    assert len(mel["samples"]) == 2
    one = json.loads(vcompress("bench", artifact, *arguments, "--clips", "1").out)["figures"]
    assert len(next(figure for figure in one if figure["metric"] == "log_mel_l1")["samples"]) == 1


def test_bench_and_pareto_print_the_key_table(vcompress: CommandLine, workspace: Workspace) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    pytest.importorskip("jinja2", reason="jinja2 is not installed")
    answer = vcompress("bench", "--workspace", workspace.root, "--measure", "size", "--measure", "rtf", "--repeats", 3, "--threads", 1, "--threads", 2)
    assert answer.code == 0
    assert "| static_w8a8" in answer.out and str(workspace.records) in answer.out
    assert "hifigan-s fp32: rtf = " in answer.err
    before = workspace.records.read_text()
    again = vcompress("bench", "--workspace", workspace.root, "--measure", "size", "--measure", "rtf", "--repeats", 3, "--threads", 1, "--threads", 2)
    assert again.out == answer.out and workspace.records.read_text() == before
    page = vcompress("pareto", "--workspace", workspace.root)
    assert page.code == 0 and "| static_w8a8" in page.out
    assert page.out.rstrip().splitlines()[-1] == str(workspace.root / "report" / "report.html")
    paths = json.loads(vcompress("pareto", "--workspace", workspace.root, "--out", workspace.root / "page", "--json").out)
    assert {key: Path(path).name for key, path in paths.items()} == {"html": "report.html", "csv": "pareto.csv", "png": "pareto.png"}
    assert all(Path(path).is_file() and Path(path).parent == workspace.root / "page" for path in paths.values())


def test_ends_with_a_sentence_when_interrupted(vcompress: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vcompress.vocoders.catalogue.catalogue", interrupt)
    answer = vcompress("list")
    assert answer.code == 130 and answer.err.startswith("Stopped") and len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("number, words", [(errno.ENOSPC, "disk is full"), (errno.EROFS, "Read-only"), (errno.EACCES, "denied")])
def test_ends_with_a_sentence_when_a_place_cannot_be_written(vcompress: CommandLine, monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number), "/there/is/file")

    monkeypatch.setattr("vcompress.vocoders.catalogue.catalogue", refuse)
    answer = vcompress("list")
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err and "/there/is/file" in answer.err and len(answer.err.splitlines()) == 1


def test_ends_with_a_sentence_on_the_light_install(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['torch'] = None  # as if it were not installed\n"
        "from vcompress.__main__ import main\n"
        f"sys.exit(main(['train', 'hifigan', '--workspace', {str(tmp_path / 'runs')!r}]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, timeout=120)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "torch" in ended.stderr and "vcompress[compress]" in ended.stderr


def test_is_quiet_when_the_reader_of_a_pipe_leaves() -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m vcompress list --json | true; exit ${{PIPESTATUS[0]}}"], text=True, capture_output=True, timeout=120
    )
    assert ended.returncode in (0, 1) and ended.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_ends_with_a_sentence_when_stdout_is_full() -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run([sys.executable, "-m", "vcompress", "list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert ended.returncode == 2
    assert "disk is full" in ended.stderr and len(ended.stderr.splitlines()) == 1


def test_a_bug_stays_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcompress.vocoders.catalogue.catalogue", lambda: 1 / 0)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(ZeroDivisionError):
        __main__.main(["list"])
