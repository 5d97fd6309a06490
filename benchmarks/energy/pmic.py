"""The power management chip of a Raspberry Pi 5: current and voltage of its rails, by `vcgencmd pmic_read_adc`.

The sum over the rails lacks the chip's own losses and what hangs on the 5 V (USB, the fan): a meter at the supply shows more.
"""

import re
import shutil
import subprocess
import time

from .curve import sampled
from .meter import Clock, Description, NoMeter, PolledMeter

SOURCE, TITLE = "pmic", "board power (Raspberry Pi 5 PMIC)"
INTERVAL = 0.5  # seconds: each reading is a process of some milliseconds
_ENTRY = re.compile(r"^\s*(\w+)_([AV])\s+(?:current|volt)\w*\(\d+\)\s*=\s*([0-9.]+)\s*[AV]\s*$|^\s*(\w+)_([AV])\s*=\s*([0-9.]+)\s*[AV]\s*$", re.MULTILINE)


def find(command: str = "vcgencmd", clock: Clock = time.monotonic) -> PolledMeter | NoMeter:
    """The rails of the board, or why they cannot be read."""
    if not shutil.which(command):
        return NoMeter(SOURCE, TITLE, f"{command} is not here, which a Raspberry Pi has")
    try:
        text = _ask(command)
        power(text)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return NoMeter(SOURCE, TITLE, f"{command} pmic_read_adc tells no currents, which only a Raspberry Pi 5 has ({_first_line(error)})")
    rails = len(_rails(text))
    covers = f"{rails} rails of the board, without the losses of its PMIC and without USB, by vcgencmd"
    return PolledMeter(Description(SOURCE, TITLE, covers, INTERVAL), lambda: (power(_ask(command)),), sampled, clock)


def power(text: str) -> float:
    """W over all rails that have both a current and a voltage. Raises ValueError where none has."""
    rails = _rails(text)
    if not rails:
        raise ValueError("it lists no rail with a current and a voltage")
    return sum(current * voltage for current, voltage in rails.values())


def _rails(text: str) -> dict[str, tuple[float, float]]:
    read: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for match in _ENTRY.finditer(text):
        name, kind, number = (part for part in match.groups() if part is not None)
        read[kind][name] = float(number)
    return {name: (current, read["V"][name]) for name, current in read["A"].items() if name in read["V"]}


def _ask(command: str) -> str:
    done = subprocess.run([command, "pmic_read_adc"], capture_output=True, text=True, timeout=5)
    if done.returncode:
        raise ValueError(done.stderr.strip() or done.stdout.strip() or f"it ended with {done.returncode}")
    return done.stdout


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
