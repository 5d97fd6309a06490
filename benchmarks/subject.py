"""One artifact on the bench: its settings, its sessions, what it made of the reference clips, and the fp32 it is compared with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import VcompressError
from ..runtime.artifact import Artifact
from ..runtime.audio import resample
from ..runtime.backends import Session, load, on_a_gpu
from ..runtime.samplers import make_sampler
from ..runtime.synthesis import synthesize
from .energy.nvml import gpu_name
from .energy.trial import SECONDS, WINDOWS
from .environment import environment
from .records import HOST
from .references import RATE, References
from .utterances import PROTOCOLS, Utterances

FOLDED = "folded_"


@dataclass(frozen=True)
class BenchSettings:
    """How a benchmark measures.

    threads: every number of threads to time with; seed: of the noise (clip i draws with seed + i); seconds: audio a timed run makes;
    repeats: timed runs, fewer (but at least 3) once `patience` seconds are spent; families: which of bench.FAMILIES, None for all but speedup.
    batch: utterances made at once; protocol: the preset that this is, of PROTOCOLS.
    windows, window_seconds: of energy (energy/trial.py); meter_log, meter_offset: a meter at the supply (energy/meter_log.py);
    power_of: the target whose profile says what this machine draws, for energy where nothing meters it.
    """

    backend: str = "onnxruntime"
    target: str = HOST
    threads: tuple[int, ...] = (1,)
    seed: int = 0
    seconds: float = 2.0
    repeats: int = 10
    warmup: int = 2
    patience: float = 20.0
    families: tuple[str, ...] | None = None
    batch: int = 1
    protocol: str = ""
    windows: int = WINDOWS
    window_seconds: float = SECONDS
    meter_log: str = ""
    meter_offset: float | None = None
    power_of: str = ""

    def __post_init__(self) -> None:
        if not self.threads or min(self.threads) < 1:
            raise VcompressError(f"A benchmark cannot run with {list(self.threads)} threads; give numbers from 1 on.")
        if self.seconds <= 0 or self.repeats < 1 or self.warmup < 0:
            raise VcompressError("A benchmark needs seconds above 0, at least 1 repeat and no negative warm-up; correct the settings.")
        if self.batch < 1 or self.windows < 1 or not 0 < self.window_seconds < math.inf:
            raise VcompressError("A benchmark needs batches of at least 1, and at least 1 window of more than 0 s; correct the settings.")
        if self.protocol not in PROTOCOLS and self.protocol:
            raise VcompressError(f"There is no protocol {self.protocol!r}; choose one of {', '.join(PROTOCOLS)}.")

    def following(self, protocol: str) -> "BenchSettings":
        """These settings under a preset. Raises VcompressError for one that is unknown."""
        return replace(self, protocol=protocol, **PROTOCOLS.get(protocol, {}))


@dataclass
class Subject:
    """An artifact with what its figures are made from; sessions and outputs are made when first asked for. `folder`: for
    audio; `kept`: whether its own is there; `utterances`: what is synthesized under a protocol."""

    artifact: Artifact
    settings: BenchSettings
    references: References | None = None
    fp32: "Subject | None" = None
    folder: Path | None = None
    kept: bool = False
    utterances: Utterances | None = None
    timings: dict[tuple[int, str], Any] = field(default_factory=dict)  # of rtf.timing
    _sessions: dict[int, Session] = field(default_factory=dict)

    def session(self, threads: int | None = None) -> Session:
        """The artifact in the back end, with the settings' first number of threads unless given."""
        threads = threads or self.settings.threads[0]
        if threads not in self._sessions:
            self._sessions[threads] = load(self.settings.backend, self.artifact, threads)
        return self._sessions[threads]

    @property
    def special(self) -> dict[str, Any]:
        """What makes a timed figure another than the usual one, for the settings of its record."""
        settings, found = self.settings, {}
        if settings.protocol:
            found["protocol"] = settings.protocol
        if self.utterances is not None:
            found["recordings"] = self.utterances.recordings
        return {**found, **({"batch": settings.batch} if settings.batch > 1 else {})}

    @property
    def machine(self) -> dict[str, str]:
        """What it runs on (environment.py)."""
        return environment()

    @property
    def environment(self) -> dict[str, str]:
        """What of machine and back end bears on its figures."""
        found = {**self.session().environment, **self.machine}
        name = gpu_name() if on_a_gpu(self.settings.backend) else ""
        return {"gpu": name, **found} if name else found

    @property
    def steps(self) -> int:
        """Steps of a diffusion sampler, 0 for others, as those whose steps are samples."""
        manifest = self.artifact.manifest
        sampler = make_sampler(manifest.sampler, manifest.front_end.hop_length)
        return 0 if "step" in getattr(sampler, "each_frame", ()) else sampler.calls.get("step", 0)

    @cached_property
    def trajectories(self) -> list[dict[int, np.ndarray]]:
        """For each clip, step -> waveform float32 (T,) at the vocoder's rate; key -1 is the finished output."""
        assert self.references is not None
        found = []
        for index, condition in enumerate(self.references.conditions(self.artifact.manifest.front_end)):
            steps: dict[int, np.ndarray] = {}
            steps[-1] = synthesize(self.artifact, self.session(), condition, self.settings.seed + index, steps.__setitem__)
            found.append(steps)
        return found

    @property
    def outputs(self) -> list[np.ndarray]:
        """The finished waveforms, float32 (T,) at the vocoder's rate."""
        return [steps[-1] for steps in self.trajectories]

    @cached_property
    def judged(self) -> list[np.ndarray]:
        """The outputs as the metrics see them: float32 (T,) at 16 kHz."""
        return [resample(waveform, self.artifact.manifest.front_end.sample_rate, RATE) for waveform in self.outputs]

    def release(self) -> None:
        """Give back sessions and outputs; they come again when asked for."""
        self._sessions.clear()
        for name in ("trajectories", "judged"):
            self.__dict__.pop(name, None)


def pair_with_fp32(subjects: Sequence[Subject]) -> None:
    """Give each subject the fp32 of its name, folded where it is folded itself; the last one given counts."""
    for subject in subjects:
        manifest = subject.artifact.manifest
        wanted = fp32_recipe(manifest.recipe)
        others = [s for s in subjects if s.artifact.manifest.name == manifest.name and s.artifact.manifest.recipe == wanted]
        subject.fp32 = others[-1] if others else None


def fp32_recipe(recipe: str) -> str:
    """The recipe that another is compared with: quantization gets no credit for the folding."""
    return f"{FOLDED}fp32" if recipe.startswith(FOLDED) else "fp32"
