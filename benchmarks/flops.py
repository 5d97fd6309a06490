"""What an artifact really computes: 2 x multiply-accumulates of its graphs, times how often the sampler calls them.

Shapes are read from a run with the tensors beside each counted node as outputs, so nothing has to be inferred. Counts grow with the
frames in a straight line; two short runs give its two numbers.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from ..runtime.artifact import Artifact
from ..runtime.backends import Session, load
from ..runtime.samplers import Tensors, make_sampler
from ..targets.operations import COUNTED, UNCOUNTED, Shape, macs, operands
from .figure import Figure, Planned, absent
from .subject import Subject
from .workload import graph_inputs

FRAMES = (16, 48)  # short, so that the shapes of a large network's tensors fit a small memory


def executed_gflops_per_second(artifact: Artifact, session: Session | None = None, called: Mapping[str, int] | None = None) -> float:
    """Billions of operations (2 x MAC) of the whole synthesis of one second of audio. `called`: how often each graph, where not as the sampler does.

    Raises VcompressError for a graph with an operator that is not counted; ImportError without `onnx`.
    """
    manifest = artifact.manifest
    front_end, session = manifest.front_end, session or load("onnxruntime", artifact, 1)
    sampler = make_sampler(manifest.sampler, front_end.hop_length)
    each_frame = getattr(sampler, "each_frame", ())

    def macs_of(frames: int) -> int:
        calls = {graph: count * (frames if graph in each_frame else 1) for graph, count in (called or sampler.calls).items()}
        return sum(calls[g] * graph_macs(artifact.graph_path(g), x) for g, x in graph_inputs(artifact, session, frames).items())

    low, high = map(macs_of, FRAMES)
    slope = (high - low) / (FRAMES[1] - FRAMES[0])
    return 2e-9 * (low + slope * (front_end.sample_rate / front_end.hop_length - FRAMES[0]))


def graph_macs(path: Path, inputs: Tensors) -> int:
    """Multiply-accumulates of one call with these inputs: convolutions (any number of dimensions) and matrix products."""
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    for node in graph.node:
        if node.op_type in UNCOUNTED:
            raise VcompressError(f"{path.name} has an operator {node.op_type}, whose operations are not counted; add it to targets/operations.py.")
    counted = [node for node in graph.node if node.op_type in COUNTED]
    shapes: dict[str, Shape] = {i.name: tuple(i.dims) for i in graph.initializer} | {name: value.shape for name, value in inputs.items()}
    wanted = {name for node in counted for name in (*operands(node), node.output[0])} - set(shapes)
    for name in wanted - {output.name for output in graph.output}:
        graph.output.append(onnx.ValueInfoProto(name=name))
    for name, value in zip(sorted(wanted), _run(model.SerializeToString(), sorted(wanted), inputs), strict=True):
        shapes[name] = value.shape
    return sum(macs(node, *(shapes[name] for name in (*operands(node), node.output[0]))) for node in counted)


def _run(model: bytes, outputs: list[str], inputs: Tensors) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Fusions would remove the very tensors that are asked for.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return list(onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(outputs, inputs)) if outputs else []


def plan(subject: Subject) -> Iterator[Planned]:
    """`executed_gflops_per_second`."""
    from importlib.util import find_spec

    def measure() -> Figure:
        try:
            session = subject.session() if subject.settings.backend == "onnxruntime" else None  # others may have other graphs, or be elsewhere
            return Figure(executed_gflops_per_second(subject.artifact, session))
        except VcompressError as error:
            return absent(str(error), 1)

    method = "2 x MAC of convolutions and matrix products in the ONNX graphs x calls of the sampler, one second of audio"
    missing = "" if find_spec("onnx") else "onnx is not installed; run: pip install onnx"
    yield Planned("executed_gflops_per_second", "GFLOP/s", method, measure, missing=missing)
