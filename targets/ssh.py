"""Commands on another machine, by the system's OpenSSH: its agent, config, known_hosts and jump hosts are then those of every other login.

Keys alone: a password is neither asked for nor taken, and a host key that is unknown or has changed is refused.
"""

import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ..errors import VcompressError
from .board import printable

# What ssh itself is told whatever a config says: no questions, no forwarding, no banner, and a link that is dead ends within 45 s.
SETTINGS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=20",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "LogLevel=ERROR",
)
OWN_FAILURE = 255  # of ssh: the connection, not the command
MOST_STDERR = 1 << 16
_FORGET = re.compile(r"\s*ssh-keygen -f \S+ -R \S+\s*")  # what ssh itself advises
_DESTINATION = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_\[][A-Za-z0-9_.:%\]-]*")


class Call:
    """A command that runs elsewhere: bytes go in by `stdin` and come out by `stdout`; what it says on stderr is kept for `why`."""

    def __init__(self, command: list[str]):
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the call)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said)
        assert self._process.stdin is not None and self._process.stdout is not None
        self.stdin: IO[bytes] = self._process.stdin
        self.stdout: IO[bytes] = self._process.stdout

    def wait(self) -> int:
        """Its exit code."""
        return self._process.wait()

    def close(self) -> None:
        """End it now, if it has not ended."""
        self._process.kill()
        self._process.wait()
        for pipe in (self.stdin, self.stdout, self._said):
            try:
                pipe.close()
            except OSError:  # the other end is gone
                continue

    def stderr(self) -> str:
        """The first of what it said, as the other side wrote it: not for a terminal."""
        self._said.seek(0)
        return self._said.read(MOST_STDERR).decode(errors="replace")


class Shell(Protocol):
    """Runs commands on one machine."""

    @property
    def name(self) -> str:
        """Of the machine, for sentences."""

    def start(self, command: str) -> Call:
        """Start a command of the machine's POSIX shell."""

    def why(self, call: Call) -> str:
        """A sentence about a call whose connection failed; "" where it was the command that did."""


@dataclass(frozen=True)
class OpenSSH:
    """A host as OpenSSH knows it: `destination` [USER@]HOST or a name in its config. Raises VcompressError for what is no such name.

    identity: file of a private key; config: in place of ~/.ssh/config.
    """

    destination: str
    port: int | None = None
    identity: Path | None = None
    config: Path | None = None

    def __post_init__(self) -> None:
        if not _DESTINATION.fullmatch(self.destination):
            raise VcompressError(f"{printable(self.destination, 60)!r} is no host; give [USER@]HOST, such as pi@raspberrypi.local, and the port as --port.")
        if self.port is not None and not 0 < self.port < 1 << 16:
            raise VcompressError(f"{self.port} is no port; give one from 1 to 65535.")
        for file, option in ((self.identity, "--identity"), (self.config, "--ssh-config")):
            if file is not None and not file.is_file():
                raise VcompressError(f"There is no file {file}; correct {option}.")

    @property
    def name(self) -> str:
        """See Shell."""
        return self.destination

    @property
    def options(self) -> list[str]:
        """Arguments of ssh before the host."""
        chosen = [part for setting in SETTINGS for part in ("-o", setting)]
        if self.port is not None:
            chosen += ["-p", str(self.port)]
        if self.identity is not None:
            chosen += ["-o", "IdentitiesOnly=yes", "-i", str(self.identity)]
        if self.config is not None:
            chosen += ["-F", str(self.config)]
        return chosen

    def start(self, command: str) -> Call:
        """See Shell. Raises VcompressError where this machine has no ssh."""
        if shutil.which("ssh") is None:
            raise VcompressError("There is no ssh on this machine; install OpenSSH's client (on Debian: apt install openssh-client).")
        return Call(["ssh", "-T", *self.options, "--", self.destination, command])

    def why(self, call: Call) -> str:
        """See Shell."""
        if call.wait() != OWN_FAILURE:
            return ""
        said = call.stderr()
        given = [*(["-p", str(self.port)] if self.port else []), *(["-i", str(self.identity)] if self.identity else [])]
        given += ["-F", str(self.config)] if self.config else []
        names = {
            "name": self.name,
            "login": shlex.join(["ssh", *given, self.destination]),
            "copy": shlex.join(["ssh-copy-id", *given, self.destination]),
            "forget": next((printable(line) for line in said.splitlines() if _FORGET.fullmatch(line)), f"ssh-keygen -R {self.destination.rpartition('@')[2]}"),
            "said": printable((said.strip().splitlines() or ["no reason was given"])[-1]),
        }
        return next(sentence for sign, sentence in FAILURES if sign in said).format(**names)


# What OpenSSH says -> what is wrong and what to do. The first that is found.
FAILURES = (
    (
        "HOST IDENTIFICATION HAS CHANGED",
        "The host key of {name} is not the one that is known: the board was installed anew, or this is another machine; "
        "only if you know why, forget the old key with: {forget}, then accept the new one as for a new host.",
    ),
    (
        "host key is known for",
        "The host key of {name} is not known; log in once with: {login}, compare the fingerprint that it shows with what the board says to "
        "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, answer yes, then give the same command again.",
    ),
    (
        "Host key verification failed",
        "The host key of {name} was refused; log in once with: {login}, to see why.",
    ),
    (
        "Permission denied",
        "{name} lets nobody in by the keys that are here, and vcompress takes no password; set up a key with: {copy}, then give the same command again.",
    ),
    ("Too many authentication failures", "{name} was offered too many keys; name the right one with --identity FILE."),
    ("UNPROTECTED PRIVATE KEY FILE", "The key for {name} can be read by others, so ssh does not use it; run: chmod 600 on it."),
    ("Could not resolve hostname", "There is no host {name} in this network; check its name, or give its address."),
    ("Connection refused", "{name} is there but takes no ssh on this port; switch on ssh on the board (sudo raspi-config), or give --port."),
    ("timed out", "{name} does not answer; check that the board is on and in this network."),
    ("No route to host", "{name} does not answer; check that the board is on and in this network."),
    ("", "The connection to {name} failed ({said}); check that the board is on, and try: {login}."),
)
