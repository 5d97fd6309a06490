"""Checkpoints: what is kept, and every way in which a file can be wrong."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vcompress.errors import VcompressError
from vcompress.runtime.mel import FrontEnd
from vcompress.vocoders.checkpoint import Checkpoint, TrainingFacts, new_checkpoint, read_checkpoint, save_checkpoint, shipped_checkpoint
from vcompress.vocoders.hifigan import HiFiGAN, HiFiGANConfig
from vcompress.vocoders.registry import find_family

CONFIG = HiFiGANConfig(channels=16, upsample_rates=(4, 4), upsample_kernels=(8, 8), residual_kernels=(3,), dilations=((1, 2),))
FACTS = TrainingFacts(("recordings",), 7, 3.5, "spectral", 0.25, 4)


def tiny_checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    empty = new_checkpoint(find_family("hifigan"), "S", FrontEnd(maximum=5.0, level_db=-20.0), FACTS)
    return replace(empty, config=CONFIG, weights=HiFiGAN(CONFIG).state_dict())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "weights.safetensors", tiny_checkpoint())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float16, 1e-2)])
def test_checkpoint_comes_back(tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    original = tiny_checkpoint()
    path = save_checkpoint(tmp_path / "weights.safetensors", original, dtype)
    read = read_checkpoint(path, "HiFi-GAN", "s")
    assert replace(read, weights={}) == replace(original, weights={})
    assert not any("parametrizations" in key for key in read.weights)
    assert {value.dtype for value in load_file(path).values()} == {dtype}
    mel = torch.rand(1, 80, 6)
    with torch.no_grad():
        outputs = [checkpoint.build(folded)(mel) for checkpoint in (original, read) for folded in (False, True)]
    for output in outputs:
        torch.testing.assert_close(output, outputs[0], rtol=0, atol=tolerance)


def rewrite(path: Path, metadata: dict[str, str] | None = None, change: Callable[[dict], None] = lambda weights: None) -> None:
    """Save the file again, altered behind the back of `save_checkpoint`."""
    weights = load_file(path)
    change(weights)
    save_file(weights, path, {**tiny_checkpoint().metadata(), **(metadata or {})})


def poison(weights: dict) -> None:
    weights["stem.bias"][0] = float("nan")


def reshape(weights: dict) -> None:
    weights["stem.bias"] = torch.zeros(3)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: p.unlink(), "There is no checkpoint"),
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-100]), "truncated or damaged"),
    "header cut": (lambda p: p.write_bytes(p.read_bytes()[:40]), "truncated or damaged"),
    "noise": (lambda p: p.write_bytes(bytes(range(256)) * 8), "is not a checkpoint"),
    "NaN": (lambda p: rewrite(p, change=poison), "NaN or infinite weights"),
    "shape": (lambda p: rewrite(p, change=reshape), r"stem.bias is \[3\] where the network has \[16\]"),
    "key missing": (lambda p: rewrite(p, change=lambda w: w.pop("stem.bias")), "stem.bias is nothing"),
    "key too many": (lambda p: rewrite(p, change=lambda w: w.update(more=torch.zeros(1))), "more is"),
    "integers": (lambda p: rewrite(p, change=lambda w: w.update({"stem.bias": w["stem.bias"].to(torch.int8)})), "not as a float"),
    "no metadata": (lambda p: save_file(load_file(p), p), "does not say which vocoder"),
    "newer": (lambda p: rewrite(p, {"format": "99"}), "upgrade vcompress"),
    "unknown family": (lambda p: rewrite(p, {"family": "wavenet"}), "no vocoder family"),
    "config": (lambda p: rewrite(p, {"config": '{"wings": 2}'}), "damaged metadata"),
    "config values": (lambda p: rewrite(p, {"config": '{"channels": "many"}'}), "configuration"),
    "front end": (lambda p: rewrite(p, {"front_end": "{"}), "damaged metadata"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_read_checkpoint_refuses(saved: Path, damage: str) -> None:
    act, said = DAMAGES[damage]
    act(saved)
    with pytest.raises(VcompressError, match=said) as caught:
        read_checkpoint(saved)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_read_checkpoint_refuses_another_family_or_size(saved: Path) -> None:
    with pytest.raises(VcompressError, match="holds HiFi-GAN S, not MelGAN"):
        read_checkpoint(saved, "melgan")
    with pytest.raises(VcompressError, match="not HiFi-GAN L"):
        read_checkpoint(saved, "hifigan", "L")


class Mischief:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [lambda thing, p: torch.save(thing, p), lambda thing, p: p.write_bytes(pickle.dumps(thing))])
def test_code_in_a_pickle_is_never_run(tmp_path: Path, write: Callable) -> None:
    path, mark = tmp_path / "last.ckpt", tmp_path / "executed"
    write({"state_dict": {}, "vcompress": Mischief(mark)}, path)
    with pytest.raises(VcompressError, match="never run"):
        read_checkpoint(path)
    assert not mark.exists()


def test_a_foreign_torch_file_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}}, tmp_path / "x.ckpt")
    with pytest.raises(VcompressError, match="not a checkpoint of vcompress"):
        read_checkpoint(tmp_path / "x.ckpt")


def test_save_checkpoint_refuses_weights_that_do_not_fit_the_type(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint.weights["stem.bias"][0] = 1e6
    with pytest.raises(VcompressError, match="infinite"):
        save_checkpoint(tmp_path / "weights.safetensors", checkpoint, torch.float16)
    assert not list(tmp_path.iterdir())


def test_shipped_checkpoints_can_be_read() -> None:
    assert shipped_checkpoint("hifigan", "XL") is None
    for family in ("melgan", "hifigan", "diffwave"):
        path = shipped_checkpoint(family, "S")
        if path is not None:
            assert read_checkpoint(path, family, "S").training.steps > 0
