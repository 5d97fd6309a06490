"""The published SING: a whole pickled module that imports as data, computes what it computed, and may hold nothing that runs."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CommandLine
from public_sing import SING, published

from vcompress.errors import VcompressError
from vcompress.runtime.notes import Note, NoteFrontEnd
from vcompress.vocoders.importers import import_checkpoint


def saved(monkeypatch: pytest.MonkeyPatch, path: Path, zipped: bool = True, **attributes: Any) -> SING:
    with monkeypatch.context() as patch:
        module = published(patch)
        for name, value in attributes.items():
            setattr(module, name, value)
        torch.save(module, path, _use_new_zipfile_serialization=zipped)
    for name in [name for name in sys.modules if name == "sing" or name.startswith("sing.")]:
        del sys.modules[name]
    return module


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "as old versions of torch wrote"])
@torch.no_grad()
def test_an_imported_sing_plays_what_the_public_one_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, zipped: bool) -> None:
    theirs = saved(monkeypatch, tmp_path / "sing.th", zipped)
    read, importer = import_checkpoint(tmp_path / "sing.th", "sing")
    assert importer.code_base == "facebookresearch/SING" and not any(name.startswith("sing") for name in sys.modules)
    assert isinstance(read.front_end, NoteFrontEnd) and read.front_end.velocities == (25, 50, 75, 100, 127) and read.front_end.frames == 6
    network = read.build(folded=True)
    for note, rows in ((Note(2, 4, 127), (2, 4, 5)), (Note(0, 1, 100), (0, 1, 4)), (Note(1, 0, 25), (1, 0, 0))):
        expected = theirs(*rows)
        assert expected.std() > 1e-4
        torch.testing.assert_close(network(torch.from_numpy(read.front_end.codes(note))[None])[0, 0], expected, atol=1e-6, rtol=1e-4)


@torch.no_grad()
def test_the_state_of_its_trainer_imports_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    theirs = saved(monkeypatch, tmp_path / "sing.th")
    torch.save((20, theirs.state_dict()), tmp_path / "sing.torch")
    one, two = (import_checkpoint(tmp_path / name, "sing")[0] for name in ("sing.th", "sing.torch"))
    assert one.config == two.config and all(torch.equal(one.weights[key], two.weights[key]) for key in one.weights)


class Runs:
    """What a hostile file would hold: a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('ran')",)


def test_a_module_that_holds_a_call_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, vcompress: CommandLine) -> None:
    saved(monkeypatch, tmp_path / "sing.th", extra=Runs())
    with pytest.raises(VcompressError, match=r"names __builtin__\.exec, which would have to be run"):
        import_checkpoint(tmp_path / "sing.th", "sing")
    answer = vcompress("import", "sing", tmp_path / "sing.th", "--workspace", tmp_path / "runs")
    assert answer.code == 2 and answer.err.count("\n") == 1 and not (tmp_path / "runs" / "sing-facebookresearch").exists()


def test_what_is_no_sing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state = saved(monkeypatch, tmp_path / "sing.th").state_dict()
    for change, words in (
        ({"sequence_generator.tables.2.weight": torch.zeros(5, 2)}, "other steps or velocities"),
        ({"decoder.layers.2.weight": torch.zeros(10, 9, 1)}, "does not fit its configuration"),
        ({"sequence_generator.lstm.bias_hh_l1": None}, "has no sequence_generator.lstm.bias_hh_l1"),
    ):
        torch.save({key: value for key, value in {**state, **change}.items() if value is not None}, tmp_path / "odd.pt")
        with pytest.raises(VcompressError, match=words):
            import_checkpoint(tmp_path / "odd.pt", "sing")


def test_the_command_makes_a_run_to_go_on_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, vcompress: CommandLine) -> None:
    theirs = saved(monkeypatch, tmp_path / "sing.th")
    runs = tmp_path / "runs"
    assert vcompress("import", "sing", tmp_path / "sing.th", "--workspace", runs).code == 0
    artifact = vcompress("export", "--name", "sing-facebookresearch", "--workspace", runs).out.strip()
    out = tmp_path / "note.wav"
    assert vcompress("synth", artifact, "--instrument", 2, "--pitch", 3, "--velocity", 50, "-o", out).code == 0
    import soundfile

    with torch.no_grad():
        expected = theirs(2, 3, 1).numpy()
    assert np.abs(soundfile.read(out)[0] - expected).max() < 1e-4
    for arguments, words in (
        (("--instrument", 3, "--pitch", 3, "--velocity", 50), "has no instrument 3; choose of 0 to 2"),
        (("--instrument", 2, "--pitch", 3), "give --instrument, --pitch and --velocity"),
        ((out, "--instrument", 2, "--pitch", 3, "--velocity", 50), "and no recording"),
        (("--instrument", 2, "--pitch", 3, "--velocity", 50, "--seconds", 9), "lasts up to 0.096 s"),
    ):
        answer = vcompress("synth", artifact, *arguments, "-o", out)
        assert answer.code == 2 and words in answer.err
