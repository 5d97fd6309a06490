"""The result of a sensitivity analysis: what quantizing each tensor and each layer alone costs. One JSON document; needs no torch."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import VcompressError
from ..runtime.files import write_text

RANKING = "sensitivity.json"
Kind = Literal["tensor", "weights", "activations", "layer"]


@dataclass(frozen=True)
class Damage:
    """Mean over the clips. `noise`: energy of the error over that of the fp32 output; `snr` in dB, None without any error.

    `log_mel_l1`: log-mel L1 against the recording, relative to fp32's: 0.05 is 5 % more.
    """

    noise: float
    snr: float | None
    log_mel_l1: float


@dataclass(frozen=True)
class Ranked:
    """One thing quantized alone: a tensor, a layer's weights, its input and output ("activations"), or both ("layer").

    `keys`: all names that the scale table has for a tensor. `now`: how the run has it, such as "8 bits". `others`: all but this
    quantized, None where that was not asked for.
    """

    kind: Kind
    name: str
    graph: str
    keys: tuple[str, ...]
    now: str
    alone: Damage
    others: Damage | None = None


@dataclass(frozen=True)
class Ranking:
    """`facts`: of what, on which clips. `everything`: all in 8 bits; `chosen`: as the run has it, 16 bits and float included."""

    facts: dict[str, Any]
    everything: Damage
    chosen: Damage
    rows: tuple[Ranked, ...]

    def sorted(self, *kinds: Kind) -> list[Ranked]:
        """Rows of these kinds, the most damaging by SNR first."""
        return sorted((row for row in self.rows if row.kind in kinds), key=lambda row: (-row.alone.noise, row.name))

    def document(self) -> dict[str, Any]:
        """What the file holds."""
        return asdict(self)

    def save(self, folder: Path) -> Path:
        """Write into a run's folder and give the path."""
        write_text(folder / RANKING, json.dumps(self.document(), indent=1, allow_nan=False))
        return folder / RANKING

    @classmethod
    def read(cls, path: Path) -> "Ranking":
        """Raises VcompressError when the file is no such document."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            rows = [Ranked(**{**row, "keys": tuple(row["keys"]), **_damages(row, ("alone", "others"))}) for row in raw["rows"]]
            return cls(raw["facts"], **_damages(raw, ("everything", "chosen")), rows=tuple(rows))
        except (OSError, ValueError, KeyError, TypeError):
            raise VcompressError(f"{path} is not a sensitivity analysis; make it again with: vcompress sensitivity.") from None


def _damages(raw: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: Damage(**raw[name]) if raw[name] is not None else None for name in names}
