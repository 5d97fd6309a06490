"""Boards for tests: a folder of this machine behind a shell, one that is cut off, one that answers what it likes, and a real sshd on loopback."""

import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vcompress.targets.ssh import Call

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@dataclass
class LocalShell:
    """A folder that stands for a board's home. `commands`: what was started."""

    home: Path
    name: str = "pi@board"
    commands: list[str] = field(default_factory=list)

    def start(self, command: str) -> Call:
        self.commands.append(command)
        return Call(["sh", "-c", f"cd {shlex.quote(str(self.home))} && {command}"])

    def why(self, call: Call) -> str:
        return ""


class CutShell(LocalShell):
    """A board that goes away after so many lines of a bench."""

    lines = 3

    def start(self, command: str) -> Call:
        if not command.endswith(".worker"):
            return super().start(command)
        return Call(["sh", "-c", f"cd {shlex.quote(str(self.home))} && ( {command} ) | head -n {self.lines}; exit 255"])

    def why(self, call: Call) -> str:
        return "The connection failed." if call.wait() == 255 else ""


class LyingShell(LocalShell):
    """A board that is one until it works: then it sends these bytes."""

    said: bytes = b""

    def start(self, command: str) -> Call:
        if not command.endswith(".worker"):
            return super().start(command)
        (self.home / "said").write_bytes(self.said)
        return Call(["sh", "-c", f"cat {shlex.quote(str(self.home / 'said'))}"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def sshd(folder: Path) -> Iterator[tuple[int, Path]]:
    """A real sshd on loopback that lets one key in, and starts every command in `folder`/home; gives its port and ssh's config."""
    assert SSHD is not None
    home, port = folder / "home", free_port()
    home.mkdir()
    for name in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    forced = f'command="cd {home} && exec sh -c \\"$SSH_ORIGINAL_COMMAND\\""'
    (folder / "authorized").write_text(f"{forced} {(folder / 'id.pub').read_text()}")
    lines = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorized", f"PidFile {folder}/pid"]
    lines += ["PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no", "StrictModes no"]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    known = "{} {} {}".format(f"[127.0.0.1]:{port}", *(folder / "host.pub").read_text().split()[:2])
    (folder / "known").write_text(known + "\n")
    config = ["Host board", "HostName 127.0.0.1", f"Port {port}", f"IdentityFile {folder}/id", "IdentitiesOnly yes", f"UserKnownHostsFile {folder}/known"]
    (folder / "ssh_config").write_text("\n".join(config) + "\n")
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, folder / "ssh_config"
    finally:
        server.terminate()
        server.wait()


PYTHON = sys.executable
