"""Simulators that npm has, in a folder of their own and in pinned versions (`source/package.json`)."""

import json
import subprocess
from functools import cache
from pathlib import Path

from ...errors import VcompressError
from .tools import SOURCES, said, simulators_folder, tool

MANIFEST = SOURCES / "package.json"


@cache
def packages() -> Path:
    """The folder whose node_modules hold them; installed there on first use. Raises VcompressError where that fails."""
    versions: dict[str, str] = json.loads(MANIFEST.read_text(encoding="utf-8"))["dependencies"]
    folder = simulators_folder() / "npm"
    if all(_version(folder, name) == version for name, version in versions.items()):
        return folder
    words = [f"{name}@{version}" for name, version in versions.items()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VcompressError(f"{folder} cannot be written ({error.strerror}); set XDG_CACHE_HOME to a place that can.") from None
    options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--save-exact"]
    done = subprocess.run([tool("npm"), "install", *options, *words], capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise VcompressError(f"npm cannot install {' and '.join(words)} ({said(done.stderr)}); check the network and try again.")
    return folder


def _version(folder: Path, name: str) -> str | None:
    try:
        return str(json.loads((folder / "node_modules" / name / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError):
        return None
