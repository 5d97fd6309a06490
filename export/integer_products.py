"""Products of a step in integers: layers over one column, or a few, whose output has 16 bits.

ONNX Runtime has no integer kernel for such a convolution: it makes floats of all its weights at every call. MatMulInteger multiplies the integers
themselves, and only the sums become floats. That is fast where the data are unsigned, which 8 bits are here.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from .integer_graph import MOVEMENT, constant, dequantizer, scale_and_zero_point

COLUMNS_LAST = (0, 2, 1)  # and back


def products_in_integers(model: ir.Model) -> None:
    """Turn convolutions of width 1 with uint8 data, int8 weights and an int16 output into MatMulInteger, Add of the bias, Cast, Mul by s_x s_w, in place.

    Those of a port's own integers stay, for nothing but their DequantizeLinear tells the scale of these. Needs the shape of every convolution's output.
    """
    for node in list(model.graph):
        product = _Product.of(node) if node.op_type == "Conv" else None
        if product is not None:
            product.replace(model.graph, node)


@dataclass(frozen=True)
class _Product:
    """data: uint8 (B, K, T); matrix: int8 (K, N); scales: float32 (N,), of the sums; bias: int32 (N,), None where there is none."""

    data: ir.Value
    zero_point: ir.Value
    matrix: np.ndarray
    scales: np.ndarray
    bias: ir.Value | None

    @classmethod
    def of(cls, node: ir.Node) -> "_Product | None":
        """What a convolution multiplies; None where it is to stay."""
        data, weight = dequantizer(node.inputs[0]), dequantizer(node.inputs[1])
        if data is None or weight is None or not _moves_nothing(node) or not _has_16_bits(node.outputs[0]):
            return None
        given, parameters = data.inputs[0], scale_and_zero_point(data)
        if given is None or given.dtype != ir.DataType.UINT8 or _is_port(given) or parameters is None:
            return None
        integers, scales, zeros = (constant(value) for value in (*weight.inputs, None)[:3])
        if integers is None or integers.dtype != np.int8 or integers.shape[2:] != (1,) or scales is None or (zeros is not None and zeros.any()):
            return None
        of_sums = (np.float32(parameters[0]) * scales.reshape(-1) * np.ones(len(integers), np.float32)).astype(np.float32)
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        known, maker = constant(bias), dequantizer(bias)
        if bias is not None and (known is None or known.any()):
            scale = constant(maker.inputs[1]) if maker is not None else None
            if maker is None or scale is None or not np.allclose(scale, of_sums, rtol=1e-6, atol=0):
                return None
        zero_point = data.inputs[2]
        assert zero_point is not None
        return cls(given, zero_point, np.ascontiguousarray(integers[:, :, 0].T), of_sums, maker.inputs[0] if maker is not None else None)

    def replace(self, graph: ir.Graph, node: ir.Node) -> None:
        """Put the product, under its name, where a convolution is."""
        nodes: list[ir.Node] = []

        def add(operator: str, *inputs: ir.Value, name: str | None = None, attributes: tuple[ir.Attr, ...] = ()) -> ir.Value:
            nodes.append(ir.Node("", operator, inputs, attributes, name=name))
            return nodes[-1].outputs[0]

        turned = (ir.AttrInt64s("perm", COLUMNS_LAST),)
        rows = add("Transpose", self.data, attributes=turned)
        sums = add("MatMulInteger", rows, _held(graph, self.matrix), self.zero_point, name=node.name)
        if self.bias is not None:
            sums = add("Add", sums, self.bias)
        floats = add("Cast", sums, attributes=(ir.AttrInt64("to", ir.DataType.FLOAT.value),))
        scaled = add("Mul", floats, _held(graph, self.scales))
        columns = add("Transpose", scaled, attributes=turned)
        columns.dtype, columns.shape = ir.DataType.FLOAT, node.outputs[0].shape
        graph.insert_before(node, nodes)
        ir.convenience.replace_all_uses_with(node.outputs[0], columns)


def _moves_nothing(node: ir.Node) -> bool:
    """Whether a convolution of width 1 gives a column for each column, of all its channels."""
    pads, strides = (node.attributes.get_ints(name, ()) or () for name in ("pads", "strides"))
    whole = node.attributes.get_int("group", 1) == 1 and node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET"
    return whole and not any(pads) and set(strides) <= {1}


def _has_16_bits(value: ir.Value) -> bool:
    """Whether all that becomes of a tensor are int16."""
    readers = [use.node for use in value.uses()]
    rounded = all(reader.op_type == "QuantizeLinear" and reader.outputs[0].dtype == ir.DataType.INT16 for reader in readers)
    return bool(readers) and rounded and not value.is_graph_output()


def _is_port(value: ir.Value) -> bool:
    """Whether integers come into the graph as they are, however moved."""
    producer = value.producer()
    while producer is not None and producer.op_type in (*MOVEMENT, "Concat"):
        first = producer.inputs[0]
        assert first is not None
        value, producer = first, first.producer()
    return value.is_graph_input()


def _held(graph: ir.Graph, array: np.ndarray) -> ir.Value:
    """An initializer."""
    name = f"product_{len(graph.initializers)}"
    tensor = ir.tensor(array, name=name)
    graph.initializers[name] = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    return graph.initializers[name]
