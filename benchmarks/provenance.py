"""How a figure is known, and how that is shown beside it: a mark of its own shape for each, so that no colour is needed to tell them apart."""

from collections.abc import Iterable
from dataclasses import dataclass

from .records import KNOWN, MEASURED, MODELLED, PUBLISHED, SIMULATED


@dataclass(frozen=True)
class Provenance:
    """One way of knowing: its mark as text, and what it means."""

    known: str
    mark: str
    meaning: str


PROVENANCES = (
    Provenance(MEASURED, "●", "taken on the machine that is named"),
    Provenance(SIMULATED, "◐", "counted while the same program ran on a simulated processor"),
    Provenance(MODELLED, "○", "reckoned with the figures of the target's profile, from the graphs or from counts; not timed"),
    Provenance(PUBLISHED, "□", "printed in a paper, on its authors' machine and recordings"),
)
BY_KNOWN = {provenance.known: provenance for provenance in PROVENANCES}


def weakest(known: Iterable[str]) -> str:
    """How a figure made of several is known: as the least certain of them; "measured" of none."""
    return max(known, key=KNOWN.index, default=MEASURED)
