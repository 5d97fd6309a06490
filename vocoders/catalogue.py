"""What is known of every configuration without building it. Torch-free; `counting.py` makes the file, a test counts again."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import VcompressError
from .registry import IMPORTED, OWN, check_family, spell_size

CATALOGUE = Path(__file__).parent / "catalogue.json"


@dataclass(frozen=True)
class CatalogueRow:
    """One family in one size.

    `parameters` with weight norm, as in the papers' tables; `parameters_folded` without. `gflops_per_second`: 2 x MAC / 1e9 of
    the paper's network for the whole synthesis of one second of audio, all its network calls included. `fp32_bytes` =
    4 x parameters_folded. `hop_length` in samples a mel frame, `sample_rate` in Hz.

    For comparison with the printed tables, None where the papers have no such network: `papers_gflops`, their count (`papers_count.py`) of
    the synthesis of one 64-frame input; `papers_fp32_bytes`, the file that torch.save makes of the state dict with weight norm.
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
    papers_gflops: float | None = None
    papers_fp32_bytes: int | None = None


def catalogue() -> tuple[CatalogueRow, ...]:
    """Every configuration, family by family, from small to large."""
    return tuple(CatalogueRow(**row) for row in json.loads(CATALOGUE.read_text(encoding="utf-8")))


def at_rate(row: CatalogueRow, sample_rate: int) -> CatalogueRow:
    """The same network trained for recordings of another rate, in Hz: a second has as many times more frames. No paper printed that."""
    factor = sample_rate / row.sample_rate
    return replace(row, sample_rate=sample_rate, gflops_per_second=round(factor * row.gflops_per_second, 4), papers_gflops=None)


def check_entry(family: str | None, size: str | None) -> tuple[str | None, str | None]:
    """Family and size as the catalogue spells them; an imported family has but one. Raises VcompressError for what there is not, listing what there is."""
    name = check_family(family) if family is not None else None
    if name in IMPORTED:
        if (size or OWN).upper() != OWN:
            raise VcompressError(f"{name} comes by import alone, in no size but {OWN}; give --size {OWN}, or the --name of the import.")
        return name, OWN
    rows = [row for row in catalogue() if name in (None, row.family)]
    sizes = list(dict.fromkeys(row.size for row in rows))
    spelled = spell_size(size, (*sizes, OWN)) if size is not None else None
    if size is not None and spelled is None:
        raise VcompressError(f"{rows[0].title if name else 'The catalogue'} has no size {size!r}; choose one of {', '.join(sizes)}.")
    return name, spelled
