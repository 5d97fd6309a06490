"""The formats of an artifact's graphs. ONNX is the one that the others are translated from, and the only one that its identity knows."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from ..errors import VcompressError
from ..runtime.artifact import Artifact, Manifest
from .c.program import TargetFacts

ONNX = "onnx"
# format -> module with `check_installed()`, `derive(folder, manifest, target) -> {graph or part: file}` and `summary(artifact)`
DERIVED = {"tflite": ".tflite.derived", "c": ".c.derived", "loop": ".loop", "onnx-loop": ".onnx_loop.derived"}


def read_formats(given: Iterable[str]) -> tuple[str, ...]:
    """Formats as they are typed, apart or with commas between them; ONNX is always among them. Raises VcompressError for an unknown one."""
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    unknown = next((name for name in names if name != ONNX and name not in DERIVED), None)
    if unknown is not None:
        raise VcompressError(f"There is no format {unknown!r}; choose of {', '.join((ONNX, *DERIVED))}.")
    return tuple(dict.fromkeys((ONNX, *names)))


def check_installed(formats: Iterable[str]) -> None:
    """Raises VcompressError where a package is missing that writes one of the formats."""
    for name in formats:
        if name in DERIVED:
            import_module(DERIVED[name], __package__).check_installed()


def derive(name: str, folder: Path, manifest: Manifest, target: TargetFacts | None = None) -> dict[str, str]:
    """Write the artifact in `folder` in a format, as `manifest` describes it; gives the file of each graph or part. `target`: what C is for.

    Raises VcompressError, before anything is written, for what has no translation.
    """
    return import_module(DERIVED[name], __package__).derive(folder, manifest, target)


def derived_summary(name: str, artifact: Artifact) -> str:
    """What became of an artifact in a format: lines for the terminal."""
    text: str = import_module(DERIVED[name], __package__).summary(artifact)
    return text


def kept(folder: Path, formats: Sequence[str], target: TargetFacts | None) -> tuple[tuple[str, ...], TargetFacts | None]:
    """`formats` and those that the artifact already in `folder` has, for an export that replaces it; and what C is for, unless it is said.

    An artifact that cannot be opened has none. Raises VcompressError where a package is missing that such a format needs.
    """
    from .c.derived import FOLDER, target_of

    try:
        there = Artifact.open(folder)
    except VcompressError:
        return tuple(formats), target
    also = [name for name in there.manifest.derived if name in DERIVED and name not in formats]
    check_installed(also)
    return (*formats, *also), target or (target_of(there) if FOLDER in also else None)
