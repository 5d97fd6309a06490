"""What ONNX Runtime has in the integer tensors of a graph: what the translations of the graph are held against."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from ..runtime.backends.onnxruntime_cpu import open_session


def integers_of(path: Path, inputs: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named tensors of the graph at `path` for these inputs."""
    model = onnx.load(path)
    have = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in have)
    with tempfile.TemporaryDirectory() as folder:
        every = Path(folder) / "every.onnx"
        onnx.save(model, str(every))
        outputs = open_session(every).run(list(names), dict(inputs))
    return dict(zip(names, map(np.asarray, outputs), strict=True))
