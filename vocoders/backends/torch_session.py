"""Sessions of torch: an artifact's graphs traced for the shapes that they are given, as they are, compiled, or captured as CUDA graphs.

What runs is the artifact: its ONNX graphs, not the network they were made of. Quantized graphs compute what the integers compute, but in
float, and are as slow as fp32, unless `int8` is asked for: then their convolutions are products of int8 matrices (integers.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...runtime.quiet import quiet
from ...runtime.samplers import Tensors
from ...runtime.states import with_states
from .network import OnnxNetwork

PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "int8": torch.float32}
MODES = ("eager", "compiled", "graphs")
WARM_UP = 3  # calls before a capture, in which cuDNN chooses its algorithms
Function = Callable[..., Sequence[Tensor]]


@dataclass(frozen=True)
class Variant:
    """How torch runs the graphs: `precision` of PRECISIONS, `mode` of MODES."""

    precision: str = "fp32"
    mode: str = "eager"

    @classmethod
    def of(cls, backend: str, words: Sequence[str]) -> "Variant":
        """Of the words behind a back end's name: precision, then mode, for a variant has one name in records. Raises VcompressError for others."""
        precision = words[0] if words and words[0] in PRECISIONS else ""
        rest = list(words[bool(precision) :])
        if len(rest) > 1 or not set(rest) <= set(MODES):
            variants = f"one of {', '.join(PRECISIONS)}, then one of {', '.join(MODES)}"
            raise VcompressError(f"{backend} has no variant {':'.join(words)!r}; give {variants}, or leave either out.")
        return cls(precision or cls.precision, *rest)


class TorchSession:
    """One traced function a graph and shape of its inputs. `device`: "cpu" or "cuda"."""

    def __init__(self, artifact: Artifact, threads: int, device: str, variant: Variant):
        if device == "cpu" and (variant.precision == "tf32" or variant.mode == "graphs"):
            raise VcompressError("TF32 and CUDA graphs are of GPUs; leave them out, or take --backend torch-cuda.")
        self._artifact, self._threads, self._variant = artifact, threads, variant
        self._device = torch.device(device)
        specs = artifact.manifest.graphs
        dtype = PRECISIONS[variant.precision]
        integers = variant.precision == "int8"
        self._networks = {name: OnnxNetwork(artifact.graph_path(name), dtype, integers).to(self._device).eval() for name in specs}
        self._functions: dict[Any, Function] = {}
        self.environment = {"torch": torch.__version__, "threads": str(threads), "precision": variant.precision, "mode": variant.mode}
        if integers:
            self.environment["integer_convolutions"] = str(self._count_integers())
        if device == "cuda":
            self.environment |= {"gpu": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """Outputs of a named graph by name, float32. Raises VcompressError when the inputs do not fit it."""
        return self.run_batch(graph, inputs, 1)

    def run_batch(self, graph: str, inputs: Tensors, count: int) -> Tensors:
        """As `run`, for `count` equal utterances at once, of which the first is given back."""
        if count > 1 and self._variant.precision == "int8":
            raise VcompressError("The product of int8 matrices makes one utterance at a time; leave out --batch, or int8.")
        network = self._networks[graph]
        given = with_states(self._artifact.manifest.graphs[graph], inputs)
        try:
            tensors = [self._tensor(given[name]) for name in network.inputs]
            if count > 1:
                tensors = [tensor.expand(count, *tensor.shape) for tensor in tensors]
            self._configure()
            with torch.no_grad():
                outputs = self._function(graph, count, tensors)(*tensors)
        except KeyError:
            raise
        except Exception as error:  # of shapes, of the compiler, of the device's memory
            first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise VcompressError(
                f"torch cannot run graph {graph!r} of {self._artifact.folder} as {':'.join((self._variant.precision, self._variant.mode))} "
                f"({first_line}); take another variant or back end."
            ) from None
        found = [output[0] if count > 1 else output for output in outputs]
        return {name: _array(output) for name, output in zip(network.outputs, found, strict=True)}

    def _count_integers(self) -> int:
        count = sum(network.integer_convolutions for network in self._networks.values())
        if not count:
            raise VcompressError(f"{self._artifact.folder} has no convolutions of 8-bit data and weights; take a quantized artifact, or leave out int8.")
        return count

    @property
    def device_peak_bytes(self) -> int | None:
        """The most that was allocated on the GPU at once; None on the CPU."""
        return torch.cuda.max_memory_allocated() if self._device.type == "cuda" else None

    def _tensor(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.array(array)).to(self._device)
        return tensor.to(PRECISIONS[self._variant.precision]) if tensor.is_floating_point() else tensor

    def _configure(self) -> None:
        """Settings of the process, which another session may have left otherwise."""
        if self._device.type == "cpu":
            torch.set_num_threads(self._threads)
            return
        precision = "tf32" if self._variant.precision == "tf32" else "ieee"
        backends: Any = torch.backends  # its stubs lack these
        for place in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn):
            place.fp32_precision = precision
        torch.backends.cudnn.benchmark = True

    def _function(self, graph: str, count: int, inputs: list[Tensor]) -> Function:
        key = (graph, count, *((tuple(tensor.shape), tensor.dtype) for tensor in inputs))
        if key not in self._functions:
            network: Any = self._networks[graph]
            with quiet("torch"):
                traced: Any = make_fx(torch.vmap(network) if count > 1 else network)(*inputs)
                traced.graph.eliminate_dead_code()
                traced.recompile()
                if self._variant.mode == "compiled":
                    traced = torch.compile(traced)
                elif self._variant.mode == "graphs":
                    traced = captured(traced, inputs)
            self._functions[key] = traced
        return self._functions[key]


def captured(function: Function, inputs: Sequence[Tensor]) -> Function:
    """The kernels of a function as one CUDA graph, replayed at each call: their launches cost nothing any more."""
    held = [tensor.clone() for tensor in inputs]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            function(*held)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = function(*held)

    def replay(*given: Tensor) -> Sequence[Tensor]:
        for place, tensor in zip(held, given, strict=True):
            place.copy_(tensor)
        graph.replay()
        return outputs

    return replay


def _array(output: Tensor) -> np.ndarray:
    return (output.float() if output.is_floating_point() else output).cpu().numpy()
