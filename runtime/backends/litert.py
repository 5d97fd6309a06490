"""LiteRT (ai-edge-litert): the TFLite files of an artifact, run by the interpreter with its XNNPACK delegate."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import VcompressError
from ..artifact import Artifact
from ..quiet import quiet_stderr
from ..samplers import Tensors
from ..states import with_states

DELEGATE = "DELEGATE"


class LiteRTSession:
    """One interpreter a graph, resized when the length changes. Integers are int8 (those of the ONNX graph less 128).

    module: that has the interpreter, where it is not LiteRT's; package: that it belongs to; backend: its name here.
    """

    def __init__(self, artifact: Artifact, threads: int, module: ModuleType | None = None, package: str = "ai-edge-litert", backend: str = "litert"):
        paths = {name: artifact.derived_path("tflite", name) for name in artifact.manifest.graphs}
        self._artifact = artifact
        self._interpreters = {name: open_interpreter(path, threads, module) for name, path in paths.items()}
        taken, left = (sum(map(len, parts)) for parts in zip(*map(delegated, self._interpreters.values()), strict=True))
        self.environment = {backend: version(package), "threads": str(threads), "xnnpack": f"{taken} of {taken + left} operators"}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """Outputs of a named graph by name. Raises VcompressError when the inputs do not fit it."""
        interpreter = self._interpreters[graph]
        ports = {port["name"]: place for place, port in enumerate(interpreter.get_input_details())}
        try:
            given = {ports[name]: array for name, array in with_states(self._artifact.manifest.graphs[graph], inputs).items()}
            outputs = run_interpreter(interpreter, given)
        except (RuntimeError, ValueError) as error:
            first_line = str(error).splitlines()[0]
            raise VcompressError(f"LiteRT cannot run graph {graph!r} of {self._artifact.folder} ({first_line}); export the artifact again.") from None
        return {port["name"]: array for port, array in zip(interpreter.get_output_details(), outputs, strict=True)}


def load(artifact: Artifact, threads: int) -> LiteRTSession:
    """Open the TFLite file of every graph with `threads` threads. Raises VcompressError where the artifact has none."""
    return LiteRTSession(artifact, threads)


def open_interpreter(file: Path | bytes, threads: int = 1, module: ModuleType | None = None) -> Any:
    """An interpreter with its tensors allocated. Raises VcompressError when it does not take the file."""
    interpreter = module or _litert()
    given = {"model_content": file} if isinstance(file, bytes) else {"model_path": str(file)}
    try:
        with quiet_stderr():  # it tells of its delegate
            opened = interpreter.Interpreter(**given, num_threads=threads)
            opened.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        name = "a TFLite file" if isinstance(file, bytes) else file
        raise VcompressError(f"LiteRT cannot open {name} ({str(error).splitlines()[0]}); export the artifact again.") from None
    return opened


def run_interpreter(interpreter: Any, inputs: Mapping[int, np.ndarray]) -> list[np.ndarray]:
    """Outputs in the order of the file. `inputs`: by their place; integers of 8 bits may be unsigned, as ONNX has them."""
    details = interpreter.get_input_details()
    changed = [place for place, array in inputs.items() if tuple(details[place]["shape"]) != array.shape]
    for place in changed:
        interpreter.resize_tensor_input(details[place]["index"], inputs[place].shape)
    if changed:
        interpreter.allocate_tensors()
    for place, array in inputs.items():
        signed = (array ^ np.uint8(128)).view(np.int8) if array.dtype == np.uint8 else array
        interpreter.set_tensor(details[place]["index"], signed)
    interpreter.invoke()
    return [interpreter.get_tensor(port["index"]) for port in interpreter.get_output_details()]


def delegated(interpreter: Any) -> tuple[list[str], list[str]]:
    """The operators that XNNPACK takes over, and those left to the interpreter, by name."""
    nodes = interpreter._get_ops_details()
    makers = {int(output): node for node in nodes if node["op_name"] != DELEGATE for output in node["outputs"]}
    taken: set[int] = set()
    for delegate in (node for node in nodes if node["op_name"] == DELEGATE):
        inputs, waiting = set(map(int, delegate["inputs"])), list(map(int, delegate["outputs"]))
        while waiting:
            tensor = waiting.pop()
            if tensor not in inputs and tensor in makers and makers[tensor]["index"] not in taken:
                taken.add(makers[tensor]["index"])
                waiting += map(int, makers[tensor]["inputs"])
    return _names(nodes, taken, True), _names(nodes, taken, False)


def _names(nodes: Sequence[Mapping[str, Any]], taken: set[int], wanted: bool) -> list[str]:
    return [node["op_name"] for node in nodes if node["op_name"] != DELEGATE and (node["index"] in taken) == wanted]


def _litert() -> ModuleType:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        raise VcompressError("The back end litert is not installed; run: pip install ai-edge-litert.") from None
    return interpreter
