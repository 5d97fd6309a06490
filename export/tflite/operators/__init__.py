"""ONNX operator -> its translation. A new one is a function in a file here and a line in these tables."""

from collections.abc import Callable

import onnx_ir as ir

from ..layout import Value
from ..translator import Operation, Translator
from . import activations, arithmetic, convolution, joining, movement, quantization

Translation = Callable[[Translator, Operation], Value | list[Value]]

TRANSLATIONS: dict[str, Translation] = {
    "Conv": convolution.convolution,
    "Add": arithmetic.add,
    "Sub": arithmetic.subtract,
    "Mul": arithmetic.multiply,
    "Div": arithmetic.divide,
    "LeakyRelu": activations.leaky_relu,
    "Relu": activations.relu,
    "Sigmoid": activations.sigmoid,
    "Tanh": activations.tanh,
    "Clip": activations.clip,
    "Exp": activations.exp,
    "Sin": activations.sin,
    "Cos": activations.cos,
    "Reshape": movement.reshape,
    "Squeeze": movement.reshape,
    "Unsqueeze": movement.reshape,
    "Transpose": movement.transpose,
    "Slice": movement.cut,
    "Split": movement.split,
    "Pad": joining.pad,
    "Concat": joining.concatenate,
    "Gather": movement.gather,
    "Cast": movement.cast,
    "QuantizeLinear": quantization.quantize,
}

# Operators with integer kernels, and whether a node with this QuantizeLinear to 8 bits behind it can have one
IN_INTEGERS: dict[str, Callable[[ir.Node, ir.Node], bool]] = {
    "Conv": convolution.in_integers,
    "Add": arithmetic.in_integers,
    "Sub": arithmetic.in_integers,
    "Mul": arithmetic.in_integers,
    "LeakyRelu": activations.in_integers,
    "Relu": activations.in_integers,
    "Sigmoid": activations.sigmoid_in_integers,
    "Tanh": activations.tanh_in_integers,
    "Reshape": movement.in_integers,
    "Squeeze": movement.in_integers,
    "Unsqueeze": movement.in_integers,
    "Transpose": movement.in_integers,
    "Slice": movement.in_integers,
    "Pad": movement.in_integers,
    "Concat": joining.concat_in_integers,
}
