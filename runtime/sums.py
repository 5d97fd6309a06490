"""What becomes of the sums of an integer product, in a graph that is read from a file: bias, scales, rounding. `integer_products.py` writes them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PRODUCT = "MatMulInteger"


@dataclass(frozen=True)
class Sums:
    """Names of constants: of the `scales` with which the sums become floats, and of the `bias` before, "" where there is none.

    `between`: the nodes from the product to `rounding`, the QuantizeLinear.
    """

    scales: str
    bias: str
    between: tuple[Any, ...]
    rounding: Any

    @classmethod
    def of(cls, product: Any, readers: Mapping[str, Sequence[Any]], constants: Collection[str]) -> "Sums | None":
        """Behind a MatMulInteger of a graph with these readers of its tensors and these constants; None where something else is there."""
        between: list[Any] = []
        found = {"Add": "", "Mul": ""}
        node = product
        while node.op_type != "QuantizeLinear":
            after = readers.get(node.output[0], ())
            if len(after) != 1:
                return None
            node = after[0]
            if node.op_type in found and node.input[1] in constants:
                found[node.op_type] = node.input[1]
            elif node.op_type not in ("Cast", "Transpose", "QuantizeLinear"):
                return None
            between.append(node)
        return cls(found["Mul"], found["Add"], tuple(between[:-1]), node) if found["Mul"] else None


def readers_of(nodes: Sequence[Any]) -> dict[str, list[Any]]:
    """Tensor -> the nodes that read it."""
    found: dict[str, list[Any]] = {}
    for node in nodes:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found
