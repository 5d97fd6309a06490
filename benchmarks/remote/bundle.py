"""What a board gets: this package without its weights, the artifacts, the mels of the clips; each named by its content's hash and sent once."""

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

import numpy as np

from ...errors import VcompressError
from ...runtime.artifact import MANIFEST, Artifact

PACKAGE = Path(__file__).parents[2]
FLOORS = ("runtime", "vocoders", "compress", "export", "targets", "benchmarks")  # all below the bench; what needs torch is never imported there
SUFFIXES = (".py", ".toml", ".json", ".csv", ".md", ".c", ".h")
LEFT_OUT = ("weights", "report", "papers", "figures", "__pycache__")
MEL = "{:04d}.npy"


@dataclass(frozen=True)
class Item:
    """A folder for the board: `kind`/`hash`, and its files by their path in it."""

    kind: str
    files: Mapping[str, bytes | Path]

    @cached_property
    def name(self) -> str:
        """Its place on the board, below on_board.HOME."""
        digest = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            data = _bytes(content)
            digest.update(f"{path}\0{len(data)}\0".encode() + data)
        return f"{self.kind}/{digest.hexdigest()[:32]}"


def _bytes(content: bytes | Path) -> bytes:
    if isinstance(content, bytes):
        return content
    try:
        return content.read_bytes()
    except OSError as error:
        raise VcompressError(f"{content} cannot be read ({error.strerror}); check its permissions.") from None


@cache
def code_item() -> Item:
    """The package as files, with the metadata that says its version. Raises VcompressError where vcompress is not installed but only lies there."""
    files: dict[str, bytes | Path] = {f"vcompress/{path.name}": path for path in PACKAGE.glob("*.py")}
    for floor in FLOORS:
        for path in sorted((PACKAGE / floor).rglob("*")):
            parts = path.relative_to(PACKAGE)
            if path.is_file() and path.suffix in SUFFIXES and not set(parts.parts) & set(LEFT_OUT):
                files[f"vcompress/{parts.as_posix()}"] = path
    try:
        found = distribution("vcompress")
    except PackageNotFoundError:
        raise VcompressError("vcompress is not installed here, so its version cannot be told to a board; run: pip install .") from None
    files[f"vcompress-{found.version}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: vcompress\nVersion: {found.version}\n".encode()
    return Item("code", files)


def artifact_item(artifact: Artifact) -> Item:
    """The manifest and every file that it names."""
    return Item("artifacts", {name: artifact.folder / name for name in (MANIFEST, *artifact.manifest.files)})


def mels_item(mels: Sequence[np.ndarray]) -> Item:
    """float32 (n_mels, F) of each clip, in their order."""
    files: dict[str, bytes | Path] = {}
    for index, mel in enumerate(mels):
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(mel, np.float32), allow_pickle=False)
        files[MEL.format(index)] = buffer.getvalue()
    return Item("mels", files)


def write_tar(items: Sequence[Item], file: IO[bytes]) -> None:
    """All items as one tar, the same bytes every time."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for item in items:
            for path, content in sorted(item.files.items()):
                data = _bytes(content)
                member = tarfile.TarInfo(f"{item.name}/{path}")
                member.size, member.mode = len(data), 0o600
                archive.addfile(member, io.BytesIO(data))
