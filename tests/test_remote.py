"""The bench on a board, over a shell that only stands for one and over a real sshd; and everything that a board may answer that was not asked."""

import base64
import io
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from board_shells import PYTHON, SSHD, CutShell, LocalShell, LyingShell, sshd
from conftest import CommandLine
from tiny_bench import diffusion, gan, write_clips
from tiny_wavernn import exported

from vcompress.benchmarks import quality
from vcompress.benchmarks.bench import FAMILIES, bench
from vcompress.benchmarks.metrics import METRICS
from vcompress.benchmarks.records import Record, read_records
from vcompress.benchmarks.remote.answers import LINE, Asked, environment_of, longest_line, read_answers, waveform_of
from vcompress.benchmarks.remote.bench import FORMATS, HERE, Wish, bench_on_board, prepare
from vcompress.benchmarks.remote.board import WHAT_TO_DO, Board, Here
from vcompress.benchmarks.remote.bundle import Item, artifact_item, code_item
from vcompress.benchmarks.remote.on_board import HOME, MARK
from vcompress.benchmarks.remote.worker import plain
from vcompress.benchmarks.subject import BenchSettings
from vcompress.errors import VcompressError
from vcompress.runtime.artifact import Artifact
from vcompress.targets.profile import find_profile
from vcompress.targets.ssh import OpenSSH

SETTINGS = BenchSettings(seconds=0.1, repeats=3, warmup=1, families=("rtf",))
WISH = Wish(find_profile("rpi-4b"), another_machine=True, threads=(1,))
LABEL = "rpi-4b on ANOTHER machine"


@pytest.fixture
def few_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two quickest."""
    monkeypatch.setattr(quality, "METRICS", {name: METRICS[name] for name in ("log_mel_l1", "d_stft")})


def run(shell: LocalShell, artifacts: list[Artifact], path: Path, settings: BenchSettings = SETTINGS, clips=(), wish: Wish = WISH) -> list[Record]:
    return bench_on_board(Board(shell, PYTHON), artifacts, clips, settings, wish, lambda text: None, path, lambda *told: None)


def test_a_bench_on_a_board_is_a_bench_and_its_quality_is_judged_here(tmp_path: Path, few_metrics: None) -> None:
    shell, settings = LocalShell(tmp_path / "home"), replace(SETTINGS, families=("size", "rtf", "memory", "quality"))
    shell.home.mkdir()
    artifacts, clips = [gan(tmp_path / "fp32"), gan(tmp_path / "int8", "static_w8a8")], write_clips(tmp_path / "clips")
    found = run(shell, artifacts, tmp_path / "desk" / "records.jsonl", settings, clips, replace(WISH, threads=(1, 2)))
    assert {record.target for record in found} == {LABEL} and len({record.environment["machine"] for record in found}) == 1
    assert [record.settings for record in found if record.metric == "rtf"] == 2 * [{"threads": 1}, {"threads": 2}]
    assert all(record.value for record in found if record.metric in ("rtf", "peak_memory", "file_bytes"))
    here = bench(artifacts, clips, replace(settings, families=("quality",)), tmp_path / "here" / "records.jsonl")
    same = {(record.recipe, record.metric): record for record in here}
    judged = [record for record in found if record.clips]
    assert len(judged) == len(same) and all(record.value == same[record.recipe, record.metric].value for record in judged)
    assert {"log_mel_l1", "d_stft", "snr_fp32"} == {record.metric for record in judged}
    assert all(record.environment["judged_on"] for record in judged if record.value is not None)
    assert (tmp_path / "desk" / "audio" / artifacts[0].identity / "clip_1.wav").is_file()
    lines, sent = (tmp_path / "desk" / "records.jsonl").read_text(), len([command for command in shell.commands if '{"do": "receive"}' in command])
    assert run(shell, artifacts, tmp_path / "desk" / "records.jsonl", settings, clips, replace(WISH, threads=(1, 2))) == found
    assert (tmp_path / "desk" / "records.jsonl").read_text() == lines
    assert len([command for command in shell.commands if '{"do": "receive"}' in command]) == sent  # nothing was sent twice


def test_steps_of_a_diffusion_do_not_come_back_but_its_output_does(tmp_path: Path, few_metrics: None) -> None:
    shell, settings = LocalShell(tmp_path), replace(SETTINGS, families=("quality",))
    found = run(shell, [diffusion(tmp_path / "fp32")], tmp_path / "desk" / "records.jsonl", settings, write_clips(tmp_path / "clips", 1, 0.5))
    assert {record.metric for record in found} == {"log_mel_l1", "d_stft", "snr_fp32"}


def test_a_board_that_goes_away_leaves_what_came_and_goes_on(tmp_path: Path) -> None:
    artifact, path = diffusion(tmp_path / "fp32"), tmp_path / "desk" / "records.jsonl"
    with pytest.raises(VcompressError, match=r"broke off .* give the same command to go on"):
        run(CutShell(tmp_path), [artifact], path)
    kept = path.read_text()
    assert [record.metric for record in read_records(path)] == ["rtf"]
    found = run(LocalShell(tmp_path), [artifact], path)
    assert path.read_text().startswith(kept) and {record.metric for record in found} > {"rtf", "call_ms_step"}
    assert sum('"metric": "rtf"' in line for line in path.read_text().splitlines()) == 1  # the board did not measure it again


def test_a_board_is_not_called_what_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(VcompressError, match=r"pi@board: This machine .* the target rpi-4b is a Raspberry Pi 4 Model B"):
        run(LocalShell(tmp_path), [gan(tmp_path / "fp32")], tmp_path / "records.jsonl", wish=replace(WISH, another_machine=False))
    assert not (tmp_path / "records.jsonl").exists()


@pytest.mark.parametrize(("backend", "form"), FORMATS.items())
def test_an_artifact_without_the_files_of_a_back_end_is_not_sent(tmp_path: Path, backend: str, form: str) -> None:
    shell = LocalShell(tmp_path)
    with pytest.raises(VcompressError, match=f"holds no {form} files, which {backend} on pi@board runs"):
        run(shell, [gan(tmp_path / "fp32")], tmp_path / "records.jsonl", wish=replace(WISH, backend=backend))
    assert len(shell.commands) == 1


@pytest.mark.skipif(shutil.which("cc") is None, reason="cc (a C compiler) is not installed")
def test_a_loop_is_compiled_on_the_board_which_says_so_where_it_has_no_compiler(tmp_path: Path) -> None:
    class Bare(LocalShell):
        def start(self, command: str):
            return super().start(f"export PATH={tmp_path} && {command}")

    artifact, wish = exported(), replace(WISH, backend="loop", threads=None)
    settings = replace(SETTINGS, seconds=0.02)
    with pytest.raises(VcompressError, match=r"^pi@board says: WaveRNN's loop needs a C compiler; install one, on Debian with: [^.]*\.$"):
        run(Bare(tmp_path), [artifact], tmp_path / "records.jsonl", settings, wish=wish)
    found = {record.metric: record for record in run(LocalShell(tmp_path), [artifact], tmp_path / "records.jsonl", settings, wish=wish)}
    assert found["rtf"].value and found["rtf"].settings == {"threads": 1} and found["rtf"].backend == "loop"
    assert "makes no calls of it" in found["call_ms_fine"].reason and list((tmp_path / HOME / "cache").rglob("*.so"))


class ToldBoard(Board):
    """A board that is what a test says, and notes what it gets."""

    here = Here("aarch64", 64, "Raspberry Pi 4 Model B Rev 1.4", 4, 1 << 30, "3.11", frozenset(), frozenset())

    def look(self, items):
        return self.here

    def send(self, items, progress) -> None:
        self.got = [item.name.partition("/")[0] for item in items]

    def make_environment(self, backend, progress) -> None:
        self.got.append(backend)


def test_a_board_that_is_the_target_gets_what_suits_it(tmp_path: Path) -> None:
    board = ToldBoard(LocalShell(tmp_path))
    made = prepare(board, [gan(tmp_path / "fp32")], SETTINGS, Wish(find_profile("rpi-4b")), lambda text: None)
    assert board.got == ["code", "artifacts", "onnxruntime"]
    assert (made.settings.target, made.settings.backend, made.settings.threads, made.settings.power_of) == ("rpi-4b", "onnxruntime", (1, 2, 3, 4), "rpi-4b")
    board.here = replace(board.here, free=100)
    with pytest.raises(VcompressError, match="has 0 MB of disk left"):
        prepare(board, [gan(tmp_path / "fp32")], SETTINGS, Wish(find_profile("rpi-4b")), lambda text: None)


def test_what_goes_to_a_board_is_named_by_its_content(tmp_path: Path) -> None:
    artifact = gan(tmp_path / "fp32")
    item = artifact_item(artifact)
    assert item.name == artifact_item(Artifact.open(artifact.folder)).name != artifact_item(gan(tmp_path / "other", seed=1)).name
    code = code_item()
    assert code.name == code_item().name
    assert not [path for path in code.files if "weights" in path or "tests/" in path or "__pycache__" in path]
    assert {"vcompress/benchmarks/remote/worker.py", "vcompress/targets/profiles/rpi-4b.toml", "vcompress/errors.py"} <= set(code.files)


def test_every_family_that_a_board_measures_is_complete_there_and_starts_without_torch(tmp_path: Path) -> None:
    for name, path in code_item().files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(path if isinstance(path, bytes) else path.read_bytes())
    modules = ["remote.worker", *(family for family in FAMILIES if family not in HERE)]
    lines = [f"import vcompress.benchmarks.{module}" for module in modules]
    lines += ["import sys, vcompress", f"sys.exit('torch' in sys.modules or not vcompress.__file__.startswith({str(tmp_path)!r}))"]
    done = subprocess.run([PYTHON, "-P", "-c", "\n".join(lines)], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_bundle_stays_below_the_boards_folder(tmp_path: Path) -> None:
    shell = LocalShell(tmp_path / "home")
    shell.home.mkdir()
    with pytest.raises(VcompressError, match="could not keep what it was sent"):
        Board(shell, PYTHON).send([Item("artifacts", {"../../../../outside": b"x"})], lambda done, total: None)
    assert not [path for path in tmp_path.rglob("*outside*")] and not list((shell.home / HOME).glob(".part*"))


def answers(*documents: object) -> bytes:
    return b"".join(MARK.encode() + (d if isinstance(d, bytes) else json.dumps(d).encode()) + b"\n" for d in documents)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, dict[str, object], dict[str, str]]:
    """An artifact, a record of it as a board would send it, and the board's environment."""
    artifact, machine = gan(tmp_path_factory.mktemp("artifact") / "fp32"), {"machine": "Pi"}
    manifest = artifact.manifest
    known = (artifact.identity, manifest.name, manifest.family, manifest.size, manifest.recipe)
    record = Record(*known, "onnxruntime", LABEL, "rtf", 0.5, "s/s", environment=machine)
    return artifact, json.loads(record.to_line()), machine


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 99},
        {"value": "fast"},
        {"value": -1.0},
        {"samples": [1.0] * 20_000},
        {"samples": [-1.0]},
        {"artifact": "0" * 16},
        {"name": "../../etc/passwd"},
        {"recipe": "qat_w8a8"},
        {"backend": "litert"},
        {"target": "rpi-4b"},
        {"metric": "../rtf"},
        {"clips": "0123456789abcdef"},
        {"known": "published"},
        {"reason": "\x1b]0;owned\x07"},
        {"method": "x" * 5000},
        {"environment": {"machine": "another"}},
        {"environment": {"machine": "Pi", "note\n": "x"}},
        {"environment": {"machine": "Pi"} | {f"key {i}": "x" for i in range(200)}},
        {"settings": {"a": {"b": {"c": {"d": {"e": 1}}}}}},
        {"settings": {"threads": 1e300}},
        {"surplus": 1},
    ],
    ids=lambda changes: f"{str(changes)[:40]!r}",
)
def test_a_record_that_was_not_asked_for_is_refused(honest, changes: dict[str, object]) -> None:
    artifact, record, machine = honest
    asked = Asked("pi@board", {artifact.identity: artifact.manifest}, "onnxruntime", LABEL)
    assert asked.record({"record": record}, machine, "now").value == 0.5
    with pytest.raises(VcompressError) as refused:
        asked.record({"record": {**record, **changes}}, machine, "now")
    assert str(refused.value).isprintable() and "pi@board sent a record" in str(refused.value)


def test_a_board_tells_in_plain_lines(honest) -> None:
    artifact, record, machine = honest
    asked = Asked("pi@board", {artifact.identity: artifact.manifest}, "onnxruntime", LABEL)
    said = {**record, "value": None, "reason": "no\ncounter\x1b[0m " + "x" * 5000, "metric": "energy_net", "samples": [-0.5]}
    assert asked.record({"record": plain(said)}, machine, "now").reason.startswith("no counter [0m xxx")


@pytest.mark.parametrize(
    "said",
    [
        answers(b"x" * (LINE + 10)),
        answers(b"{"),
        answers(b"[" * 5000),
        answers(b'{"kind": "record", "value": NaN}'),
        answers(b"7"),
        answers({"no": "kind"}),
        b"\x1b[2J" * (1 << 19) + b"\n",
        b"no newline at all" * (1 << 15),
    ],
    ids=["long", "cut", "deep", "nan", "number", "no kind", "chatter", "endless"],
)
def test_a_line_that_is_no_answer_is_refused(said: bytes) -> None:
    with pytest.raises(VcompressError) as refused:
        list(read_answers(io.BytesIO(said), "pi@board"))
    assert str(refused.value).isprintable()


def test_what_a_login_prints_is_passed_over_and_a_cut_line_is_the_end() -> None:
    said = b"Welcome to Raspberry Pi OS\r\n" + answers({"kind": "here"}) + b"\x1b[31mmail\n" + answers({"kind": "done"})[:-5]
    assert [document["kind"] for document in read_answers(io.BytesIO(said), "pi@board")] == ["here"]


@pytest.mark.parametrize("data", [None, 7, "", "****", base64.b64encode(bytes(4 * 255)).decode(), base64.b64encode(bytes(2 * 256)).decode()])
def test_a_waveform_of_another_length_or_kind_is_refused(data: object) -> None:
    with pytest.raises(VcompressError, match="256 samples of float32"):
        waveform_of({"data": data}, 256, "pi@board")


def test_a_waveform_fits_its_line() -> None:
    waveform = np.linspace(-1, 1, 1000, dtype=np.float32)
    document = {"kind": "audio", "clip": 3, "data": base64.b64encode(waveform.astype("<f4").tobytes()).decode()}
    line = answers(document)
    assert len(line) <= longest_line(1000) and np.array_equal(waveform_of(document, 1000, "pi@board"), waveform)


def test_a_board_that_lies_leaves_nothing_behind(tmp_path: Path, honest) -> None:
    artifact, record, machine = honest
    shell = LyingShell(tmp_path)
    forged = answers({"kind": "machine", "environment": machine}, {"kind": "record", "record": {**record, "name": "\x1b"}})
    escape = answers({"kind": "error", "code": "sentence", "text": "\x1b[2J" + 1000 * "x"})
    for said in (forged, escape, b"", answers({"kind": "machine"})):
        shell.said = said
        with pytest.raises(VcompressError) as refused:
            run(shell, [artifact], tmp_path / "records.jsonl")
        assert str(refused.value).isprintable() and len(str(refused.value)) < 600
    assert not (tmp_path / "records.jsonl").exists()
    with pytest.raises(VcompressError):
        environment_of({"environment": {"machine": "\x07"}}, "pi@board")


@pytest.mark.parametrize("code", WHAT_TO_DO)
def test_what_keeps_a_board_from_working_is_one_sentence(tmp_path: Path, code: str) -> None:
    class Failing(LocalShell):
        def start(self, command: str):
            return super().start(f"printf '%s\\n' '{answers({'kind': 'error', 'code': code, 'text': 'why.'}).decode().strip()}'")

    with pytest.raises(VcompressError, match=r"^pi@board .*[^.]\.$"):
        Board(Failing(tmp_path)).make_environment("onnxruntime", lambda what: None)


@pytest.mark.parametrize("name", ["-oProxyCommand=true", "", "a b", "pi@-host", "pi@host;true", "$(true)", "pi@host\n", "`true`", "@host"])
def test_a_host_that_is_none_never_becomes_an_option(name: str) -> None:
    with pytest.raises(VcompressError, match="is no host"):
        OpenSSH(name)


@pytest.mark.parametrize("name", ["pi@raspberrypi.local", "board", "10.0.0.7", "fe80::1%eth0", "user_1@my-pi"])
def test_a_host_is_asked_without_questions(name: str) -> None:
    options = OpenSSH(name, port=2222).options
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no"} <= set(options) and options[-2:] == ["-p", "2222"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("No ED25519 host key is known for board and you have ...\nHost key verification failed.", "is not known; log in once with: ssh board"),
        ('@ REMOTE HOST IDENTIFICATION HAS CHANGED! @\n  ssh-keygen -f "/k" -R "board"\nHost key ...', 'with: ssh-keygen -f "/k" -R "board"'),
        ("pi@board: Permission denied (publickey,password).", "set up a key with: ssh-copy-id board"),
        ("ssh: Could not resolve hostname board: Name or service not known", "no host board"),
        ("ssh: connect to host board port 22: Connection refused", "takes no ssh"),
        ("ssh: connect to host board port 22: Connection timed out", "does not answer"),
        ("\x1b[31mkex_exchange_identification: Connection closed", "failed ([31mkex_exchange_identification: Connection closed); check"),
    ],
)
def test_every_failure_of_ssh_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, sentence: str) -> None:
    (tmp_path / "said").write_text(said)
    (tmp_path / "ssh").write_text(f"#!/bin/sh\ncat {tmp_path}/said >&2\nexit 255\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(VcompressError) as failed:
        Board(OpenSSH("board")).look([])
    assert sentence in str(failed.value) and str(failed.value).isprintable()


@pytest.mark.skipif(SSHD is None, reason="sshd is not installed")
@pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")
def test_over_a_real_sshd(vcompress: CommandLine, tmp_path: Path) -> None:
    artifact = gan(tmp_path / "fp32").folder
    with sshd(tmp_path) as (port, config):
        arguments = ("bench", artifact, "--target", "rpi-4b", "--another-machine", "--host", "board", "--ssh-config", config, "--board-python", PYTHON)
        arguments += ("--measure", "rtf", "--threads", 1, "--repeats", 3, "--workspace", tmp_path / "runs")
        known = (tmp_path / "known").read_text()
        (tmp_path / "known").write_text("")
        answer = vcompress(*arguments)
        assert answer.code == 2 and "host key of board is not known" in answer.err and not (tmp_path / "home" / HOME).exists()
        (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {' '.join((tmp_path / 'id.pub').read_text().split()[:2])}\n")
        answer = vcompress(*arguments)
        assert answer.code == 2 and "is not the one that is known" in answer.err and not (tmp_path / "home" / HOME).exists()
        (tmp_path / "known").write_text(known)
        answer = vcompress(*arguments)
        assert answer.code == 0 and f"Measured as {LABEL}" in answer.out
        assert "rtf" in {record.metric for record in read_records(tmp_path / "runs" / "records.jsonl")}
