"""The families this vcompress knows. A new one is its file and its line here; it is imported when it is asked for."""

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import VcompressError

if TYPE_CHECKING:
    from .family import Family

_FAMILIES = {
    "melgan": ".melgan",
    "hifigan": ".hifigan",
    "diffwave": ".diffwave",
    "wavegrad": ".wavegrad",
    "waveflow": ".waveflow",
    "waveglow": ".waveglow",
    "vocos": ".vocos",
    "wavernn": ".wavernn",
    "subscale": ".wavernn_subscale",
    "sing": ".sing",
}
# Networks of public code bases that no family here has: they come by `vcompress import` alone, have no sizes of their own and are in no table.
IMPORTED = {
    "wavernngru": ".wavernn_gru",
}


GIVEN_NOTES = ("sing",)  # families that are given a note, where the others are given a mel


OWN = "OWN"  # the size of an imported vocoder that is none of its family's


def family_names() -> tuple[str, ...]:
    """Every family with sizes, in the order of the tables."""
    return tuple(_FAMILIES)


def check_family(name: str) -> str:
    """The family's name as the registry spells it. Raises VcompressError when there is none, listing those there are."""
    spelled = name.lower().replace("-", "").replace("_", "")
    if spelled not in _FAMILIES | IMPORTED:
        raise VcompressError(f"There is no vocoder family {name!r}; choose one of {', '.join(_FAMILIES | IMPORTED)}.")
    return spelled


def find_family(name: str) -> "Family":
    """The family of that name; imports torch. Raises VcompressError when there is none."""
    return import_module((_FAMILIES | IMPORTED)[check_family(name)], __package__).FAMILY


def given_notes(family: str) -> bool:
    """Whether a family is given notes, not mels; imports nothing."""
    return check_family(family) in GIVEN_NOTES


def find_size(family: "Family", size: str, own: bool = False) -> str:
    """The size's name as the family spells it; `own`: or that of imported vocoders. Raises VcompressError when there is none, listing those there are."""
    spelled = spell_size(size, (*family.sizes, OWN) if own else family.sizes)
    if spelled is None and not family.sizes:
        raise VcompressError(f"A {family.title} comes by import alone, in no size but {OWN}; see: vcompress import --help.")
    if spelled is None:
        raise VcompressError(f"{family.title} has no size {size!r}; choose one of {', '.join(family.sizes)}.")
    return spelled


def spell_size(size: str, sizes: Iterable[str]) -> str | None:
    """The one of `sizes` that differs from `size` in case at most."""
    return next((known for known in sizes if known.upper() == size.upper()), None)
