"""One step of a gated recurrent layer, as the operators that are quantized each by itself."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gru_update(recurrent: Tensor, given: Tensor, state: Tensor) -> Tensor:
    """What the layer's matrix makes of its state, what it is given, both (B, 3 units, 1), rows u, r, e; and its state (B, units, 1) -> the next state.

    u and r are sigmoids of both together, e = tanh(r recurrent + given); the next state is u state + (1 - u) e (torch's GRU; Kalchbrenner et al. 2018, eq. 2).
    """
    units = state.shape[1]
    gates = torch.sigmoid(recurrent[:, : 2 * units] + given[:, : 2 * units])
    update, reset = gates[:, :units], gates[:, units:]
    candidate = torch.tanh(reset * recurrent[:, 2 * units :] + given[:, 2 * units :])
    return torch.lerp(candidate, state, update)


class GRUCell(nn.Module):
    """A layer with its two matrices. x: (B, inputs, 1), state: (B, units, 1), condition: what is added to what it is given, (B, 3 units, 1) -> next state.

    `bias` of what it is given; the matrix of the state always has one. A hardtanh marks where the state, which lies within 1, is rounded to 8 bits.
    """

    def __init__(self, inputs: int, units: int, bias: bool = True):
        super().__init__()
        self.input, self.recurrent = nn.Conv1d(inputs, 3 * units, 1, bias=bias), nn.Conv1d(units, 3 * units, 1)

    def forward(self, x: Tensor, state: Tensor, condition: Tensor | None = None) -> Tensor:
        given = self.input(x)
        recurrent = self.recurrent(F.hardtanh(state))
        return gru_update(recurrent, given if condition is None else given + condition, state)
