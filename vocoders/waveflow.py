"""WaveFlow (Ping et al. 2020) as configured by Douwes 2023: a flow from waveform to noise, given the mel, over the waveform as an image.

Neighbours in time are rows of a column, and each row is predicted from the rows above it: forward, as it is trained, all rows at once; inverse, as it
ships, row after row, each layer keeping the two rows above (`waveflow_inverse.py`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from .diffwave import MelUpsampler, pairwise_sum
from .family import Family
from .forms import Form, Nested, nth, width_of
from .objectives import LikelihoodObjective
from .plan import TrainingPlan
from .waveflow_plain import PlainInverse


@dataclass(frozen=True)
class WaveFlowConfig:
    """`height` samples make a column. `channels`, `layers`: width and depth of a flow's network, whose dilations along the width are 2^i.

    The upsampler's strides multiply to the hop length, which is a multiple of the height.

    `log_scale_limit`: the log scale of a flow is kept within it. The published network has no limit, but where a recording is digitally silent,
    likelihood rewards a scale without end, and the first sample that is not silent then overflows. Within 4, eight flows scale by e^32 at most,
    whose square is a float; speech of 16 bits needs e^11.
    """

    channels: int = 64
    height: int = 8
    flows: int = 8
    layers: int = 8
    upsample_strides: tuple[int, ...] = (16, 16)
    n_mels: int = 80
    log_scale_limit: float = 4.0

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return math.prod(self.upsample_strides)

    @property
    def columns(self) -> int:
        """Columns a frame."""
        return self.hop_length // self.height


SIZES = {"S": WaveFlowConfig(64, 8), "M": WaveFlowConfig(96, 16), "L": WaveFlowConfig(128, 16)}


def _conv(inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Same width, dilated along it; in height only the rows that are given."""
    layer = nn.Conv2d(inputs, outputs, kernel, dilation=(1, dilation), padding=(0, dilation * (kernel // 2)))
    nn.init.kaiming_normal_(layer.weight)
    return weight_norm(layer)


def _interpolate(layer: nn.Module, stride: int) -> None:
    """Begin as linear interpolation of the mel in time. Random filters shrink it to a hundredth at each of two layers, and a training that begins
    there explains the waveform by its own neighbours for a long time before it hears the mel (docs/flows.md)."""
    triangle = 1 - (torch.arange(2 * stride) - (stride - 0.5)).abs() / stride
    with torch.no_grad():
        layer.get_parameter("weight").zero_()[..., 1, :] = triangle
        layer.get_parameter("bias").zero_()


class ResidualLayer(nn.Module):
    """A gated convolution, dilated along the width, causal along the height.

    x: (B, C, R, W), condition: (B, n_mels, R, W), above: the two rows before x, (B, C, 1, W) each; zeros where none are given
    -> next x and skip, both (B, C, R, W).
    """

    def __init__(self, channels: int, n_mels: int, dilation: int):
        super().__init__()
        self.dilated, self.condition = _conv(channels, 2 * channels, 3, dilation), _conv(n_mels, 2 * channels)
        self.output = _conv(channels, 2 * channels)

    def forward(self, x: Tensor, condition: Tensor, above: Sequence[Tensor] = ()) -> tuple[Tensor, Tensor]:
        channels = x.shape[1]
        rows = torch.cat([*above, x], dim=2) if above else F.pad(x, (0, 0, 2, 0))
        hidden = self.dilated(rows) + self.condition(condition)
        gated = self.output(torch.tanh(hidden[:, :channels]) * torch.sigmoid(hidden[:, channels:]))
        return x + gated[:, :channels], gated[:, channels:]


class Estimator(nn.Module):
    """What rows say of the rows that follow them. x: (B, 1, R, W), condition: the mel of the rows that follow, (B, n_mels, R, W)
    -> log scale and shift, (B, 1, R, W) each, and what each layer saw of x, (B, C, R, W) each.

    `above`: for each layer the two rows before x. Only `projection` is without weight norm; at zero it makes the flow begin as the identity.
    """

    def __init__(self, config: WaveFlowConfig):
        super().__init__()
        self.log_scale_limit = config.log_scale_limit
        self.input = _conv(1, config.channels)
        self.layers = nn.ModuleList(ResidualLayer(config.channels, config.n_mels, 2**i) for i in range(config.layers))
        self.projection = nn.Conv2d(config.channels, 2, 1)
        nn.init.zeros_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, condition: Tensor, above: Sequence[Sequence[Tensor]] = ()) -> tuple[Tensor, Tensor, list[Tensor]]:
        hidden, seen, skips = self.input(x), [], []
        for i, layer in enumerate(self.layers):
            seen.append(hidden)
            hidden, skip = layer(hidden, condition, above[i] if above else ())
            skips.append(skip)
        log_scale, shift = self.projection(pairwise_sum(skips)).chunk(2, dim=1)
        return log_scale.clamp(-self.log_scale_limit, self.log_scale_limit), shift, seen


class WaveFlow(nn.Module):
    """The whole network, as trained."""

    def __init__(self, config: WaveFlowConfig):
        super().__init__()
        self.config = config
        self.upsampler = MelUpsampler(config.upsample_strides)
        for convolution, stride in zip(self.upsampler.convolutions, config.upsample_strides, strict=True):
            _interpolate(convolution, stride)
            weight_norm(convolution)
        self.flows = nn.ModuleList(Estimator(config) for _ in range(config.flows))

    def forward(self, waveform: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """waveform: float32 (B, 1, hop F), mel: float32 (B, 80, F) -> latent: float32 (B, 1, hop F), and log determinants, whose sum is the batch's."""
        height, determinants = self.config.height, []
        x, condition = squeeze(waveform, height), squeeze(self.upsampler(mel), height)
        for flow in self.flows:
            log_scale, shift, _ = flow(x[:, :, :-1], condition[:, :, 1:])
            determinants.append(log_scale.sum())
            x = torch.cat([x[:, :, :1], torch.addcmul(shift, x[:, :, 1:], torch.exp(log_scale))], dim=2).flip(2)
            condition = condition.flip(2)
        return unsqueeze(x), torch.stack(determinants)


def squeeze(x: Tensor, height: int) -> Tensor:
    """(B, C, T) -> (B, C, height, T / height): row h of column w is sample w height + h."""
    return x.reshape(x.shape[0], x.shape[1], -1, height).transpose(2, 3)


def unsqueeze(x: Tensor) -> Tensor:
    """(B, C, height, W) -> (B, C, height W)."""
    return x.transpose(2, 3).reshape(x.shape[0], x.shape[1], -1)


class Rows(nn.Module):
    """(B, C, T) -> the rows of the image, (B, C, 1, W) each. It has a path of its own, so that no name of its tensors is one of another form's."""

    def __init__(self, height: int):
        super().__init__()
        self.height = height

    def forward(self, x: Tensor) -> list[Tensor]:
        image = squeeze(x, self.height)
        return [image[:, :, h : h + 1] for h in range(self.height)]


class ConditionerForm(nn.Module):
    """What is computed once for an utterance: mel (B, 80, F) -> for each row its mel, (B, 80, 1, W).

    The layers' own projections of it are left to the rows. Each row of each flow is computed once, so nothing would be saved, and all projections
    together are 8192 values a sample in the smallest size, 131 MB of integers a second.
    """

    def __init__(self, network: WaveFlow):
        super().__init__()
        self.upsampler, self.rows = network.upsampler, Rows(network.config.height)

    def forward(self, mel: Tensor) -> list[Tensor]:
        return self.rows(self.upsampler(mel))


class RowForm(nn.Module):
    """One row of one flow's inverse, from what its layers keep of the two rows before (WaveFlow, section 3.3; Paine et al. 2016)."""

    def __init__(self, network: WaveFlow, flow: int):
        super().__init__()
        self.flow = str(flow)
        self.flows = nn.ModuleDict({self.flow: network.flows[flow]})  # the path that it has in the network

    def forward(self, previous: Tensor, latent: Tensor, condition: Tensor, older: list[Tensor], newer: list[Tensor]) -> list[Tensor]:
        """previous: the row above, latent: this row of the latent, (B, 1, 1, W) both, condition: (B, 80, 1, W) -> this row, and what the layers saw."""
        log_scale, shift, seen = self.flows[self.flow](previous, condition, list(zip(older, newer, strict=True)))
        return [(latent - shift) / torch.exp(log_scale), *seen]


def row_forms(network: nn.Module, config: WaveFlowConfig, frames: int = 8) -> list[Form]:
    """What ships: `conditioner`, and a graph for each flow."""
    assert isinstance(network, WaveFlow)
    width, layers = frames * config.columns, range(config.layers)
    inputs: dict[str, Nested] = {name: torch.randn(1, 1, 1, width) for name in ("previous", "latent")}
    inputs |= {"condition": torch.rand(1, config.n_mels, 1, width)}
    channels = width_of(network.get_submodule("flows.0.input"))
    inputs |= {name: [torch.randn(1, channels, 1, width) for _ in layers] for name in ("older", "newer")}
    along = {name: {3: config.columns} for name in inputs}
    outputs, states = ("current", *(f"seen_{i}" for i in layers)), {f"{name}_{i}": f"seen_{i}" for name in ("older", "newer") for i in layers}
    given = {"condition": nth("upsampler:leaky_relu", len(config.upsample_strides))}
    conditions = tuple(f"condition_{h}" for h in range(config.height))
    return [
        Form("conditioner", ConditionerForm(network), {"mel": torch.rand(1, config.n_mels, frames)}, {"mel": {2: 1}}, conditions),
        *(Form(f"flow_{k}", RowForm(network, k), inputs, along, outputs, given, states) for k in range(config.flows)),
    ]


def forward_form(network: nn.Module, config: WaveFlowConfig, frames: int = 8) -> list[Form]:
    """What is trained: all rows of all flows at once."""
    inputs: dict[str, Nested] = {"waveform": 0.1 * torch.randn(1, 1, frames * config.hop_length), "mel": torch.rand(1, config.n_mels, frames)}
    return [Form("forward", network, inputs, {"waveform": {2: config.hop_length}, "mel": {2: 1}}, ("latent", "log_determinants"))]


def _inputs(config: WaveFlowConfig, frames: int) -> tuple[Tensor, ...]:
    return torch.zeros(1, 1, frames * config.hop_length), torch.zeros(1, config.n_mels, frames)


_AUDIO = "it is the waveform on its way to noise, which 8 bits would cover with noise of their own"
_LAYERS = {
    "input": "its input is the waveform, which 8 bits would cover with noise of its own",
    "projection": "its output shifts and scales the waveform, in one flow after the other",
}


def _floats(config: WaveFlowConfig) -> dict[str, str]:
    inputs = {f"input:{name}": _AUDIO for name in ("waveform", "previous", "latent")}
    return inputs | {f"flows.{k}.{path}": why for k in range(config.flows) for path, why in _LAYERS.items()}


FAMILY = Family(
    name="waveflow",
    title="WaveFlow",
    config=WaveFlowConfig,
    network=WaveFlow,
    sizes=SIZES,
    inputs=_inputs,
    objective=lambda config, front_end: LikelihoodObjective(),
    objective_name="likelihood",
    sampler=lambda config: {"name": "waveflow", "sigma": 1.0, "height": config.height, "flows": config.flows},
    plan=TrainingPlan(batch_size=8, frames=16, learning_rate=4e-4, every=100, clip=5.0),
    forms=row_forms,
    compose=lambda config, graphs: lambda waveform, mel: graphs["forward"](waveform, mel),
    training_forms=forward_form,
    floats=_floats,
    paper_synthesis=PlainInverse,
    paper_calls=1,
)
