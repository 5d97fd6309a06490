"""The fake quantizers: 8-bit asymmetric, 8-bit symmetric or 16-bit symmetric activations per tensor, 8-bit symmetric weights per output channel.

PT2E inserts them where `quantizer` says. They observe while calibrating, and round and clip while a network is trained or judged
as if it were quantized.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchao.quantization.pt2e.fake_quantize import FakeQuantizeBase

SAMPLES_PER_CALL = 4096
CLIPPING_CANDIDATES = tuple(1 - 0.05 * i for i in range(13))  # 1.0 .. 0.4 of the observed extremes
SMALLEST_SCALE = 2.0**-24
WIDE_HEADROOM = 2.0  # of 16 bits one, so that a few calibration clips clip nothing of the next
LEARNING = 10.0  # a scale moves ten times as fast, relative to itself, as the learning rate lets a weight move


def _rounded(x: Tensor, scale: float, zero_point: int, quant_min: int, quant_max: int) -> Tensor:
    """The numbers of torch.fake_quantize_per_tensor_affine, whose kernel for CPUs is scalar and takes ten times as long."""
    if not x.is_cpu:
        return torch.fake_quantize_per_tensor_affine(x, scale, zero_point, quant_min, quant_max)
    steps = (x * float(np.float32(1) / np.float32(scale))).round_()
    return steps.clamp_(quant_min - zero_point, quant_max - zero_point).mul_(scale)


class _FakeQuantize(torch.autograd.Function):
    """Rounds and clips; the gradient passes straight through, and reaches the scale as in LSQ (Esser et al. 2020, eq. 3)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero_point: int, quant_min: int, quant_max: int) -> Tensor:
        output = _rounded(x, scale.item(), zero_point, quant_min, quant_max)
        ctx.save_for_backward(x, scale, output)
        ctx.steps = quant_min - zero_point - 0.5, quant_max - zero_point + 0.5  # between them nothing is clipped
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, scale, output = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        low, high = (scale.item() * step for step in ctx.steps)
        through = torch.ops.aten.hardtanh_backward(gradient, x, low, high)  # one pass: the gradient between the two, else 0
        # d output / d scale is (output - x) / scale inside the range and output / scale outside; the difference first: of 16 bits nothing else is left
        of_scale = torch.dot(through.flatten(), (output - x).flatten()) + torch.dot((gradient - through).flatten(), output.flatten())
        return through, (of_scale / scale).reshape(scale.shape), None, None, None


class ActivationQuantizer(FakeQuantizeBase):
    """u8 in [0, 255] with one scale and zero point, or with one scale and zero point 0: `symmetric`, s8 in [-128, 127]; `wide`, s16 in [-32767, 32767].

    `observing` collects extremes and samples; `choose_range` then picks the clipping of least squared error; `faking` rounds
    and clips. Where gradients flow the scale learns too, through its logarithm: `stretch` / LEARNING steps of e.
    """

    qscheme, ch_axis, is_dynamic = torch.per_tensor_affine, -1, False

    def __init__(self, fixed: tuple[float, int] | None = None, wide: bool = False, symmetric: bool = False, **_: Any):
        super().__init__()
        self.wide, self.symmetric = wide, symmetric
        self.dtype = torch.int16 if wide else torch.int8 if symmetric else torch.uint8
        self.quant_min, self.quant_max = (-32767, 32767) if wide else (-128, 127) if symmetric else (0, 255)
        scale, zero_point = fixed or (1.0, 0)
        self.register_buffer("scale", torch.tensor([scale]))
        self.register_buffer("zero_point", torch.tensor([zero_point], dtype=torch.int32))
        self.stretch = nn.Parameter(torch.zeros(1), requires_grad=fixed is None)
        self.fixed = fixed is not None
        self.observing = self.faking = False
        self.seen = self.fixed
        self._extremes = torch.zeros(2)
        self._samples: list[Tensor] = []

    @property
    def bits(self) -> int:
        """8 or 16."""
        return 16 if self.wide else 8

    def forward(self, x: Tensor) -> Tensor:
        if self.observing and not self.fixed:
            self._observe(x.detach())
        if not self.faking:
            return x
        scale, zero_point = self.calculate_qparams()
        if torch.is_grad_enabled() and x.requires_grad:
            return _FakeQuantize.apply(x, scale, int(zero_point), self.quant_min, self.quant_max)
        return _rounded(x, scale.item(), int(zero_point), self.quant_min, self.quant_max)

    def _observe(self, x: Tensor) -> None:
        low, high = torch.aminmax(x)
        self._extremes = torch.stack([torch.minimum(self._extremes[0], low), torch.maximum(self._extremes[1], high)])
        if not self.wide:  # whose scale follows from the extremes
            flat = x.flatten()
            self._samples.append(flat[:: max(1, len(flat) // SAMPLES_PER_CALL)].float().clone())
        self.seen = True

    def choose_range(self) -> None:
        """End of calibration: the clipping of the extremes that gives the sampled values the least squared error."""
        if self.fixed or not self.seen:
            return
        if self.wide:  # nothing is won by clipping, and little lost by room for what is louder than the calibration
            self._set((WIDE_HEADROOM * self._extremes.abs().max() / self.quant_max).clamp(min=SMALLEST_SCALE).item(), 0)
            return
        if not self._samples:  # chosen before
            return
        values = torch.cat(self._samples)
        self._samples.clear()
        best = torch.inf
        for scale, zero_point in self._candidates():
            error = (_rounded(values, scale, zero_point, self.quant_min, self.quant_max) - values).square().mean().item()
            if error < best:
                best = error
                self._set(scale, zero_point)

    def _candidates(self) -> Iterator[tuple[float, int]]:
        """Scale and zero point of each clipping that is tried."""
        if self.symmetric:
            yield from ((max(part * self._extremes.abs().max().item() / 127, SMALLEST_SCALE), 0) for part in CLIPPING_CANDIDATES)
            return
        for low in CLIPPING_CANDIDATES if self._extremes[0] < 0 else (1.0,):
            for high in CLIPPING_CANDIDATES:
                yield _affine(self._extremes * torch.tensor([low, high]))

    def begin(self, scale: float, zero_point: int) -> None:
        """Take over a scale and zero point to learn from."""
        self._set(scale, zero_point)
        self.seen = True

    def set(self, scale: float, zero_point: int) -> None:
        """Take over a scale and zero point from a table; they stay."""
        self._set(scale, zero_point)
        self.stretch.requires_grad_(False)
        self.fixed = self.seen = True

    def _set(self, scale: float, zero_point: int) -> None:
        self.scale.fill_(scale)
        self.zero_point.fill_(zero_point)
        with torch.no_grad():
            self.stretch.zero_()

    def calculate_qparams(self, **_: Any) -> tuple[Tensor, Tensor]:
        """Scale float32 (1,) and zero point int32 (1,)."""
        return self.scale * torch.exp(LEARNING * self.stretch), self.zero_point


def _affine(extremes: Tensor) -> tuple[float, int]:
    """Scale and zero point of a range (low <= 0 <= high), 0 being exact."""
    low, high = extremes.tolist()
    scale = max((high - low) / 255, SMALLEST_SCALE)
    return scale, min(255, max(0, round(-low / scale)))


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
