"""The kinds of front ends: what a vocoder is given is the mel of a recording, or the codes of a note. Both are float32 (channels, F)."""

from collections.abc import Mapping
from typing import Any

from ..errors import VcompressError
from .mel import FrontEnd
from .notes import NoteFrontEnd

AnyFrontEnd = FrontEnd | NoteFrontEnd


def read_front_end(facts: Mapping[str, Any]) -> AnyFrontEnd:
    """The front end whose fields these are. Raises TypeError where they are none's."""
    return NoteFrontEnd(**facts) if "kind" in facts else FrontEnd(**facts)


def of_mels(front_end: AnyFrontEnd, what: str) -> FrontEnd:
    """The front end where it makes mels. Raises VcompressError for one of notes, where `what` needs a mel."""
    if isinstance(front_end, NoteFrontEnd):
        raise VcompressError(f"{what} takes a vocoder that is given a mel, and this one is given notes; choose another.")
    return front_end
