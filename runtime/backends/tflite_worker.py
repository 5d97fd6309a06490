"""Runs TFLite files in a Python of its own, which need not know vcompress: tflite-runtime wants Python 3.11 at most and numpy below 2.

Arguments: threads, then a name and a file for each graph. What it is asked on stdin and answers on stdout is a line of JSON,
{"graph": name, "tensors": [[name, dtype, shape], ...]}, and the tensors' bytes one after the other; {"error": sentence} where it fails.
"""

import json
import math
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from tflite_runtime.interpreter import Interpreter


def main(arguments: list[str]) -> None:
    """Open the graphs, say which version runs them, then answer until stdin ends."""
    threads, *rest = arguments
    graphs = {}
    for name, path in zip(rest[::2], rest[1::2]):  # noqa: B905  (the worker stays readable for old Pythons)
        graphs[name] = Interpreter(model_path=path, num_threads=int(threads))
        graphs[name].allocate_tensors()
    reply({"version": version()})
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        tensors = read(asked["tensors"])
        try:
            outputs = run(graphs[asked["graph"]], tensors)
        except (KeyError, RuntimeError, ValueError) as error:
            reply({"error": str(error).splitlines()[0]})
        else:
            reply({"tensors": [[name, array.dtype.str, array.shape] for name, array in outputs.items()]}, outputs.values())


def run(interpreter: Interpreter, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by name."""
    ports = {port["name"]: port for port in interpreter.get_input_details()}
    changed = [name for name, array in tensors.items() if tuple(ports[name]["shape"]) != array.shape]
    for name in changed:
        interpreter.resize_tensor_input(ports[name]["index"], tensors[name].shape)
    if changed:
        interpreter.allocate_tensors()
    for name, array in tensors.items():
        interpreter.set_tensor(ports[name]["index"], array)
    interpreter.invoke()
    return {port["name"]: interpreter.get_tensor(port["index"]) for port in interpreter.get_output_details()}


def read(specs: list[list[Any]]) -> dict[str, np.ndarray]:
    """The tensors that follow a line on stdin."""
    found = {}
    for name, dtype, shape in specs:
        data = sys.stdin.buffer.read(math.prod(shape) * np.dtype(dtype).itemsize)
        found[name] = np.frombuffer(data, dtype).reshape(shape)
    return found


def reply(document: dict[str, Any], arrays: Iterable[np.ndarray] = ()) -> None:
    """A line, and tensors behind it."""
    sys.stdout.buffer.write(json.dumps(document).encode() + b"\n")
    for array in arrays:
        sys.stdout.buffer.write(np.ascontiguousarray(array).tobytes())
    sys.stdout.buffer.flush()


def version() -> str:
    """Of tflite-runtime."""
    from importlib.metadata import version as find

    return find("tflite-runtime")


if __name__ == "__main__":
    main(sys.argv[1:])
