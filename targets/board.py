"""Which board this is, by its device tree, held against a profile; and what its firmware tells of heat and supply.

Bits of get_throttled: Raspberry Pi documentation, vcgencmd. scaling_cur_freq does not follow a throttled clock there (raspberrypi/linux#2986),
so the firmware is asked for the clock where it can be.
"""

import re
import shutil
import subprocess
from pathlib import Path

from ..errors import VcompressError
from .profile import Profile

ROOT = Path("/")
MODEL = "proc/device-tree/model"
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
CONDITIONS = ("under-voltage", "clock capped", "throttled", "soft temperature limit")  # bits 0 to 3 now, 16 to 19 since the start
SINCE_START = 16
ELSEWHERE = "on ANOTHER machine"
PATIENCE = 5.0  # seconds that the firmware is given for an answer


def board_model(root: Path = ROOT) -> str:
    """What the device tree calls this board, such as "Raspberry Pi 4 Model B Rev 1.4"; "" where there is none, as on a PC."""
    try:
        text = (root / MODEL).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return printable(text.replace("\0", " "), 100)


def printable(text: str, length: int = 200) -> str:
    """One line of at most so many characters in which nothing commands a terminal; for words that a stranger wrote."""
    cut = text[: 8 * length]
    return " ".join("".join(letter if letter.isprintable() else " " for letter in cut).split())[:length]


def label_of(profile: Profile, model: str, another_machine: bool = False) -> str:
    """What figures of the machine called `model` ("" for none) go by: the profile's name, or, where that is asked for, that name "on ANOTHER machine".

    Raises VcompressError where the machine is not what the profile describes, and that was not asked for.
    """
    if profile.model and re.fullmatch(profile.model, model):
        return profile.name
    if another_machine:
        return f"{profile.name} {ELSEWHERE}"
    here = f"is a {model}" if model else f"does not say what it is (no /{MODEL})"
    if not profile.model:
        raise VcompressError(
            f"No machine can be held against the target {profile.name}, whose profile has no model; add one to a copy of it, or give --another-machine."
        )
    raise VcompressError(
        f"This machine {here}, the target {profile.name} is a {profile.title}; measure there (--host), or give --another-machine and every figure will say so."
    )


def throttling(root: Path = ROOT) -> int | None:
    """The firmware's flags; None where it does not tell."""
    said = _firmware(root, "get_throttled") or _text(root / THROTTLED)
    try:
        return int(said, 16)
    except ValueError:
        return None


def throttling_words(flags: int) -> str:
    """The flags in words, such as "0x50000: under-voltage, throttled since the start"; "0x0: none"."""
    now = [word for bit, word in enumerate(CONDITIONS) if flags >> bit & 1]
    before = [word for bit, word in enumerate(CONDITIONS, SINCE_START) if flags >> bit & 1]
    parts = (", ".join(now) + " now" if now else "", ", ".join(before) + " since the start" if before else "")
    return f"{flags:#x}: {'; '.join(filter(None, parts)) or 'none'}"


def firmware_clock(root: Path = ROOT) -> float | None:
    """The clock of the cores in Hz, as the firmware measures it; None where it does not tell."""
    said = _firmware(root, "measure_clock", "arm")
    return float(said) if said.isdecimal() else None


def _firmware(root: Path, *question: str) -> str:
    """What follows the = of the firmware's answer; "" where there is none. A tree that only stands for a machine has no firmware."""
    program = shutil.which("vcgencmd") if root == ROOT else None
    if program is None:
        return ""
    try:
        answer = subprocess.run([program, *question], capture_output=True, text=True, errors="replace", timeout=PATIENCE).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.partition("=")[2].strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
