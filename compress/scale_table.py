"""The scale table of a run: named tensors -> scale, zero point and bit width. Every form of a network is quantized by it."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import VcompressError
from ..runtime.files import write_text
from .fake_quantize import ActivationQuantizer
from .graph import PreparedGraph


@dataclass(frozen=True)
class Entry:
    """real = scale * (integer - zero_point): 8 bits from 0 to 255, or 16 bits from -32767 to 32767; in a symmetric run (`Bits`) 8 bits from -128 to 127."""

    scale: float
    zero_point: int
    bits: int = 8

    @property
    def valid(self) -> bool:
        """Whether the numbers are what they have to be."""
        return 0 < self.scale < math.inf and 0 <= self.zero_point <= {8: 255, 16: 0}.get(self.bits, -1)


def _entry(quantizer: ActivationQuantizer) -> Entry:
    scale, zero_point = quantizer.calculate_qparams()
    return Entry(float(scale.detach()), int(zero_point), quantizer.bits)


@dataclass(frozen=True)
class ScaleTable:
    """Keys are those of `graph.tensor_keys`: module path and operator. Weight scales are not here: max |w| / 127 of each channel."""

    entries: Mapping[str, Entry]

    @classmethod
    def of(cls, graphs: Iterable[PreparedGraph]) -> "ScaleTable":
        """What calibrated or trained graphs have settled on. Raises VcompressError for a tensor that no calibration reached."""
        entries: dict[str, Entry] = {}
        for graph in graphs:
            for key, quantizer in graph.tensors.items():
                if not quantizer.seen:
                    raise VcompressError(f"The calibration never reached {key} of graph {graph.form.name}; give it more clips.")
                entries.setdefault(key, _entry(quantizer))
        return cls(entries)

    def apply(self, graph: PreparedGraph) -> None:
        """Give a form's tensors their scales. Raises VcompressError when one has none."""
        for key, quantizer in graph.tensors.items():
            if key not in self.entries or self.entries[key].bits != quantizer.bits or (quantizer.symmetric and self.entries[key].zero_point):
                raise VcompressError(f"The scale table has no entry for {key} of graph {graph.form.name}; quantize the network again.")
            quantizer.set(self.entries[key].scale, self.entries[key].zero_point)

    def apply_known(self, graphs: Iterable[PreparedGraph]) -> None:
        """Give those tensors their scales that the table has in as many bits; the others keep their own."""
        for graph in graphs:
            for key, quantizer in graph.tensors.items():
                entry = self.entries.get(key)
                if entry is not None and entry.bits == quantizer.bits:
                    quantizer.set(entry.scale, entry.zero_point)

    def begin(self, graphs: Iterable[PreparedGraph]) -> None:
        """Give tensors that are going to learn the scales to learn from. Raises VcompressError when one has none."""
        for graph in graphs:
            for key, quantizer in graph.tensors.items():
                entry = self.entries.get(key)
                if entry is not None and entry.bits == quantizer.bits and not quantizer.fixed:
                    quantizer.begin(entry.scale, entry.zero_point)
            for key, quantizer in graph.tensors.items():
                if not quantizer.seen:
                    raise VcompressError(f"The scale table has no entry for {key} of graph {graph.form.name}; quantize the network again.")

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_text(path, json.dumps({key: [e.scale, e.zero_point, e.bits] for key, e in self.entries.items()}, indent=0))

    @classmethod
    def read(cls, path: Path) -> "ScaleTable":
        """Raises VcompressError when the file is no scale table."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            entries = {str(key): Entry(float(scale), int(zero_point), int(bits)) for key, (scale, zero_point, bits) in raw.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            raise VcompressError(f"{path} is not a scale table; quantize the network again.") from None
        if not all(entry.valid for entry in entries.values()):
            raise VcompressError(f"{path} holds scales or zero points that are none; quantize the network again.")
        return cls(entries)
