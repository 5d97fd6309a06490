"""Files of torch.save: whole modules are read as data, code is refused, damage is said."""

import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import weight_norm

from vcompress.errors import VcompressError
from vcompress.vocoders.importers.pickles import StandIn, module_state, read_pickle


class WaveGlow(nn.Module):
    """Saved under the name glow.WaveGlow, which is not there when it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.n_flows = 2
        self.upsample = nn.ConvTranspose1d(2, 2, 4)
        self.WN = nn.ModuleList(weight_norm(nn.Conv1d(2, 3, 1)) for _ in range(2))
        self.register_buffer("count", torch.arange(3))


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> WaveGlow:
    """As in a program where `glow` can be imported; gone when the fixture ends, and hidden before reading."""
    glow = ModuleType("glow")
    monkeypatch.setattr(WaveGlow, "__module__", "glow")
    glow.WaveGlow = WaveGlow  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "glow", glow)
    torch.manual_seed(0)
    return WaveGlow()


def legacy_module(content: Any, path: Path) -> None:
    """As torch 0.4 and 1.x wrote: each class of a module with the text of its source, here one that must not be run."""
    storages: dict[str, torch.Tensor] = {}
    named: set[type] = set()

    class Writer(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            if isinstance(thing, type) and issubclass(thing, nn.Module) and thing not in named:
                named.add(thing)
                return ("module", thing, "glow.py", "raise SystemExit('ran')")
            if isinstance(thing, torch.storage.TypedStorage):
                key = str(thing._cdata)
                storages[key] = torch.tensor([], dtype=thing.dtype).set_(thing._untyped_storage)
                return ("storage", getattr(torch, thing.pickle_storage_type()), key, "cuda:0", len(thing), None)
            return None

    with path.open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
            pickle.dump(part, file, 2)
        Writer(file, 2).dump(content)
        pickle.dump(sorted(storages), file, 2)
        for key in sorted(storages):
            flat = storages[key].flatten()
            file.write(struct.pack("<q", len(flat)) + flat.numpy().tobytes())


@pytest.mark.parametrize("write", [lambda c, p: torch.save(c, p), legacy_module], ids=["zip", "legacy"])
def test_whole_module_is_read_as_data(module: WaveGlow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable) -> None:
    module.upsample.half()
    write({"model": module, "iteration": 5, "learning_rate": 1e-4}, tmp_path / "waveglow_5")
    monkeypatch.delitem(sys.modules, "glow")
    content = read_pickle(tmp_path / "waveglow_5")
    stand_in = content["model"]
    assert content["iteration"] == 5 and isinstance(stand_in, StandIn) and not isinstance(stand_in, nn.Module)
    assert (stand_in.stands_for, stand_in.n_flows) == ("glow.WaveGlow", 2) and "glow" not in sys.modules
    state, expected = module_state(stand_in), module.state_dict()
    assert set(state) == set(expected) and "WN.0.weight" not in state  # the plain weight beside weight norm is stale
    assert all(torch.equal(state[key], value) and state[key].dtype == value.dtype for key, value in expected.items())


class Run:
    """Pickled, a call: unpickling it the usual way makes the call."""

    def __init__(self, function: Callable, *arguments: Any):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def _bare(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, 2))


def _legacy(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


CONTENTS: dict[str, Callable[[Path], Any]] = {
    "system": lambda mark: Run(os.system, f"touch {mark}"),
    "beside tensors": lambda mark: {"generator": {"conv_pre.bias": torch.zeros(2)}, "optimizer": Run(Path.touch, mark)},
    "eval": lambda mark: Run(eval, f"open({str(mark)!r}, 'w')"),
    "getattr": lambda mark: Run(getattr, "text", "upper"),
    "in a dictionary's key": lambda mark: {Run(Path.touch, mark): 1},
}


@pytest.mark.parametrize("write", [torch.save, _legacy], ids=["zip", "legacy"])
@pytest.mark.parametrize("what", CONTENTS)
def test_code_is_refused_and_never_run(tmp_path: Path, write: Callable, what: str) -> None:
    mark = tmp_path / "executed"
    write(CONTENTS[what](mark), tmp_path / "g_1")
    with pytest.raises(VcompressError, match="would have to be run to be read, and is not") as caught:
        read_pickle(tmp_path / "g_1")
    assert not mark.exists() and str(caught.value).endswith(".")


def test_bare_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    _bare(Run(os.system, f"touch {mark}"), tmp_path / "g_1")
    with pytest.raises(VcompressError):
        read_pickle(tmp_path / "g_1")
    assert not mark.exists()


def test_class_that_is_no_known_module_is_refused_by_name(tmp_path: Path) -> None:
    torch.save(nn.Bilinear(2, 2, 2), tmp_path / "a.pt")
    with pytest.raises(VcompressError, match=r"names torch\.nn\.modules\.linear\.Bilinear"):
        read_pickle(tmp_path / "a.pt")


def _cut(keep: float, legacy: bool) -> Callable[[Path], object]:
    def act(path: Path) -> None:
        torch.save({"a": torch.randn(500), "b": torch.zeros(3)}, path, _use_new_zipfile_serialization=not legacy)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * keep)])

    return act


def _without_storage(path: Path) -> None:
    torch.save(OrderedDict(a=torch.randn(5)), path)
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if "/data/" not in name}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in kept.items():
            archive.writestr(name, data)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "There is no checkpoint"),
    "a folder": (lambda path: path.mkdir(), "There is no checkpoint"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("<html>Not found</html>\n" * 50), "no file that torch.save wrote"),
    "zip of something else": (lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "a"), "no file that torch.save wrote"),
    "zip cut in half": (_cut(0.5, False), "truncated"),
    "zip cut at its end": (_cut(0.98, False), "truncated"),
    "zip without a storage": (_without_storage, "truncated, damaged"),
    **{f"legacy cut at {keep}": (_cut(keep, True), "truncated") for keep in (0.02, 0.1, 0.5, 0.99)},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    act, said = DAMAGES[damage]
    act(tmp_path / "a.pt")
    with pytest.raises(VcompressError, match=said) as caught:
        read_pickle(tmp_path / "a.pt")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
