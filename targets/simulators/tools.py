"""Programs of others that a simulated run needs: where they are, which package has them, and what is compiled here on demand."""

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ...errors import VcompressError
from ...runtime.files import cache_folder, replacing

SOURCES = Path(__file__).parent / "source"
# program -> the Debian package that has it
PACKAGES = {
    "cc": "gcc libc6-dev",
    "avr-gcc": "gcc-avr avr-libc binutils-avr",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-arm": "qemu-user",
    "qemu-aarch64": "qemu-user",
    "node": "nodejs",
    "npm": "npm",
}
LONGEST_ANSWER = 300  # characters of what a tool said that go into a sentence


def tool(name: str) -> str:
    """The path of a program. Raises VcompressError that names its Debian package where it is missing."""
    path = shutil.which(name)
    if path is None:
        package = PACKAGES.get(name, name)
        raise VcompressError(f"{name} is not installed; install it with: apt-get install {package}.")
    return path


def simulators_folder() -> Path:
    """Where compiled helpers and npm packages are kept."""
    return cache_folder() / "simulators"


def compiled(source: str, cache: Path | None, flags: Sequence[str], libraries: Sequence[str] = (), package: str = "") -> Path:
    """A program or shared object made from a file of `source/` by the machine's own compiler, once for each text and flags.

    `package`: the Debian package of the libraries, named in the error where compiling fails.
    """
    place = SOURCES / source
    digest = hashlib.sha256(b"\0".join([place.read_bytes(), *(word.encode() for word in (*flags, *libraries))])).hexdigest()[:16]
    target = (cache or simulators_folder()) / f"{place.stem}-{digest}"
    if target.is_file():
        return target
    compiler = tool("cc")
    with replacing(target) as part:
        done = subprocess.run([compiler, "-O2", *flags, "-o", str(part), str(place), *libraries], capture_output=True, text=True, errors="replace")
        if done.returncode:
            advice = f"install its libraries with: apt-get install {package}" if package else "check the compiler"
            raise VcompressError(f"{source} cannot be compiled ({said(done.stderr)}); {advice}.")
    return target


def said(text: str) -> str:
    """The first complaint in what a tool printed, short enough for a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("collect2:")]
    complaints = (line for line in lines if "error" in line.lower() or "undefined reference" in line)
    first = next(complaints, lines[0] if lines else "it said nothing")
    return " ".join(first.split())[:LONGEST_ANSWER]
