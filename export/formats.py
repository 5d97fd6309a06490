"""The formats of an artifact's graphs. ONNX is the one that the others are translated from, and the only one that its identity knows."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

from ..errors import VcompressError
from ..runtime.artifact import GraphSpec

ONNX = "onnx"
# format -> module with `check_installed()` and `derive(folder, graphs) -> {graph: file}`
DERIVED = {"tflite": ".tflite.derived"}


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


def derive(name: str, folder: Path, graphs: Mapping[str, GraphSpec]) -> dict[str, str]:
    """Write every graph of the artifact in `folder` in a format; gives the file of each.

    Raises VcompressError, before anything is written, for what has no translation.
    """
    return import_module(DERIVED[name], __package__).derive(folder, graphs)
