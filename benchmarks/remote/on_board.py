"""What runs on a board before anything is installed there: look, receive, make an environment. Standard library only.

The desk hands over the text of this file: `python3 -c TEXT '{"do": ...}'`, in the user's home. An answer is a line of JSON behind a mark,
for a login may print lines of its own.
"""

import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from typing import Any

MARK = "vcompress-1 "
HOME = ".cache/vcompress/board"  # below the user's home: packages, artifacts, mels, environments, records
COMPLETE = ".complete"  # in an environment that was made to its end
FULL = 28  # ENOSPC
NETWORK = ("Temporary failure in name resolution", "NewConnectionError", "Name or service not known", "Network is unreachable", "ConnectTimeoutError")
STEPS = ("Collecting", "  Downloading", "Installing", "Building")


def answer(kind: str, **document: Any) -> None:
    """Write one answer to stdout, at once."""
    sys.stdout.write(MARK + json.dumps({"kind": kind, **document}) + "\n")
    sys.stdout.flush()


def look(items: Sequence[str], environments: Sequence[str]) -> None:
    """What this machine is, which of the items it holds, and which of the environments were made for this Python."""
    try:
        with open("/proc/device-tree/model", encoding="utf-8", errors="replace") as file:
            model = file.read(200).replace("\0", " ").strip()
    except OSError:
        model = ""
    os.makedirs(HOME, mode=0o700, exist_ok=True)
    answer(
        "here",
        machine=platform.machine(),
        bits=8 * struct.calcsize("P"),
        model=model,
        cores=len(os.sched_getaffinity(0)),
        free=shutil.disk_usage(HOME).free,
        python=python_version(),
        held=[item for item in items if os.path.isdir(os.path.join(HOME, item))],
        made=[name for name in environments if os.path.isfile(os.path.join(HOME, f"{name}-{python_version()}", COMPLETE))],
    )


def python_version() -> str:
    """Such as "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def receive() -> None:
    """A tar on stdin; each of its items (two levels of folders) is there whole or not at all."""
    place = os.path.join(HOME, f".part-{os.getpid()}")
    try:
        items = set()
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            for member in archive:
                parts, content = member.name.split("/"), archive.extractfile(member)
                if content is None or len(parts) < 3 or ".." in parts or "" in parts:
                    raise OSError(f"{member.name} has no place here")
                target = os.path.join(place, *parts)
                os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
                with open(target, "wb") as file:
                    shutil.copyfileobj(content, file)
                items.add("/".join(parts[:2]))
        for item in sorted(items):
            final = os.path.join(HOME, item)
            os.makedirs(os.path.dirname(final), exist_ok=True)
            if not os.path.isdir(final):
                os.rename(os.path.join(place, item), final)
        answer("received")
    except (OSError, tarfile.TarError) as error:
        answer("error", code="disk" if getattr(error, "errno", 0) == FULL else "receive", text=str(error))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def make(environment: str, requirements: Sequence[str]) -> None:
    """A virtual environment with the requirements, from the index that this machine's pip knows; made aside and renamed."""
    final = os.path.join(HOME, f"{environment}-{python_version()}")
    part = f"{final}.part-{os.getpid()}"
    try:
        made = subprocess.run([sys.executable, "-m", "venv", part], capture_output=True, text=True, errors="replace")
        if made.returncode:
            answer("error", code="venv", text=last_line(made.stdout + made.stderr))
            return
        code, said = install(os.path.join(part, "bin", "python"), requirements)
        if code:
            answer("error", code="network" if any(sign in said for sign in NETWORK) else "pip", text=last_line(said))
            return
        with open(os.path.join(part, COMPLETE), "w", encoding="ascii"):
            pass
        shutil.rmtree(final, ignore_errors=True)
        os.rename(part, final)
        answer("made")
    except OSError as error:
        answer("error", code="disk" if error.errno == FULL else "venv", text=str(error))
    finally:
        shutil.rmtree(part, ignore_errors=True)


def install(python: str, requirements: Sequence[str]) -> tuple[int, str]:
    """Exit code of pip and all that it said."""
    command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--prefer-binary", *requirements]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as pip:
        said = []
        for line in pip.stdout or ():
            said.append(line)
            if line.startswith(STEPS):
                answer("progress", what=" ".join(line.split()[:2]))
    return pip.returncode, "".join(said)


def last_line(text: str) -> str:
    """The last line that says something."""
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["no reason was given"])[-1]


if __name__ == "__main__":
    DUTIES: dict[str, Callable[..., None]] = {"look": look, "receive": receive, "make": make}
    asked = json.loads(sys.argv[1])
    try:
        DUTIES[asked.pop("do")](**asked)
    except OSError as error:  # a home that cannot be written, say
        answer("error", code="disk" if error.errno == FULL else "home", text=str(error))
