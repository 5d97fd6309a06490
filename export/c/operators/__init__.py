"""ONNX operator -> the steps that compute it. A new one is a function in a file here and a line in this table."""

from ..reading import Kernel
from . import activations, arithmetic, convolution, movement

KERNELS: dict[str, Kernel] = {
    "Conv": convolution.convolution,
    "Add": arithmetic.add,
    "Sub": arithmetic.subtract,
    "Mul": arithmetic.multiply,
    "Relu": activations.relu,
    "LeakyRelu": activations.leaky_relu,
    "Tanh": activations.tanh,
    "Sigmoid": activations.sigmoid,
    "Exp": activations.exp,
    "QuantizeLinear": activations.quantize,
    "Reshape": movement.reshape,
    "Squeeze": movement.reshape,
    "Unsqueeze": movement.reshape,
    "Transpose": movement.transpose,
    "Slice": movement.cut,
    "Pad": movement.pad,
    "Concat": movement.concatenate,
}
