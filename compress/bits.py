"""What is not 8 bits in a quantized vocoder, and why; and whether its zero points are 0. Kept in a run where it is not the family's own choice."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from ..runtime.files import write_text
from ..vocoders.family import Family

BITS = "bits.json"


@dataclass(frozen=True)
class Bits:
    """`floats`: paths of layers that stay in float; `wide`: tensors (keys of the scale table) with 16 bits; each with its reason.

    `symmetric`: activations are signed with zero point 0, and what is wide is float, for who has no other integers (TensorRT).
    """

    floats: Mapping[str, str]
    wide: Mapping[str, str]
    symmetric: bool = False

    @classmethod
    def of(cls, family: Family, config: Any, symmetric: bool = False) -> "Bits":
        """What a family says of itself, for static quantization and QAT."""
        return cls(dict(family.floats(config)), dict(family.wide(config)), symmetric)

    @classmethod
    def eight(cls, family: Family, config: Any) -> "Bits":
        """8 bits wherever integers are possible at all."""
        return cls(dict(family.floats(config)), {})

    def save(self, folder: Path) -> None:
        """Write into a run's folder."""
        write_text(folder / BITS, json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, folder: Path) -> "Bits | None":
        """Those of a run; None where it has none of its own. Raises VcompressError when the file is damaged."""
        path = folder / BITS
        if not path.is_file():
            return None
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            floats, wide = ({str(key): str(why) for key, why in raw[part].items()} for part in ("floats", "wide"))
            symmetric = raw.get("symmetric", False) is True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise VcompressError(f"{path} does not say what stays in float; quantize the network again.") from None
        return cls(floats, wide, symmetric)
