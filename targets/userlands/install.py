"""What emulated Raspberry Pis need from Debian, installed where it is missing: python -m vcompress.targets.userlands.install."""

import shutil
import sys

from ...errors import VcompressError
from ..simulators.install import install
from ..simulators.tools import PACKAGES

# program -> the Debian package that has it, of those that only the tests over ssh and those of ARMv6 need
MORE = {
    "qemu-aarch64-static": "qemu-user-static",
    "update-binfmts": "binfmt-support",
    "ssh": "openssh-client",
    "arm-linux-gnueabi-gcc": "gcc-arm-linux-gnueabi libc6-dev-armel-cross",
}
TOOLS = ("cc", "mmdebstrap", "qemu-aarch64", *MORE)


def missing() -> list[str]:
    """Debian packages that are not here."""
    words = [package for name in TOOLS if shutil.which(name) is None for package in (MORE.get(name) or PACKAGES.get(name, name)).split()]
    return list(dict.fromkeys(words))


def main() -> int:
    """Say what is missing, and install it."""
    try:
        if packages := missing():
            print(f"Installing from Debian: {' '.join(packages)}", file=sys.stderr)
            install(packages)
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
