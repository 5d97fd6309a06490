"""What of a target the C code depends on, and where that is known from."""

from ..export.c.program import TargetFacts
from .profile import Profile

AVR = "AVR"  # how the core of such a profile begins
LARGEST_ON_AVR = 32_767  # bytes of an array: an int has 16 bits


def target_facts(profile: Profile) -> TargetFacts:
    """For the C export; a computer is told nothing that a microcontroller is."""
    if profile.core.startswith(AVR):
        return TargetFacts(profile.name, profile.requantization, packed=True, largest_object=LARGEST_ON_AVR)
    return TargetFacts(profile.name, profile.requantization or "q31")
