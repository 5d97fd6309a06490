"""The TFLite files of an artifact."""

from collections import Counter
from pathlib import Path

from ...runtime.artifact import Artifact, Manifest
from ...runtime.backends.litert import delegated, open_interpreter
from ...runtime.files import replacing
from .schema import schema
from .translate import translate

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def check_installed() -> None:
    """Raises VcompressError when ai-edge-litert is missing."""
    schema()


def derive(folder: Path, manifest: Manifest, target: object = None) -> dict[str, str]:
    """Write `tflite/<graph>.tflite` for every graph of the artifact in `folder`; they are the same for every target."""
    graphs = manifest.graphs
    inputs = {(name, port.name) for name, graph in graphs.items() for port in graph.inputs}
    outputs = {(name, port.name) for name, graph in graphs.items() for port in graph.outputs}
    links = {port for giver, port in outputs for taker, other in inputs if port == other and giver != taker}
    made = {name: translate(folder / graph.file, links).file for name, graph in graphs.items()}
    files = {name: f"tflite/{name}.tflite" for name in made}
    for name, data in made.items():
        with replacing(folder / files[name]) as part:
            part.write_bytes(data)
    return files


def summary(artifact: Artifact) -> str:
    """What XNNPACK takes of each file: lines for the terminal."""
    lines = []
    for name in artifact.manifest.graphs:
        path = artifact.derived_path("tflite", name)
        taken, left = (Counter(part) for part in delegated(open_interpreter(path)))
        convolutions, others = (sum(part[kind] for kind in CONVOLUTIONS) for part in (taken, left))
        rest = f" (left to the interpreter: {', '.join(f'{count} {kind}' for kind, count in left.most_common())})" if left else ""
        lines.append(
            f"{name}: TFLite {path.stat().st_size / 1e6:.3f} MB; XNNPACK runs {convolutions} of {convolutions + others} convolutions "
            f"and {taken.total()} of {taken.total() + left.total()} operators{rest}"
        )
    return "\n".join(lines)
