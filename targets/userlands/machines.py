"""Architectures and processors that QEMU can stand in for. The data is in `machines.toml`."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import VcompressError
from ..profile import Profile

DATA = Path(__file__).with_name("machines.toml")


@dataclass(frozen=True)
class Architecture:
    """One of Debian's. packages: of Debian; wheels: requirements for pip, with the tags of `platforms`; libraries: folder of its shared libraries.

    complete: whether the wheels need no others; backends: what can run an artifact there, the default first; compiler: where C is all there is.
    """

    name: str
    qemu: str
    backends: tuple[str, ...]
    libraries: str = ""
    packages: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()
    complete: bool = False
    compiler: str = ""


@dataclass(frozen=True)
class Core:
    """A processor. part, revision, features: as /proc/cpuinfo tells them; cycles: per instruction, low and high, `assumed` for the reason given."""

    name: str
    architecture: Architecture
    part: str
    revision: int
    features: str
    cycles: tuple[float, float]
    assumed: str
    flags: tuple[str, ...] = ()

    def cpuinfo(self, count: int = 4) -> str:
        """/proc/cpuinfo of a board with so many of it."""
        fields = {
            "BogoMIPS": "108.00",
            "Features": self.features,
            "CPU implementer": "0x41",
            "CPU architecture": "8" if self.architecture.name == "arm64" else "7",
            "CPU variant": "0x0",
            "CPU part": self.part,
            "CPU revision": str(self.revision),
        }
        block = "".join(f"{key}\t: {value}\n" for key, value in fields.items())
        return "".join(f"processor\t: {number}\n{block}\n" for number in range(count))


@cache
def architectures() -> dict[str, Architecture]:
    """All that are known, by Debian's name."""
    return {name: Architecture(name, **{key: _frozen(entry) for key, entry in facts.items()}) for name, facts in _data()["architectures"].items()}


@cache
def cores() -> dict[str, Core]:
    """All that are known, by QEMU's name."""
    known = architectures()
    return {
        name: Core(name, known[facts.pop("architecture")], **{key: _frozen(entry) for key, entry in facts.items()}) for name, facts in _data()["cores"].items()
    }


def core_of(profile: Profile) -> Core:
    """The processor that a profile names. Raises VcompressError where none that is known stands in its `core`."""
    words = profile.core.lower()
    found = next((core for name, core in cores().items() if re.search(rf"\b{name}(?!\d)", words)), None)  # ARM1176JZF-S is one, a Cortex-A72 no A7
    if found is None:
        raise VcompressError(f"{profile.name} has the core {profile.core!r}, which is not simulated here; those with {', '.join(cores())} are.")
    return found


def _frozen(entry: Any) -> Any:
    return tuple(entry) if isinstance(entry, list) else entry


def _data() -> dict[str, dict[str, dict[str, Any]]]:
    return tomllib.loads(DATA.read_text(encoding="utf-8"))
