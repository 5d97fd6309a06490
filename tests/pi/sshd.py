"""A real sshd in a userland, on loopback: a Raspberry Pi as far as ssh, Python and pip can tell. Needs root, for chroot and binfmt."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from emulated import system_of

from vcompress.targets.userlands.userland import Userland, write_board

PACKAGES = ("dash", "coreutils", "openssh-server", "python3-venv", "ca-certificates")
FILES = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\npi:x:1000:1000::/home/pi:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\npi:x:1000:\n",
    "etc/shadow": "root:*:19000::::::\nsshd:*:19000::::::\npi:*:19000::::::\n",
    "etc/pip.conf": "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n",
}
OF_THIS_MACHINE = ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt")  # for pip on the board
PATIENCE = 60.0  # seconds that sshd is given to listen


@dataclass(frozen=True)
class Board:
    """A running sshd. process: its listener's id; keys: folder of host, user and stranger keys."""

    root: Path
    keys: Path
    port: int
    process: int

    def config(self, host_key: str = "host", user_key: str = "user") -> Path:
        """A config of ssh that knows the board as `board`, by a host key and with a user's key."""
        known = self.keys / f"known-{host_key}"
        known.write_text(f"[127.0.0.1]:{self.port} {(self.keys / f'{host_key}.pub').read_text()}" if host_key else "")
        lines = ("Host board", "HostName 127.0.0.1", "User pi", f"Port {self.port}", f"UserKnownHostsFile {known}", "GlobalKnownHostsFile /dev/null")
        path = self.keys / f"config-{host_key}-{user_key}"
        path.write_text("\n".join([*lines, f"IdentityFile {self.keys / user_key}", "IdentitiesOnly yes", ""]))
        return path

    def cut(self) -> None:
        """End every connection, as if the board had gone away."""
        _end_all(_children(self.process))


@contextmanager
def board(core: str, model: str, folder: Path, with_wheels: bool = False) -> Iterator[Board]:
    """Unpack a board into `folder` and let it listen; its files are removed in the end. with_wheels: its Python has the back end."""
    system, chosen = system_of(core, PACKAGES)
    root, keys, port = folder / "root", folder / "keys", _free_port()
    try:
        subprocess.run(["cp", "-a", system.root, root], check=True)
        write_board(root, chosen)
        _furnish(root, system, model, with_wheels)
        _keys(root, keys, port)
        with (folder / "sshd.log").open("wb") as log, subprocess.Popen(["chroot", root, "/usr/sbin/sshd", "-D", "-e"], stdout=log, stderr=log) as listener:
            try:
                _wait(port, listener, folder / "sshd.log")
                yield Board(root, keys, port, listener.pid)
            finally:
                _end_all(_children(listener.pid))
                listener.kill()
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)


def enable_binfmt() -> None:
    """Let the kernel run programs of other architectures, through qemu-user-static, which a chroot can hold."""
    if not Path("/proc/sys/fs/binfmt_misc/status").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "none", "/proc/sys/fs/binfmt_misc"], check=True)
    for name in ("qemu-aarch64", "qemu-arm"):
        if not Path("/proc/sys/fs/binfmt_misc", name).exists():
            subprocess.run(["update-binfmts", "--enable", name], check=True)


def _furnish(root: Path, system: Userland, model: str, with_wheels: bool) -> None:
    for folder in ("run/sshd", "root", "home/pi/.ssh", "tmp", "etc/ssl/certs", "proc/device-tree"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "proc/device-tree/model").write_text(f"{model}\0")
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    for name, text in FILES.items():
        (root / name).write_text(text)
    for name in OF_THIS_MACHINE:
        if Path("/", name).exists():
            shutil.copy(Path("/", name), root / name)
    if with_wheels:
        shutil.copytree(system.site, root / "usr/local/lib/python3.11/dist-packages", dirs_exist_ok=True)


def _keys(root: Path, keys: Path, port: int) -> None:
    keys.mkdir()
    for name in ("host", "user", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    shutil.copy(keys / "host", root / "etc/ssh/ssh_host_ed25519_key")
    shutil.copy(keys / "user.pub", root / "home/pi/.ssh/authorized_keys")
    (root / "home/pi/.ssh").chmod(0o700)
    for path in (root / "home/pi", *(root / "home/pi").rglob("*")):
        os.chown(path, 1000, 1000)
    settings = (f"Port {port}", "ListenAddress 127.0.0.1", "HostKey /etc/ssh/ssh_host_ed25519_key", "PasswordAuthentication no", "UsePAM no", "PidFile none")
    (root / "etc/ssh/sshd_config").write_text("\n".join([*settings, "KbdInteractiveAuthentication no", ""]))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait(port: int, listener: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and listener.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"sshd does not listen: {log.read_text(errors='replace')}")


def _end_all(processes: list[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(process, 9)


def _children(parent: int) -> list[int]:
    """Processes below one, the deepest first."""
    parents = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended meanwhile
                continue
    below = [child for child, its in parents.items() if its == parent]
    return [*(deeper for child in below for deeper in _children(child)), *below]
