"""ONNX Runtime on an NVIDIA GPU, through CUDA: floats. Quantized layers are dequantized and run in float, for it has no integer convolutions."""

from ..artifact import Artifact
from .onnxruntime_cpu import OnnxRuntimeSession, open_on_a_gpu


def load(artifact: Artifact, threads: int) -> OnnxRuntimeSession:
    """Open every graph on the GPU. Raises VcompressError where ONNX Runtime has no such provider."""
    return open_on_a_gpu(artifact, threads, "CUDAExecutionProvider")
