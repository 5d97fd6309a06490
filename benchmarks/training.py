"""What the training of an artifact drew, as its run tells: kWh and kg CO2e."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ..runtime.workspace import RUN
from .figure import Figure, Planned
from .record_values import is_number
from .records import KNOWN
from .subject import Subject

METRICS = {"training_energy": ("kwh", "kWh"), "training_co2e": ("kg_co2e", "kg")}
UNTOLD = "its run does not tell what the training drew"


def plan(subject: Subject) -> Iterator[Planned]:
    """`training_energy` and `training_co2e` of an artifact whose run is a training; nothing of others."""
    facts = _facts(subject)
    if facts is None:
        return
    told = facts if facts.get("known") in KNOWN else {}
    for metric, (name, unit) in METRICS.items():
        value = told.get(name)
        good = is_number(value) and 0 <= value < float("inf")
        covers = f"{told.get('covers', '')}; PUE {told.get('pue')}, {told.get('intensity')} kg CO2e/kWh"
        reason = "" if good else str(told.get("reason") or UNTOLD)
        yield Planned(metric, unit, covers, partial(Figure, value), missing=reason, known=str(told.get("known", "measured")))


def _facts(subject: Subject) -> Mapping[str, Any] | None:
    """What the run beside the artifact says of energy; None where it is no training."""
    try:
        run = json.loads((subject.artifact.folder.parent / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(run, dict) or "training" not in run:
        return None
    energy = run.get("energy")
    return energy if isinstance(energy, dict) else {}
