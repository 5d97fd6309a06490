"""An artifact as C for a target: its files, what it makes of a mel by the integer reference, and what it costs."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...export.c.derived import program_of
from ...export.c.generate.library import SOURCES, Library
from ...export.c.program import InverseSTFT
from ...export.c.reference.executor import quantize_mel, run_streaming, run_whole, waveform
from ...runtime.artifact import Artifact
from ..code import target_facts
from ..profile import Profile


@dataclass(frozen=True)
class Exported:
    """A library of C for a target."""

    library: Library

    @classmethod
    def of(cls, artifact: Artifact, profile: Profile) -> "Exported":
        """Raises VcompressError where the artifact has no C form for the target."""
        return cls(Library.of(program_of(artifact.folder, artifact.manifest), target_facts(profile)))

    def write(self, folder: Path) -> Path:
        """All files in a folder; gives that of the sources."""
        for name, text in self.library.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder / SOURCES

    def mel(self, mel: np.ndarray) -> np.ndarray:
        """float32 (n_mels, F) -> int8 or int16 (F, n_mels), as vc_push takes it."""
        bits = self.library.program.tensors[self.library.program.input].bits
        return quantize_mel(self.library.program, mel).astype(np.int8 if bits == 8 else np.int16)

    def samples(self, mel: np.ndarray) -> np.ndarray:
        """What the integer reference makes of the integers of a mel, (F, n_mels): int16 (hop F,)."""
        lowered, integers = self.library.lowered, mel.astype(np.int64)
        if any(view.start < 0 for step in self.library.program.steps for view in step.inputs):  # states: only row by row
            return run_streaming(lowered, self.library.streaming, integers)
        return waveform(self.library.program, run_whole(lowered, integers), len(mel))

    def network_alone(self) -> "Exported":
        """The same network with log magnitudes in place of samples: what is left without an inverse STFT. Itself where there is none."""
        program = self.library.program
        transform = program.steps[-1]
        if not isinstance(transform, InverseSTFT):
            return self
        magnitude = transform.inputs[0]
        tensors = program.tensors[: transform.output] + program.tensors[transform.output + 1 :]
        alone = replace(program, steps=program.steps[:-1], tensors=tensors, output=magnitude, hop=magnitude.channels * magnitude.rate)
        return Exported(Library.of(alone, self.library.target))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a frame, those of the sampler not counted."""
        return self.library.program.macs_per_frame
