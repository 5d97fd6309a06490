"""A gated recurrent layer on a CPU, forward and backward, faster than torch's.

torch's GRU notes every operator of every step for its backward pass and adds to the gradient of the matrix step by step. Here that gradient is one product for
many steps, the factors of the gates' gradients are made for many steps at once, and the products run in bfloat16 where autocast asks for it.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

STEPS_AT_ONCE = 32  # of the backward pass: few enough to stay in the cache


def recurrent_states(given: Tensor, matrix: Tensor) -> Tensor:
    """States after every step, from zero: given (T, B, 3 units) and matrix (3 units, units) -> (T, B, units).

    Rows are those of torch's GRU (reset, update, candidate), and so is the arithmetic; `given` is what does not depend on the state. Products are in autocast's
    type, all else in float32.
    """
    kind = given.device.type
    low = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    states: Tensor = _Recurrence.apply(given.float(), matrix, low)  # type: ignore[no-untyped-call]
    return states


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, given: Tensor, matrix: Tensor, low: torch.dtype) -> Tensor:
        steps, batch, units = given.shape[0], given.shape[1], matrix.shape[1]
        columns = matrix.t().to(low).contiguous()
        states, gates = given.new_zeros(steps + 1, batch, units), torch.empty_like(given)
        recurrent = given.new_empty(steps, batch, units)  # of the candidate, before it is reset
        narrow, product = given.new_empty(batch, units, dtype=low), given.new_empty(batch, 3 * units, dtype=low)
        of_gates, of_candidate = product.split([2 * units, units], 1)
        for x, h, after, gate, unreset in _together(given, states[:-1], states[1:], gates, recurrent):
            torch.mm(narrow.copy_(h), columns, out=product)
            both, candidate = gate.split([2 * units, units], 1)
            torch.add(x[:, : 2 * units], of_gates, out=both).sigmoid_()
            torch.addcmul(x[:, 2 * units :], both[:, :units], unreset.copy_(of_candidate), out=candidate).tanh_()
            torch.lerp(candidate, h, both[:, units:], out=after)
        ctx.save_for_backward(states, gates, recurrent, matrix)
        ctx.low = low
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (of_states,) = gradients
        states, gates, recurrent, matrix = ctx.saved_tensors
        steps, batch, units = of_states.shape
        rows, of_given, of_matrix = matrix.to(ctx.low), torch.empty_like(gates), torch.zeros_like(matrix)
        h, back = states.new_zeros(batch, units), states.new_empty(batch, units, dtype=ctx.low)
        products = states.new_empty(STEPS_AT_ONCE, batch, 3 * units, dtype=ctx.low)
        for end in range(steps, 0, -STEPS_AT_ONCE):
            part = slice(max(0, end - STEPS_AT_ONCE), end)
            r, u, e = gates[part].split(units, 2)
            by_r, by_u, by_e = recurrent[part] * r * (1 - r), (states[part] - e) * u * (1 - u), (1 - u) * (1 - e * e)
            of_products = products[: len(u)]
            for of_state, out, low, r_, u_, e_, reset, kept in reversed(list(_together(of_states[part], of_given[part], of_products, by_r, by_u, by_e, r, u))):
                h += of_state
                of_r, of_u, of_e = out.split(units, 1)
                torch.mul(torch.mul(h, e_, out=of_e), r_, out=of_r)
                torch.mul(h, u_, out=of_u)
                low[:, : 2 * units] = out[:, : 2 * units]
                low[:, 2 * units :] = of_e * reset
                torch.mm(low, rows, out=back)
                h.mul_(kept).add_(back)
            of_matrix += of_products.reshape(-1, 3 * units).t() @ states[part].reshape(-1, units).to(ctx.low)
        return of_given, of_matrix, None


def _together(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The steps of tensors (T, ...) side by side."""
    return zip(*(tensor.unbind() for tensor in tensors), strict=True)
