"""What the simulated boards need, installed where it is missing: python -m vcompress.targets.simulators.install."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ...errors import VcompressError
from . import npm
from .tools import PACKAGES

TOOLS = ("cc", "avr-gcc", "arm-none-eabi-gcc", "qemu-system-arm", "node", "npm")
# file -> package: what is no program
FILES = {
    "/usr/include/simavr/sim_avr.h": "libsimavr-dev",
    "/usr/include/libelf.h": "libelf-dev",
    "/usr/lib/avr/include/avr/io.h": "avr-libc",
    "/usr/lib/arm-none-eabi/include/string.h": "libnewlib-arm-none-eabi",
}


def missing() -> list[str]:
    """Debian packages that are not here."""
    words = [package for name in TOOLS if shutil.which(name) is None for package in PACKAGES[name].split()]
    return list(dict.fromkeys([*words, *(package for file, package in FILES.items() if not Path(file).exists())]))


def install(packages: list[str]) -> None:
    """Install Debian packages, as root or through sudo. Raises VcompressError where that does not work."""
    if shutil.which("apt-get") is None:
        raise VcompressError(f"There is no apt-get here to install {' '.join(packages)} with; install them in your system's own way.")
    become = [] if os.geteuid() == 0 else ["sudo"]
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]):
        try:
            done = subprocess.run([*become, *command], stdout=subprocess.DEVNULL)
        except OSError as error:
            raise VcompressError(f"{' '.join(packages)} cannot be installed ({error.strerror}: sudo); install them as root with apt-get.") from None
        if done.returncode:
            raise VcompressError(f"{' '.join(command)} failed with status {done.returncode}; see its message above.")


def main() -> int:
    """Say what is missing, and install it."""
    try:
        if packages := missing():
            print(f"Installing from Debian: {' '.join(packages)}", file=sys.stderr)
            install(packages)
        print(f"Simulators from npm: {npm.packages()}", file=sys.stderr)
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
