"""Energy where there is no meter: time times the power that a target's profile gives. Modelled, and never called anything else."""

from ...errors import VcompressError
from ...targets.profile import find_profile

SOURCE = "model"


def load_power(target: str) -> tuple[float, str]:
    """W of a target under load by its profile, and where that is from. Raises VcompressError where the profile does not tell."""
    profile = find_profile(target)
    quantity = profile.load_power
    if quantity.value is None:
        raise VcompressError(f"The profile {profile.name} gives no power under load ({quantity.reason}); take another profile, or write one of your own.")
    return quantity.value, f"{quantity.value:g} W, the power under load of the profile {profile.name} ({quantity.origin}: {quantity.source})"
