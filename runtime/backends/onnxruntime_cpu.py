"""ONNX Runtime on the CPU: the default back end."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ...errors import VcompressError
from ..artifact import Artifact
from ..samplers import Tensors
from ..states import with_states

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


# It would round the weights of a float layer between two quantized tensors to 8 bits, with one scale for all channels.
UNWANTED = ["WeightBiasQuantization"]
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


class OnnxRuntimeSession:
    """One inference session a graph. Idle threads do not spin: the sessions of one process would starve each other."""

    def __init__(self, artifact: Artifact, threads: int, provider: str = CPU, options: Mapping[str, str] | None = None):
        self._artifact = artifact
        self._sessions = {name: open_session(artifact.graph_path(name), threads, None, provider, options) for name in artifact.manifest.graphs}
        self._outputs = {name: [o.name for o in session.get_outputs()] for name, session in self._sessions.items()}
        self.environment = facts(threads)

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """Outputs of a named graph by name; states that are not given are zero. Raises VcompressError when the inputs do not fit it."""
        session = self._sessions[graph]
        inputs = with_states(self._artifact.manifest.graphs[graph], inputs)
        try:
            outputs = session.run(self._outputs[graph], inputs)
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            first_line = str(error).splitlines()[0]
            raise VcompressError(f"ONNX Runtime cannot run graph {graph!r} of {self._artifact.folder} ({first_line}); export the artifact again.") from None
        return dict(zip(self._outputs[graph], map(np.asarray, outputs), strict=True))


def load(artifact: Artifact, threads: int) -> OnnxRuntimeSession:
    """Open every graph of an artifact with `threads` threads."""
    return OnnxRuntimeSession(artifact, threads)


def open_on_a_gpu(artifact: Artifact, threads: int, provider: str, options: Mapping[str, str] | None = None) -> OnnxRuntimeSession:
    """Open every graph with a provider of a GPU, which leaves to CUDA, and that to the CPU, what it does not take.

    `options`: the provider's own. Raises VcompressError where it is not here.
    """
    there = _onnxruntime().get_available_providers()
    if provider not in there:
        raise VcompressError(f"The onnxruntime here has no {provider} (but {', '.join(there)}); on a machine with an NVIDIA GPU: pip install onnxruntime-gpu.")
    session = OnnxRuntimeSession(artifact, threads, provider, options)
    session.environment["provider"] = " ".join((provider, *(f"{key}={value}" for key, value in (options or {}).items())))
    return session


def open_session(
    path: Path, threads: int = 1, optimized: Path | None = None, provider: str = CPU, provider_options: Mapping[str, str] | None = None
) -> "InferenceSession":
    """An InferenceSession as this project runs it; `optimized` receives the graph that really runs."""
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if needs_quant_precision():
        options.add_session_config_entry("session.x64quantprecision", "1")
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    others = [name for name in onnxruntime.get_available_providers() if name in (CUDA, CPU)] if provider != CPU else []
    providers = [(provider, dict(provider_options or {})), *((name, {}) for name in others if name != provider)]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers, disabled_optimizers=UNWANTED)
    except Exception as error:
        raise VcompressError(f"ONNX Runtime cannot open {path} ({str(error).splitlines()[0]}); export the artifact again.") from None
    if provider not in session.get_providers():  # it falls back without an error
        raise VcompressError(f"ONNX Runtime did not start its {provider}; check the GPU's driver and libraries.")
    return session


def facts(threads: int) -> dict[str, str]:
    """What of ONNX Runtime bears on a figure."""
    return {"onnxruntime": _onnxruntime().__version__, "threads": str(threads), "x64_quant_precision": str(needs_quant_precision())}


def needs_quant_precision() -> bool:
    """Whether this is an x86 without VNNI, where pair sums of u8 x s8 can saturate at 16 bits."""
    import platform

    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return True
    return "avx512_vnni" not in flags and "avx_vnni" not in flags


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError:
        raise VcompressError("The back end onnxruntime is not installed; run: pip install onnxruntime.") from None
    return onnxruntime
