"""ONNX Runtime on an NVIDIA GPU, through TensorRT. Its integers are symmetric int8, as the recipe symmetric_w8a8 makes them (docs/gpu.md)."""

from ...errors import VcompressError
from ..artifact import Artifact
from .onnxruntime_cpu import OnnxRuntimeSession, open_on_a_gpu

SYMMETRIC = " symmetric"  # in the precision of a layer
# option of the provider for each word that may stand behind the back end's name
PRECISIONS = {"fp32": "", "fp16": "trt_fp16_enable"}


def load(artifact: Artifact, threads: int, words: list[str]) -> OnnxRuntimeSession:
    """Open every graph on the GPU, layers without integers in `words` (fp32 or fp16).

    Raises VcompressError for quantized graphs that are not symmetric, other words, and where ONNX Runtime has no such provider.
    """
    if len(words) > 1 or not set(words) <= PRECISIONS.keys():
        raise VcompressError(f"onnxruntime-tensorrt has no variant {':'.join(words)!r}; give one of {', '.join(PRECISIONS)}, or none.")
    quantized = {layer.precision for layer in artifact.manifest.layers if layer.precision.startswith("w8")}
    if any(SYMMETRIC not in precision for precision in quantized):
        raise VcompressError(
            f"{artifact.folder} is quantized as {artifact.manifest.recipe}, whose integers TensorRT does not have; "
            "make one that it has with: vcompress quantize FAMILY --symmetric."
        )
    wanted = [PRECISIONS[word] for word in words if PRECISIONS[word]] + (["trt_int8_enable"] if quantized else [])
    return open_on_a_gpu(artifact, threads, "TensorrtExecutionProvider", dict.fromkeys(wanted, "1"))
