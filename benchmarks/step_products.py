"""What integer products bring the steps of recurrent vocoders: `python -m vcompress.benchmarks.step_products`.

A layer with 8-bit inputs and a 16-bit output is a float convolution in ONNX Runtime, on weights made floats at every call, or MatMulInteger. Either is timed
in every graph that is a step, beside fp32, and in single layers of several widths and columns, in turn in one process on one thread, in CPU time.
Weights are random where none come with the package: the time does not depend on them.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import VcompressError
from ..runtime.artifact import Artifact
from ..runtime.backends.onnxruntime_cpu import open_session
from ..vocoders.backends.products import as_convolutions
from .environment import environment
from .figures.artifacts import FP32, INT8, Maker, configurations, name_of

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FLOATS, INTEGERS = "float products", "integer products"
CONTESTANTS = (FP32, FLOATS, INTEGERS)
FAMILIES = ("sing", "wavernn", "subscale")
DEFAULT = ("sing-l", "wavernn-s", "wavernn-l", "subscale-s")
LAYERS = (  # inputs, outputs, columns: layers of the vocoders, the last five over a second of audio
    (1024, 4096, 1),  # SING L, recurrent
    (896, 1344, 1),  # WaveRNN L, recurrent
    (224, 336, 1),  # WaveRNN S, recurrent
    (112, 256, 1),  # WaveRNN S, logits
    (3, 336, 1),  # WaveRNN S, input
    (224, 336, 16),  # Subscale WaveRNN S, recurrent
    (48, 336, 16),  # Subscale WaveRNN S, context
    (30, 4096, 77),  # SING L, first input
    (192, 1026, 63),  # Vocos S, direction
    (512, 1026, 63),  # Vocos L, direction
    (64, 64, 16000),  # DiffWave M, last sum
    (16, 16, 16000),  # MelGAN S, last block
)
LEAST_RUN = 0.02  # seconds: shorter ones are calls repeated


@dataclass(frozen=True)
class Raced:
    """Microseconds of CPU a call, of each contestant: medians; `faster`: float over integer products, round by round."""

    name: str
    times: Mapping[str, float]
    faster: float


def undone(path: Path, target: Path) -> Path:
    """A copy of a graph whose integer products are dequantized convolutions, as they were before `export/integer_products.py`."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    nodes, constants = as_convolutions(model.graph)
    used = {name for node in nodes for name in node.input}
    held = [numpy_helper.from_array(np.asarray(array, order="C"), name) for name, array in constants.items() if name in used]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(held)
    onnx.save(model, str(target))
    return target


def race_steps(artifacts: Mapping[str, Artifact], rounds: int) -> list[Raced]:
    """Every graph with an integer product of the artifact INT8, beside the same graph of the artifact FP32 where that is given."""
    import onnx

    manifest, found = artifacts[INT8].manifest, []
    for graph in manifest.graphs:
        path = artifacts[INT8].graph_path(graph)
        if any(node.op_type == "MatMulInteger" for node in onnx.load(path).graph.node):
            with tempfile.TemporaryDirectory() as folder:
                paths = {FLOATS: undone(path, Path(folder) / "floats.onnx"), INTEGERS: path}
                paths |= {FP32: artifacts[FP32].graph_path(graph)} if FP32 in artifacts else {}
                found.append(race(f"{manifest.name} {graph}", paths, rounds))
    if not found:
        raise VcompressError(f"No graph of {artifacts[INT8].folder} has an integer product; choose one of a recurrent vocoder, in int8 and exported again.")
    return found


def race_layer(inputs: int, outputs: int, columns: int, rounds: int) -> Raced:
    """One layer of width 1 with random weights and a bias."""
    import onnx
    import onnx_ir as ir
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    from ..export.integer_products import products_in_integers

    quantized = onnx.shape_inference.infer_shapes(_layer(inputs, outputs, columns, True))
    rewritten = ir.from_proto(quantized)
    products_in_integers(rewritten)
    RemoveUnusedNodesPass()(rewritten)
    models = {FP32: _layer(inputs, outputs, columns, False), FLOATS: quantized, INTEGERS: ir.to_proto(rewritten)}
    with tempfile.TemporaryDirectory() as folder:
        paths = {label: Path(folder) / f"{index}.onnx" for index, label in enumerate(models)}
        for label, path in paths.items():
            onnx.save(models[label], str(path))
        return race(f"{inputs} x {outputs}, {columns} column{'s' if columns > 1 else ''}", paths, rounds)


def race(name: str, paths: Mapping[str, Path], rounds: int) -> Raced:
    """Time graphs of fixed shapes in turn."""
    sessions = {label: open_session(path) for label, path in paths.items()}
    inputs = {label: _inputs(session) for label, session in sessions.items()}
    taken: dict[str, list[float]] = {label: [] for label in sessions}
    calls = 1 + int(LEAST_RUN / max(min(_seconds(sessions[label], inputs[label], 3) for label in sessions), 1e-9))
    for _ in range(rounds):
        for label, session in sessions.items():
            taken[label].append(1e6 * _seconds(session, inputs[label], calls))
    faster = float(np.median(np.divide(taken[FLOATS], taken[INTEGERS])))
    return Raced(name, {label: float(np.median(times)) for label, times in taken.items()}, faster)


def _seconds(session: "InferenceSession", inputs: Mapping[str, np.ndarray], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        session.run(None, inputs)
    return (time.process_time() - began) / calls


def _inputs(session: "InferenceSession") -> dict[str, np.ndarray]:
    """Random numbers of each input's type and shape; floats within 1."""
    rng, found = np.random.default_rng(0), {}
    for port in session.get_inputs():
        kind = {"tensor(float)": "float32", "tensor(int16)": "int16", "tensor(uint8)": "uint8"}[port.type]
        floats = rng.uniform(-0.9, 0.9, port.shape)
        found[port.name] = (floats if kind == "float32" else 100 + 100 * floats).astype(kind)
    return found


def _layer(inputs: int, outputs: int, columns: int, quantized: bool) -> Any:
    """x: float32 (1, inputs, columns) -> y; quantized: uint8 -> int16, a QDQ convolution."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (outputs, inputs, 1)).astype(np.int8)
    scales, scale, step = rng.uniform(1e-4, 9e-4, outputs).astype(np.float32), np.float32(2.0**-7), np.float32(2.0**-11)
    bias = rng.integers(-9000, 9000, outputs).astype(np.int32)
    constants: dict[str, Any] = {"w": weights * scales[:, None, None], "b": (bias * (scale * scales)).astype(np.float32)}
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["y"])]
    if quantized:
        constants = {"wi": weights, "ws": scales, "bi": bias, "bs": scale * scales, "s": scale, "z": np.uint8(128), "ys": step, "yz": np.int16(0)}
        dequantized = ((["q", "s", "z"], "x8", 1), (["wi", "ws"], "w", 0), (["bi", "bs"], "b", 0))
        nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])]
        nodes += [helper.make_node("DequantizeLinear", given, [made], axis=axis) for given, made, axis in dequantized]
        nodes += [helper.make_node("Conv", ["x8", "w", "b"], ["sum"]), helper.make_node("QuantizeLinear", ["sum", "ys", "yz"], ["y"])]
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, inputs, columns))]
    results = [helper.make_tensor_value_info("y", TensorProto.INT16 if quantized else TensorProto.FLOAT, None)]
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    return helper.make_model(helper.make_graph(nodes, "layer", ports, results, held), opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def markdown(what: str, rows: Sequence[Raced]) -> str:
    """Microseconds of CPU a call."""
    lines = [f"| {what} | {' | '.join(CONTESTANTS)} | faster |", "|---|---|---|---|---|"]
    for row in rows:
        times = " | ".join(f"{row.times[label]:,.0f}" if label in row.times else "-" for label in CONTESTANTS)
        lines.append(f"| {row.name} | {times} | {row.faster:.2f} x |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Time, and print two tables. 2: a VcompressError, as one sentence on stderr."""
    names = {name_of(row): row for row in configurations() if row.family in FAMILIES}
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.step_products", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--only", action="append", choices=names, help=f"configuration of the first table; may be given again (default: {', '.join(DEFAULT)})")
    parser.add_argument("--artifact", action="append", type=Path, default=[], help="an int8 artifact as well, such as an imported one; may be given again")
    parser.add_argument("--no-layers", action="store_true", help="leave out the second table")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--workspace", type=Path, default=Path("runs"), help="where artifacts without trained weights are kept")
    given = parser.parse_args(arguments)
    try:
        chosen = given.only or (() if given.artifact else DEFAULT)
        makers = [Maker(given.workspace, names[name], lambda text: print(text, file=sys.stderr, flush=True)) for name in chosen]
        contests = [{recipe: maker.artifact(recipe) for recipe in (FP32, INT8)} for maker in makers]
        contests += [{INT8: Artifact.open(folder)} for folder in given.artifact]
        steps = [raced for artifacts in contests for raced in race_steps(artifacts, given.rounds)]
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Microseconds of CPU a call, one thread of {environment()['machine']}; medians of {given.rounds} interleaved runs\n")
    print(markdown("step", steps))
    if not given.no_layers:
        print("\n" + markdown("layer", [race_layer(*shape, given.rounds) for shape in LAYERS]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
