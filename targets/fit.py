"""Does it fit: what a workload needs of a target's memory, how fast it would be there, and what would have to give. All of it on paper."""

from dataclasses import dataclass

from .budget import Budget, Part
from .microcontroller import memory_of
from .profile import Profile
from .roofline import Speed, speed
from .workload import Workload


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
            return f"does not fit: {'cannot stream' if self.workload.stream is None else 'no C code for it'}"
        sure = all(part.bytes is not None for budget in self.budgets for part in budget.parts)
        return f"fits{'' if sure else ' as far as is known'}, {self.speed.words}"

    def budget(self, memory: str) -> Budget | None:
        """The budget of "flash" or "RAM"; None where the target has no such memory."""
        return next((budget for budget in self.budgets if budget.memory == memory), None)


def fit(profile: Profile, workload: Workload) -> Fit:
    """A workload held against a target's memory and speed."""
    budgets, obstacle = memory_of(profile, workload) if profile.is_mcu else ((_ram(profile, workload),), "")
    return Fit(profile, workload, budgets, speed(profile, workload), obstacle)


def _ram(profile: Profile, workload: Workload) -> Budget:
    parts = (Part("weights", workload.stored_bytes), Part(f"activations of {workload.seconds:g} s", workload.peak_bytes, workload.no_peak))
    return Budget("RAM", parts, profile.ram, "a lower bound: without system, interpreter and what the back end keeps beside them")
