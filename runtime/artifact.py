"""An artifact: a folder with `manifest.json` and named ONNX graphs, all that a machine needs to synthesize.

Its identity is the hash of its ONNX graphs, sampler and front end. Whatever synthesizes or measures takes an artifact.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from .files import sha256
from .front_ends import AnyFrontEnd, read_front_end

SCHEMA = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class TensorSpec:
    """A graph's input or output. Symbolic sizes are names; scale and zero point are given where the tensor is an integer."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True)
class GraphSpec:
    """One graph: its file below the artifact, its tensors, its bytes by kind and the kernels that ONNX Runtime runs it with.

    `bytes`: weights, scales, biases, graph (the rest of the file), file. `kernels`: operator type -> count in the optimized graph.
    `states`: input -> the output that a later call gets there; a state that is not given is zero (`states.py`).
    """

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    bytes: dict[str, int]
    kernels: dict[str, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerRow:
    """What became of one weight layer: `precision` such as "w8a8" or "float", and the reason where it is not the recipe's."""

    name: str
    graph: str
    kind: str
    precision: str
    parameters: int
    reason: str = ""


@dataclass(frozen=True)
class Manifest:
    """Everything that is known of an artifact. `sampler`: name and settings; `training`: how its weights came to be, in words.

    `derived`: format -> graph, or part of a program -> file: the same graphs in other formats than ONNX.
    """

    family: str
    size: str
    name: str
    recipe: str
    config: dict[str, Any]
    front_end: AnyFrontEnd
    sampler: dict[str, Any]
    graphs: dict[str, GraphSpec]
    layers: tuple[LayerRow, ...]
    files: dict[str, str]
    training: str = ""
    schema: int = SCHEMA
    derived: dict[str, dict[str, str]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Readable JSON; `from_json` gives the same manifest back."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str, path: Path) -> "Manifest":
        """Raises VcompressError when the text is no manifest, or one of a newer schema."""
        try:
            raw = json.loads(text)
            if int(raw["schema"]) > SCHEMA:
                raise VcompressError(f"{path} has schema {raw['schema']}, this vcompress reads up to {SCHEMA}; upgrade vcompress.")
            graphs = {name: _graph(row) for name, row in raw["graphs"].items()}
            layers = tuple(LayerRow(**row) for row in raw["layers"])
            derived = [file for files in raw.get("derived", {}).values() for file in files.values()]
            names = [*raw["files"], *raw["files"].values(), *(graph.file for graph in graphs.values()), *derived]
            if not graphs or not isinstance(raw["sampler"], dict) or not all(isinstance(name, str) for name in names):
                raise TypeError
            return cls(**{**raw, "front_end": read_front_end(raw["front_end"]), "graphs": graphs, "layers": layers})
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            raise VcompressError(f"{path} is not an artifact's manifest; export the artifact again.") from None


def _graph(row: dict[str, Any]) -> GraphSpec:
    return GraphSpec(row["file"], _tensors(row["inputs"]), _tensors(row["outputs"]), row["bytes"], row["kernels"], dict(row.get("states", {})))


def _tensors(rows: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(**{**row, "shape": tuple(row["shape"])}) for row in rows)


@dataclass(frozen=True)
class Artifact:
    """A folder that has been opened: hashes checked, manifest read."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> "Artifact":
        """Raises VcompressError when something is missing, was altered, or is newer than this program."""
        folder = Path(folder)
        path = folder / MANIFEST
        if not path.is_file():
            raise VcompressError(f"{folder} is not an artifact (no {MANIFEST}); make one with: vcompress export.")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise VcompressError(f"{path} cannot be read; export the artifact again.") from None
        manifest = Manifest.from_json(text, path)
        for name, digest in manifest.files.items():
            file = folder / name
            if not file.resolve().is_relative_to(folder.resolve()):
                raise VcompressError(f"{path} names a file outside the artifact ({name}); do not use this artifact.")
            if not file.is_file():
                raise VcompressError(f"{folder} lacks {name}; export the artifact again.")
            if sha256(file) != digest:
                raise VcompressError(f"{file} does not match its hash in the manifest; export the artifact again.")
        for graph in manifest.graphs.values():
            if graph.file not in manifest.files:
                raise VcompressError(f"{path} lists no hash for {graph.file}; export the artifact again.")
        return cls(folder, manifest)

    @cached_property
    def identity(self) -> str:
        """Hash of graphs, sampler and front end: 16 hex digits."""
        graphs = {name: self.manifest.files[spec.file] for name, spec in self.manifest.graphs.items()}
        parts = {"graphs": graphs, "sampler": self.manifest.sampler, "front_end": self.manifest.front_end.facts()}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def graph_path(self, graph: str) -> Path:
        """The ONNX file of a named graph."""
        return self.folder / self.manifest.graphs[graph].file

    def derived_path(self, form: str, graph: str) -> Path:
        """The file of a named graph in another format. Raises VcompressError when the artifact was exported without it."""
        file = self.manifest.derived.get(form, {}).get(graph)
        if file is None or file not in self.manifest.files:
            raise VcompressError(f"{self.folder} holds no {form} file of {graph}; export its run again with: vcompress export RUN --format {form}.")
        return self.folder / file
