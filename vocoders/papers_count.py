"""What the thesis counted: FLOPs of one 64-frame input and bytes of a saved state dict, for comparison with its Tables 8 and 9.

The rules of the FLOPs are those that reproduce Table 8 of Douwes 2023 to the printed digit (DeepSpeed's flops profiler of May 2022): 2 x MAC and the bias
of convolutions, 2 x MAC of linear layers, one for each element that goes into a ReLU or LeakyReLU, one for each sample in the length of an
interpolation; nothing for tanh, sigmoid and arithmetic. A transposed convolution counts in x in channels where in x out are computed.
"""

from collections.abc import Callable, Mapping
from io import RawIOBase
from math import prod
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from .family import Family

SAMPLES = 16384  # 64 frames of 256, 32 of 512: the 1.024 s that the thesis trained on


class ProfiledFlops(TorchFunctionMode):
    """While active, `total` grows by what each function call counts."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        rule = _RULES.get(func)
        if rule is not None:
            self.total += rule(args, kwargs or {}, result)
        return result


def _convolution(args: Any, kwargs: Mapping[str, Any], result: Tensor) -> int:
    weight, bias = args[1], args[2] if len(args) > 2 else kwargs.get("bias")
    return result.numel() * (2 * prod(weight.shape[1:]) + (bias is not None))


def _transposed(args: Any, kwargs: Mapping[str, Any], result: Tensor) -> int:
    """in x in channels at every input position; the bias at the positions that an ordinary convolution of these settings would have."""
    given = dict(zip(("input", "weight", "bias", "stride", "padding"), args, strict=False)) | dict(kwargs)
    x, weight, bias, stride, padding = (given.get(key) for key in ("input", "weight", "bias", "stride", "padding"))
    assert isinstance(x, Tensor) and isinstance(weight, Tensor)
    flops = 2 * x.numel() * weight.shape[0] * prod(weight.shape[2:])
    if bias is None:
        return flops
    shapes = zip(x.shape[2:], weight.shape[2:], _each(stride, x.ndim - 2, 1), _each(padding, x.ndim - 2, 0), strict=True)
    return flops + x.shape[0] * weight.shape[0] * prod((size + 2 * pad - kernel) // step + 1 for size, kernel, step, pad in shapes)


def _each(value: Any, dimensions: int, default: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (default if value is None else value,) * dimensions


def _linear(args: Any, kwargs: Mapping[str, Any], result: Tensor) -> int:
    return 2 * args[0].numel() * args[1].shape[0]


def _elementwise(args: Any, kwargs: Mapping[str, Any], result: Tensor) -> int:
    return args[0].numel()


_RULES: dict[Any, Callable[[Any, Mapping[str, Any], Tensor], int]] = {
    **dict.fromkeys((F.conv1d, F.conv2d), _convolution),
    **dict.fromkeys((F.conv_transpose1d, F.conv_transpose2d), _transposed),
    F.linear: _linear,
    **dict.fromkeys((F.relu, torch.relu, F.leaky_relu), _elementwise),
    F.interpolate: lambda args, kwargs, result: result.shape[-1],
}


def profiled_flops(call: Callable[[], Any]) -> int:
    """What one call counts; on the meta device it takes a moment and no memory."""
    with torch.no_grad(), ProfiledFlops() as counter:
        call()
    return counter.total


# How often the printed figure has the synthesis of 16,384 samples. WaveGrad: 50 steps of 2.048 s or 100 of 1.024 s, the count cannot
# tell which; WaveFlow: three of 64 frames were trimmed.
_TIMES = {"melgan": 1, "hifigan": 1, "wavegrad": 100, "diffwave": 6, "waveflow": 61 / 64, "waveglow": 1}


def papers_gflops(family: "Family", config: Any, network: nn.Module) -> float | None:
    """GFLOPs of a synthesis as Table 8 prints them, of the network with weight norm on the meta device.

    None for a family that the table does not have.
    """
    if family.name not in _TIMES:
        return None
    inputs = family.inputs(config, SAMPLES // config.hop_length)
    synthesis = family.paper_synthesis(network) if family.paper_synthesis else network
    return round(_TIMES[family.name] * profiled_flops(lambda: synthesis(*inputs)) / 1e9, 4)


class _Length(RawIOBase):
    """A file that keeps nothing but its length."""

    bytes_written = 0

    def write(self, data: Any) -> int:
        self.bytes_written += len(data)
        return len(data)


def saved_bytes(family: "Family", network: nn.Module) -> int | None:
    """Bytes of a file of all tensors of the state dict by torch.save, as in Table 9; None for a family that the table does not have."""
    if family.name not in _TIMES:
        return None
    file = _Length()
    # A plain dict: the names of the modules, which a state dict carries along, are twice as many with the weight norm of today.
    torch.save({key: torch.zeros(value.shape, dtype=value.dtype, device="cpu") for key, value in network.state_dict().items()}, file)  # type: ignore[arg-type]
    return file.bytes_written
