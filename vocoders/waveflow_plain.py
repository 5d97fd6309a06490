"""The inverse of WaveFlow as the papers counted it: for each new row, all rows above it are computed again."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainInverse(nn.Module):
    """A WaveFlow from noise to waveform by height (height - 1) / 2 rows a flow, where the rows that are kept need height - 1.

    As in the code that the papers counted, every 3x3 convolution pads below as well as above and what is below is cut away.
    """

    def __init__(self, network: Any):
        super().__init__()
        self.network = network

    def forward(self, latent: Tensor, mel: Tensor) -> Tensor:
        """latent: float32 (B, 1, hop F), mel: float32 (B, 80, F) -> waveform: float32 (B, 1, hop F)."""
        height = self.network.config.height
        x, condition = (y.reshape(*y.shape[:2], -1, height).transpose(2, 3) for y in (latent, self.network.upsampler(mel)))
        if len(self.network.flows) % 2:
            condition = condition.flip(2)
        for flow in reversed(self.network.flows):
            x, condition = x.flip(2), condition.flip(2)
            conditions = [layer.condition(condition) for layer in flow.layers]
            rows = x[:, :, :1]
            for h in range(1, height):
                log_scale, shift = _last_row(flow, rows, [c[:, :, 1 : h + 1] for c in conditions])
                rows = torch.cat([rows, (x[:, :, h : h + 1] - shift) / torch.exp(log_scale)], dim=2)
            x = rows
        return x.transpose(2, 3).reshape(x.shape[0], 1, -1)


def _last_row(flow: Any, rows: Tensor, conditions: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Log scale and shift of the row that follows `rows` (B, 1, h, W)."""
    x, total = flow.input(rows), torch.zeros(())
    for layer, condition in zip(flow.layers, conditions, strict=True):
        conv = layer.dilated
        hidden = F.conv2d(x, conv.weight, conv.bias, padding=(2, conv.dilation[1]), dilation=conv.dilation)[:, :, : rows.shape[2]] + condition
        a, b = hidden.chunk(2, dim=1)
        residual, skip = layer.output(torch.tanh(a) * torch.sigmoid(b)).chunk(2, dim=1)
        x, total = x + residual, skip + total
    log_scale, shift = flow.projection(total[:, :, -1:]).chunk(2, dim=1)
    return log_scale.clamp(-flow.log_scale_limit, flow.log_scale_limit), shift
