"""Dynamic quantization: int8 weights, activations quantized as they come, by ONNX Runtime's own tool on the exported float graph.

It reaches convolutions (DynamicQuantizeLinear, ConvInteger) and matrix products. No calibration and no scale table.
"""

from pathlib import Path

from ..errors import VcompressError
from ..runtime.quiet import quiet


def quantize_dynamic(source: Path, target: Path) -> None:
    """Write the dynamically quantized form of a float ONNX graph. Raises VcompressError when nothing in it could be quantized."""
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization import quantize_dynamic as quantize

    with quiet(""):  # it asks for a shape inference that these graphs do not need
        quantize(source, target, op_types_to_quantize=["Conv", "MatMul", "Gemm"], weight_type=QuantType.QUInt8)
    if not any("Integer" in node.op_type for node in onnx.load(target, load_external_data=False).graph.node):
        raise VcompressError(f"Dynamic quantization fits no operator of {source.name}; use static quantization: vcompress quantize.")
