"""What is counted while an artifact runs on a simulated board, as records labelled `simulated`. Which simulation it is, the kind of target decides."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...targets.profile import Profile
from ..records import Record

OnStep = Callable[[str], None]
# kind of target -> module with `records(request, on_step) -> list[Record]`
SIMULATIONS = {"sbc": ".linux", "mcu": ".firmware"}


@dataclass(frozen=True)
class Request:
    """One artifact on one target. backend: what runs it there, None for what that simulation takes; seconds: of audio, None for as many as are quick."""

    artifact: Artifact
    profile: Profile
    backend: str | None = None
    seconds: float | None = None
    repeats: int = 2
    seed: int = 0


def simulate(request: Request, on_step: OnStep = lambda step: None) -> list[Record]:
    """The figures of one artifact on one target; `on_step` is told what is being done.

    Raises VcompressError where nothing simulates the target, or a tool is missing (naming its package).
    """
    kind = request.profile.kind
    if kind not in SIMULATIONS:
        raise VcompressError(f"{request.profile.name} is a {kind}, which nothing simulates here; choose a target of kind {' or '.join(SIMULATIONS)}.")
    made: list[Record] = import_module(SIMULATIONS[kind], __package__).records(request, on_step)
    return made
