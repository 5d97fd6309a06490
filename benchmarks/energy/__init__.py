"""Energy of a synthesis and of a training: meters, one file a source, and the trial in which they are read."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..figure import Planned
    from ..subject import Subject


def plan(subject: "Subject") -> "Iterator[Planned]":
    """See figures.py; imported late, for the settings of a bench need the trial's."""
    from .figures import plan as planned

    return planned(subject)
