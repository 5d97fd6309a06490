"""The fake quantizers: 8-bit asymmetric or 16-bit symmetric activations per tensor, 8-bit symmetric weights per output channel.

PT2E inserts them where `quantizer` says. They observe while calibrating, and round and clip while a network is trained or judged
as if it were quantized.
"""

from typing import Any

import torch
from torch import Tensor
from torchao.quantization.pt2e.fake_quantize import FakeQuantizeBase

SAMPLES_PER_CALL = 4096
CLIPPING_CANDIDATES = tuple(1 - 0.05 * i for i in range(13))  # 1.0 .. 0.4 of the observed extremes
SMALLEST_SCALE = 2.0**-24


class ActivationQuantizer(FakeQuantizeBase):
    """u8 in [0, 255] with one scale and zero point, or `wide`: s16 in [-32767, 32767] with one scale, zero point 0.

    `observing` collects extremes and samples; `choose_range` then picks the clipping of least squared error; `tracking` lets
    the extremes follow the network while gradients flow, the clipping ratio kept; `faking` rounds and clips.
    """

    qscheme, ch_axis, is_dynamic = torch.per_tensor_affine, -1, False

    def __init__(self, fixed: tuple[float, int] | None = None, wide: bool = False, momentum: float = 0.01, **_: Any):
        super().__init__()
        self.wide = wide
        self.dtype = torch.int16 if wide else torch.uint8
        self.quant_min, self.quant_max = (-32767, 32767) if wide else (0, 255)
        scale, zero_point = fixed or (1.0, 0)
        self.register_buffer("scale", torch.tensor([scale]))
        self.register_buffer("zero_point", torch.tensor([zero_point], dtype=torch.int32))
        self.register_buffer("extremes", torch.zeros(2))
        self.register_buffer("clipping", torch.ones(2))
        self.fixed, self.momentum = fixed is not None, momentum
        self.observing = self.tracking = self.faking = False
        self.seen = fixed is not None
        self._samples: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        if not self.fixed and (self.observing or (self.tracking and torch.is_grad_enabled())):
            self._observe(x.detach())
        if self.faking:
            x = torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, self.quant_min, self.quant_max)
        return x

    def _observe(self, x: Tensor) -> None:
        low, high = torch.aminmax(x)
        now = torch.stack([low.clamp(max=0), high.clamp(min=0)]).float()
        if self.observing:
            self.extremes.copy_(torch.stack([torch.minimum(self.extremes[0], now[0]), torch.maximum(self.extremes[1], now[1])]))
            flat = x.flatten()
            self._samples.append(flat[:: max(1, len(flat) // SAMPLES_PER_CALL)].float().clone())
            self.seen = True
        else:
            self.extremes.lerp_(now, self.momentum)
            self._set_range(self.extremes * self.clipping)

    @property
    def bits(self) -> int:
        """8 or 16."""
        return 16 if self.wide else 8

    def choose_range(self) -> None:
        """End of calibration: the clipping of the extremes that gives the sampled values the least squared error."""
        if self.fixed or not self._samples:
            return
        values = torch.cat(self._samples)
        self._samples.clear()
        if self.wide:  # nothing is won by clipping
            return self._set_range(self.extremes)
        best = torch.inf
        for low in CLIPPING_CANDIDATES if self.extremes[0] < 0 else (1.0,):
            for high in CLIPPING_CANDIDATES:
                scale, zero_point = _affine(self.extremes * torch.tensor([low, high]))
                error = (torch.fake_quantize_per_tensor_affine(values, scale.item(), int(zero_point), 0, 255) - values).square().mean().item()
                if error < best:
                    best = error
                    self.clipping.copy_(torch.tensor([low, high]))
        self._set_range(self.extremes * self.clipping)

    def _set_range(self, extremes: Tensor) -> None:
        if self.wide:
            self.scale.fill_((extremes.abs().max() / self.quant_max).clamp(min=SMALLEST_SCALE).item())
            return
        scale, zero_point = _affine(extremes)
        self.scale.fill_(scale.item())
        self.zero_point.fill_(int(zero_point))

    def set(self, scale: float, zero_point: int) -> None:
        """Take over a scale and zero point from a table; nothing is observed any more."""
        self.scale.fill_(scale)
        self.zero_point.fill_(zero_point)
        self.fixed = self.seen = True

    def calculate_qparams(self, **_: Any) -> tuple[Tensor, Tensor]:
        """Scale float32 (1,) and zero point int32 (1,)."""
        return self.scale, self.zero_point


def _affine(extremes: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and zero point of a range (low <= 0 <= high), 0 being exact."""
    scale = ((extremes[1] - extremes[0]) / 255).clamp(min=SMALLEST_SCALE)
    return scale, torch.round(-extremes[0] / scale).clamp(0, 255)


class WeightQuantizer(FakeQuantizeBase):
    """s8 in [-127, 127], one scale an output channel, a function of the weight alone: max |w| / 127."""

    dtype, qscheme, quant_min, quant_max, ch_axis, is_dynamic = torch.int8, torch.per_channel_symmetric, -127, 127, 0, False

    def __init__(self, **_: Any):
        super().__init__()
        self.register_buffer("scale", torch.ones(1), persistent=False)
        self.register_buffer("zero_point", torch.zeros(1, dtype=torch.int32), persistent=False)
        self.faking = False

    def forward(self, weight: Tensor) -> Tensor:
        self.scale = weight.detach().abs().flatten(1).amax(1).div(127).clamp(min=SMALLEST_SCALE)
        self.zero_point = torch.zeros_like(self.scale, dtype=torch.int32)
        if self.faking:
            weight = torch.fake_quantize_per_channel_affine(weight, self.scale, self.zero_point, 0, -127, 127)
        return weight

    def calculate_qparams(self, **_: Any) -> tuple[Tensor, Tensor]:
        """Scale float32 (C,) and zero point int32 (C,), of the weight seen last."""
        return self.scale, self.zero_point
