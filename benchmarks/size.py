"""Bytes of an artifact, as its manifest splits them: weights, scales, biases, graph, file."""

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


def plan(subject: Subject) -> Iterator[Planned]:
    """Each size in total and, where there are several graphs, for each (`file_bytes_step`); `<format>_file_bytes` of other formats than ONNX."""
    graphs = {name: spec.bytes for name, spec in subject.artifact.manifest.graphs.items()}
    for metric, kinds in SIZES.items():
        counts = {name: sum(held.get(kind, 0) for kind in kinds) for name, held in graphs.items()}
        parts = {f"_{name}": count for name, count in counts.items()} if len(counts) > 1 else {}
        for suffix, count in {"": sum(counts.values()), **parts}.items():
            yield Planned(metric + suffix, "bytes", f"{' + '.join(kinds)}, counted in the ONNX files at export", partial(Figure, float(count)))
    for name, files in subject.artifact.manifest.derived.items():
        count = sum((subject.artifact.folder / file).stat().st_size for file in files.values())
        yield Planned(f"{name}_file_bytes", "bytes", f"the {name} files", partial(Figure, float(count)))
