"""RAPL: the energy counters of Intel and AMD CPUs below /sys/class/powercap, read through pyJoules.

pyJoules lists the domains and reads them. It does not know that a counter starts again from 0: where, is read here from
`max_energy_range_uj`. Its path is a constant of its module, and stands elsewhere while a device is made for another root.
"""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from .curve import counted
from .meter import Clock, Description, NoMeter, PolledMeter

SOURCE, TITLE = "rapl", "CPU energy (RAPL)"
TREE = "sys/class/powercap/intel-rapl"
INTERVAL = 10.0  # seconds between two readings: a counter starts again after minutes at the soonest
COUNTED = ("package", "dram")  # core and uncore are parts of the package, psys holds it


def find(root: Path = Path("/"), clock: Clock = time.monotonic) -> PolledMeter | NoMeter:
    """The packages and their memory, or why they cannot be read. `root`: where /sys and /proc are looked for."""
    path = f"/{TREE}/intel-rapl:*/energy_uj"
    tree = root / TREE
    if not tree.is_dir():
        return NoMeter(SOURCE, TITLE, _why_no_tree(root), path)
    try:
        with _pyjoules_below(tree) as rapl_device:
            device = _device(rapl_device)
    except ImportError:
        return NoMeter(SOURCE, TITLE, "pyJoules is not installed; run: pip install 'vcompress[energy]'", path)
    except OSError as error:
        return NoMeter(SOURCE, TITLE, f"the domains cannot be listed ({error.strerror}); let an administrator run: chmod -R a+rX /{TREE}", path)
    names = [domain.get_domain_name() for domain in device.get_configured_domains()]
    there = [name for name in _names(tree) if name.startswith("package")]
    if not names or names.count("package") < len(there):
        seen = f"pyJoules knows {names.count('package')} of the {len(there)} packages that are here ({', '.join(there) or 'none'})"
        return NoMeter(SOURCE, TITLE, f"{seen}: it takes intel-rapl:N to be package-N", path)
    try:
        device.get_energy()
    except PermissionError:
        return NoMeter(SOURCE, TITLE, f"only root may read it; let an administrator run: chmod a+r {path}", path)
    except (OSError, ValueError) as error:
        return NoMeter(SOURCE, TITLE, f"the counters cannot be read ({type(error).__name__}: {error})", path)
    kinds = " and ".join({"package": "CPU package", "dram": "memory"}[name] for name in dict.fromkeys(names))
    covers = f"{kinds} ({len(there)} package{'s' * (len(there) > 1)}), RAPL through pyJoules"
    files = getattr(device, "_api_file_names", [])  # pyJoules' own; without it a counter that starts again is no figure
    ranges = [_range(Path(file)) for file in files] if len(files) == len(names) else [None] * len(names)
    return PolledMeter(Description(SOURCE, TITLE, covers, INTERVAL, path), device.get_energy, partial(counted, joules=1e-6, ranges=ranges), clock)


@contextmanager
def _pyjoules_below(tree: Path) -> Iterator[ModuleType]:
    from pyJoules.device import rapl_device

    usual, rapl_device.RAPL_API_DIR = rapl_device.RAPL_API_DIR, str(tree)
    try:
        yield rapl_device
    finally:
        rapl_device.RAPL_API_DIR = usual


def _device(rapl_device: ModuleType) -> Any:
    device = rapl_device.RaplDevice()
    device.configure([domain for domain in device.available_domains() if domain.get_domain_name() in COUNTED])
    return device


def _names(tree: Path) -> Iterator[str]:
    for file in sorted(tree.glob("intel-rapl:*/name")):
        yield file.read_text(encoding="utf-8", errors="replace").strip()


def _range(counter: Path) -> float | None:
    try:
        return float(counter.with_name("max_energy_range_uj").read_text())
    except (OSError, ValueError):
        return None


def _why_no_tree(root: Path) -> str:
    from ..sensors import is_virtual

    if is_virtual(root):
        return "a virtual machine: the host keeps the counters of its CPU to itself"
    if platform.machine() not in ("x86_64", "AMD64", "i686"):
        return f"{platform.machine()} has no such counter; put a meter at the supply"
    return "the kernel does not offer it; load intel_rapl_msr, or let the container see /sys/class/powercap"
