"""What is known of every configuration without building it. Torch-free; `counting.py` makes the file, a test counts again."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import VcompressError
from .registry import check_family

CATALOGUE = Path(__file__).parent / "catalogue.json"


@dataclass(frozen=True)
class CatalogueRow:
    """One family in one size.

    `parameters` with weight norm, as in the papers' tables; `parameters_folded` without. `gflops_per_second`: 2 x MAC / 1e9 of
    the paper's network for the whole synthesis of one second of audio, all its network calls included. `fp32_bytes` =
    4 x parameters_folded. `hop_length` in samples a mel frame, `sample_rate` in Hz.
    """

    family: str
    title: str
    size: str
    parameters: int
    parameters_folded: int
    gflops_per_second: float
    network_calls: int
    fp32_bytes: int
    hop_length: int
    sample_rate: int


def catalogue() -> tuple[CatalogueRow, ...]:
    """Every configuration, family by family, from small to large."""
    return tuple(CatalogueRow(**row) for row in json.loads(CATALOGUE.read_text(encoding="utf-8")))


def check_entry(family: str | None, size: str | None) -> tuple[str | None, str | None]:
    """Family and size as the catalogue spells them. Raises VcompressError for one there is not, listing those there are."""
    name = check_family(family) if family is not None else None
    rows = [row for row in catalogue() if name in (None, row.family)]
    sizes = list(dict.fromkeys(row.size for row in rows))
    if size is not None and size.upper() not in sizes:
        raise VcompressError(f"{rows[0].title if name else 'The catalogue'} has no size {size!r}; choose one of {', '.join(sizes)}.")
    return name, size.upper() if size is not None else None
