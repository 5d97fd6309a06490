"""What torch.save wrote, read without running any of it.

Plain tensors, numbers and texts go through torch's own safe reader. Where a whole module was saved, its classes become
stand-ins: objects that have the attributes and none of the behaviour. Any other name in a file is refused.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from ...errors import VcompressError
from ..folding import State

# Modules that are known to be saved whole, and the classes they are made of.
MODULES = {
    "glow.WaveGlow",
    "glow.WN",
    "glow.Invertible1x1Conv",
    "glow_old.WaveGlow",
    "glow_old.WN",
    "glow_old.Invertible1x1Conv",
    "sing.sequence.models.SING",
    "sing.sequence.models.SequenceGenerator",
    "sing.ae.models.ConvolutionalDecoder",
    "sing.ae.utils.WindowedConvTranpose1d",
    "torch.nn.modules.activation.ReLU",
    "torch.nn.modules.container.ModuleList",
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.conv.Conv1d",
    "torch.nn.modules.conv.ConvTranspose1d",
    "torch.nn.modules.linear.Linear",
    "torch.nn.modules.rnn.LSTM",
    "torch.nn.modules.sparse.Embedding",
    "torch.nn.utils.weight_norm.WeightNorm",
    "torch.nn.backends.thnn._get_thnn_function_backend",
}
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class StandIn:
    """An object of a class that is not here: attributes only. `stands_for`: the full name of that class."""

    stands_for = ""

    def __init__(self, *_arguments: Any):
        pass


class _Code(Exception):
    """A name that a file may not use."""


def read_pickle(path: Path) -> Any:
    """What a file of torch.save holds, tensors on the CPU. Nothing in it is executed.

    Raises VcompressError when the file is missing, empty, truncated, of another kind, or names what is neither tensors nor a
    known module.
    """
    if not path.is_file():
        raise VcompressError(f"There is no checkpoint {path}; check the path.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise VcompressError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    if empty:
        raise VcompressError(f"{path} is empty; copy the checkpoint again.")
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception:  # a module, code, or the many ways in which a file is no archive of tensors
        pass
    try:
        return _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
    except _Code as name:
        raise VcompressError(f"{path} names {name}, which would have to be run to be read, and is not; save the generator's state_dict alone.") from None
    except Exception:
        if packed := _packed(path):
            raise VcompressError(f"{path} is an archive with {packed} in it; unpack it and give that file.") from None
        raise VcompressError(f"{path} is truncated, damaged, or no file that torch.save wrote; copy the checkpoint again.") from None


def _packed(path: Path) -> str | None:
    """The first file of weights in a plain archive, as some are offered for download."""
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # damaged in one of many ways
        return None
    weights = (name for name in names if name.rpartition(".")[2] in ("pt", "pth", "pyt", "pkl") and name.rpartition("/")[2] != "data.pkl")
    return next(weights, None)


def module_state(module: StandIn, prefix: str = "") -> State:
    """The state dict of a module that a stand-in stands for. A plain attribute `weight` beside weight norm is stale, and not in it."""
    state: State = {}
    held = vars(module)
    for kind in ("_parameters", "_buffers"):
        state.update({prefix + name: value for name, value in held.get(kind, {}).items() if isinstance(value, Tensor)})
    for name, child in held.get("_modules", {}).items():
        if isinstance(child, StandIn):
            state.update(module_state(child, f"{prefix}{name}."))
    return state


class _Reader(pickle.Unpickler):
    """Knows tensors, dictionaries, sets and MODULES; `storage` gives the flat tensor of a persistent id."""

    def __init__(self, file: IO[bytes], storage: Callable[[tuple[Any, ...]], Tensor]):
        super().__init__(file)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if module in ("torch", "torch.cuda", "torch.storage") and name in DTYPES:
            return DTYPES[name]
        if full in _KNOWN:
            return _KNOWN[full]
        if full in MODULES:
            return type(name, (StandIn,), {"stands_for": full})
        raise _Code(full)

    def persistent_load(self, pid: Any) -> Any:
        if pid[0] == "module":  # legacy files add the source of each class: it is left alone
            return pid[1]
        return self._storage(pid)


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: Any) -> Tensor:
    return torch.as_strided(storage, size, stride, offset)


_KNOWN: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "builtins.set": set,
    "__builtin__.set": set,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, *_rest: data,
}


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        record = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
        root = record.removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError
        storages: dict[str, Tensor] = {}

        def storage(pid: tuple[Any, ...]) -> Tensor:
            _, dtype, key, _, count = pid
            if key not in storages:
                data = bytearray(archive.read(f"{root}data/{key}"))
                storages[key] = torch.frombuffer(data, dtype=dtype, count=count) if count else torch.empty(0, dtype=dtype)
            return storages[key]

        with archive.open(record) as file:
            return _Reader(file, storage).load()


def _read_legacy(path: Path) -> Any:
    length = path.stat().st_size
    storages: dict[str, Tensor] = {}

    def storage(pid: tuple[Any, ...]) -> Tensor:
        _, dtype, key, _, count, view = pid
        if key not in storages:
            if count * dtype.itemsize > length:
                raise ValueError
            storages[key] = torch.empty(count, dtype=dtype)
        return storages[key] if view is None else storages[key][view[1] : view[1] + view[2]]

    with path.open("rb") as file:
        if (_Reader(file, storage).load(), _Reader(file, storage).load()) != (LEGACY_MAGIC, LEGACY_PROTOCOL):
            raise ValueError
        if not _Reader(file, storage).load()["little_endian"]:
            raise ValueError
        content = _Reader(file, storage).load()
        for key in _Reader(file, storage).load():
            count, flat = int.from_bytes(file.read(8), "little"), storages[key]
            if count != len(flat):
                raise ValueError
            if count:
                flat.copy_(torch.frombuffer(bytearray(file.read(count * flat.element_size())), dtype=flat.dtype, count=count))
    return content
