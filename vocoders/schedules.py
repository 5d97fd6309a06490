"""Which noise schedule a diffusion vocoder samples with: one of its family's by the number of steps, or one that a search has found, in a file."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from ..runtime.files import write_text
from .checkpoint import Checkpoint
from .family import Family
from .registry import find_family

Betas = tuple[float, ...]


def find_schedule(family: Family, wanted: str) -> Betas:
    """The betas of `wanted`, a number of steps or a file. Raises VcompressError when there is no such schedule or the family has none at all."""
    if family.schedule_settings is None:
        raise VcompressError(f"{family.title} has no noise schedule; leave out --schedule.")
    if wanted.isdecimal():
        if int(wanted) not in family.schedules:
            known = " or ".join(map(str, family.schedules))
            raise VcompressError(f"{family.title} has no schedule of {wanted} steps; give {known}, or a file that vcompress schedule wrote.")
        return tuple(family.schedules[int(wanted)])
    return read_schedule(Path(wanted), family)


def read_schedule(path: Path, family: Family) -> Betas:
    """Raises VcompressError when the file is missing, is no schedule, or is one of another family."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        owner, betas = str(raw["family"]), tuple(float(beta) for beta in raw["betas"])
    except (OSError, ValueError, KeyError, TypeError):
        raise VcompressError(f"{path} is not a noise schedule; make one with: vcompress schedule {family.name}.") from None
    if owner != family.name:
        raise VcompressError(f"{path} is a schedule of {owner}, not of {family.name}; make one with: vcompress schedule {family.name}.")
    if not betas or not all(0 < beta < 1 for beta in betas):
        raise VcompressError(f"{path} holds betas that are not between 0 and 1; make one with: vcompress schedule {family.name}.")
    return betas


def write_schedule(path: Path, family: Family, betas: Sequence[float], **facts: Any) -> None:
    """Write a schedule as JSON, with whatever is known of it."""
    write_text(path, json.dumps({"family": family.name, "betas": list(betas), **facts}, indent=1) + "\n")


def with_schedule(checkpoint: Checkpoint, betas: Betas) -> Checkpoint:
    """The same weights with another schedule in their sampler's settings."""
    family = find_family(checkpoint.family)
    assert family.schedule_settings is not None
    return replace(checkpoint, sampler={**(checkpoint.sampler or {}), **family.schedule_settings(betas)})
