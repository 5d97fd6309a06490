"""Figures of one vocoder on a target that no bench has taken there, counted in a simulation or reckoned from the graphs: their records are built here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..runtime.artifact import Artifact
from ..targets.workload import Workload
from .records import Record


@dataclass(frozen=True)
class Reckoning:
    """What the records of one vocoder on one target share. `seconds`: of audio; `settings`: what else all of them depend on."""

    artifact: str
    name: str
    family: str
    size: str
    recipe: str
    backend: str
    target: str
    seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_workload(cls, workload: Workload, backend: str, target: str, **more: Any) -> "Reckoning":
        """Of what an artifact asks."""
        return cls(workload.identity, workload.name, workload.family, workload.size, workload.recipe, backend, target, workload.seconds, **more)

    @classmethod
    def of_artifact(cls, artifact: Artifact, backend: str, target: str, seconds: float, **more: Any) -> "Reckoning":
        """Of an artifact."""
        manifest = artifact.manifest
        return cls(artifact.identity, manifest.name, manifest.family, manifest.size, manifest.recipe, backend, target, seconds, **more)

    def record(self, metric: str, value: float | None, unit: str, known: str, method: str, reason: str = "", **settings: Any) -> Record:
        """One figure, or its absence with the reason."""
        return Record(**self._shared(metric, unit, known, method, settings), value=value, reason=reason if value is None else "")

    def median(self, metric: str, samples: Sequence[float], unit: str, known: str, method: str, **settings: Any) -> Record:
        """The median of counts, with what lies between the least and the most of them."""
        spread = max(samples) - min(samples)
        shared = self._shared(metric, unit, known, method, settings)
        return Record(**shared, value=median(samples), repeats=len(samples), spread=spread, samples=tuple(samples))

    def _shared(self, metric: str, unit: str, known: str, method: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        names = ("artifact", "name", "family", "size", "recipe", "backend", "target")
        return {name: getattr(self, name) for name in names} | {
            "metric": metric,
            "unit": unit,
            "known": known,
            "method": method,
            "window": self.seconds,
            "settings": {"seconds": self.seconds, **self.settings, **settings},
            "environment": dict(self.environment),
        }
