"""ONNX Runtime on an NVIDIA GPU, through TensorRT. Its integers are symmetric int8: layers with another zero point run in float (docs/gpu.md)."""

from ..artifact import Artifact
from .onnxruntime_cpu import OnnxRuntimeSession, open_on_a_gpu


def load(artifact: Artifact, threads: int) -> OnnxRuntimeSession:
    """Open every graph on the GPU. Raises VcompressError where ONNX Runtime has no such provider."""
    return open_on_a_gpu(artifact, threads, "TensorrtExecutionProvider")
