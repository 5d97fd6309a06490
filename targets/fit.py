"""Does it fit: what a workload needs of a target's memory, how fast it would be there, and what would have to give.

All of it on paper. A program that has been compiled says its code and its RAM to the byte; until there is one, both are lower bounds here,
and `Part.bytes` of the code is None with its reason: that is where an exporter's figure goes.
"""

from dataclasses import dataclass

from .profile import Profile
from .roofline import Speed, speed
from .workload import Workload

TABLE_BYTES = 256  # a function of one byte
MULTIPLIER_BYTES = {"q15": 2 + 1, "q31": 4 + 1}  # of a channel: the fixed-point multiplier, and its shift
NO_CODE = "no program has been compiled"


@dataclass(frozen=True)
class Part:
    """One thing that takes memory; `bytes` None with the reason where it is not known."""

    name: str
    bytes: int | None
    reason: str = ""


@dataclass(frozen=True)
class Budget:
    """A memory of the target: what has to lie in it, and what there is. `needed` counts what is known: with an unknown part it is a lower bound."""

    memory: str
    parts: tuple[Part, ...]
    available: float
    bound: str = ""

    @property
    def needed(self) -> int:
        """Bytes of the parts that are known."""
        return sum(part.bytes or 0 for part in self.parts)

    @property
    def known(self) -> bool:
        """Whether anything is known of what it has to hold."""
        return any(part.bytes is not None for part in self.parts)

    @property
    def fits(self) -> bool | None:
        """Whether what is known fits; None where nothing is known."""
        return self.needed <= self.available if self.known else None

    @property
    def times(self) -> float:
        """Needed over available."""
        return self.needed / self.available


@dataclass(frozen=True)
class Fit:
    """One workload on one target. `obstacle`: what keeps it from running there at all, such as padding that cannot stream."""

    profile: Profile
    workload: Workload
    budgets: tuple[Budget, ...]
    speed: Speed
    obstacle: str = ""

    @property
    def fits(self) -> bool | None:
        """Whether it fits as far as is known; None where one of the memories is unknown and no other overflows."""
        answers = [budget.fits for budget in self.budgets]
        if self.obstacle or False in answers:
            return False
        return None if None in answers else True

    @property
    def verdict(self) -> str:
        """In words: whether it fits, and whether in real time."""
        if over := [budget for budget in self.budgets if budget.fits is False]:
            return "does not fit: " + ", ".join(f"{budget.memory} {budget.times:.3g}x" for budget in over)
        if self.obstacle:
            return "does not fit: cannot stream"
        sure = all(part.bytes is not None for budget in self.budgets for part in budget.parts)
        return f"fits{'' if sure else ' as far as is known'}, {self.speed.words}"

    def budget(self, memory: str) -> Budget | None:
        """The budget of "flash" or "RAM"; None where the target has no such memory."""
        return next((budget for budget in self.budgets if budget.memory == memory), None)


def fit(profile: Profile, workload: Workload) -> Fit:
    """A workload held against a target's memory and speed."""
    budgets = (_flash(profile, workload), _streaming_ram(profile, workload)) if profile.is_mcu else (_ram(profile, workload),)
    obstacle = workload.no_stream if profile.is_mcu and workload.identity and workload.stream is None else ""
    return Fit(profile, workload, budgets, speed(profile, workload), obstacle)


def _flash(profile: Profile, workload: Workload) -> Budget:
    storage = workload.storage
    parts = (
        Part("weights", storage.weights),
        Part("biases", storage.biases),
        Part("constants", storage.constants),
        Part(f"{profile.requantization} multipliers", storage.channels * MULTIPLIER_BYTES[profile.requantization]),
        Part("tables", storage.curves * TABLE_BYTES),
        Part("code", None, NO_CODE),
    )
    shown = tuple(part for part in parts if part.bytes != 0)
    return Budget("flash", shown, profile.flash, "a lower bound: without the code")


def _streaming_ram(profile: Profile, workload: Workload) -> Budget:
    stream = workload.stream
    parts = (
        Part("ring buffers", stream.rings if stream else None, workload.no_stream),
        Part("largest pair of frames", stream.frames if stream else None, workload.no_stream),
    )
    return Budget("RAM", parts, profile.ram, "a lower bound of a streaming execution: without stack, sampler, mel and the delays that keep branches in step")


def _ram(profile: Profile, workload: Workload) -> Budget:
    parts = (Part("weights", workload.stored_bytes), Part(f"activations of {workload.seconds:g} s", workload.peak_bytes, workload.no_peak))
    return Budget("RAM", parts, profile.ram, "a lower bound: without system, interpreter and what the back end keeps beside them")
