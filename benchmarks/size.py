"""Bytes of an artifact, as its manifest splits them: weights, scales, biases, graph, file; and of its files when they are compressed."""

import json
import zlib
from collections.abc import Iterator
from functools import partial

from .figure import Figure, Planned
from .subject import Subject

# metric -> the kinds of bytes it sums
SIZES = {
    "weight_bytes": ("weights",),
    "scale_bytes": ("scales",),
    "bias_bytes": ("biases",),
    "parameter_bytes": ("weights", "scales", "biases"),
    "graph_bytes": ("graph",),
    "file_bytes": ("file",),
}


LEVEL = 9


def plan(subject: Subject) -> Iterator[Planned]:
    """Each size in total and, where there are several graphs, for each (`file_bytes_step`); `<format>_file_bytes` of other formats, of C the constants."""
    graphs = {name: spec.bytes for name, spec in subject.artifact.manifest.graphs.items()}
    for metric, kinds in SIZES.items():
        counts = {name: sum(held.get(kind, 0) for kind in kinds) for name, held in graphs.items()}
        parts = {f"_{name}": count for name, count in counts.items()} if len(counts) > 1 else {}
        for suffix, count in {"": sum(counts.values()), **parts}.items():
            yield Planned(metric + suffix, "bytes", f"{' + '.join(kinds)}, counted in the ONNX files at export", partial(Figure, float(count)))
    yield Planned("deflated_bytes", "bytes", f"the ONNX files, each deflated (zlib, level {LEVEL})", partial(_deflated, subject))
    for name, files in subject.artifact.manifest.derived.items():
        if name == "c":  # its files are text, and what they take on a device is in their plan
            constants = json.loads(subject.artifact.derived_path("c", "plan.json").read_text(encoding="utf-8"))["constants"]
            yield Planned("c_constant_bytes", "bytes", "constants of the C library, by its plan", partial(Figure, float(sum(constants.values()))))
            continue
        count = sum((subject.artifact.folder / file).stat().st_size for file in files.values())
        yield Planned(f"{name}_file_bytes", "bytes", f"the {name} files", partial(Figure, float(count)))


def _deflated(subject: Subject) -> Figure:
    """What an archive or a download has to hold: the zeros of pruned weights take almost nothing there, and all their room in the file."""
    paths = (subject.artifact.folder / spec.file for spec in subject.artifact.manifest.graphs.values())
    return Figure(float(sum(len(zlib.compress(path.read_bytes(), LEVEL)) for path in paths)))
