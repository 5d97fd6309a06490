"""WaveGlow (Prenger et al. 2019) as configured by Douwes 2023: a flow from waveform to noise, given the mel, and its inverse.

It is trained forward, by likelihood, and ships the inverse: both are the same upsampler and the same twelve WaveNets, at the same paths.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from .diffwave import pairwise_sum
from .family import Family
from .forms import Form, Nested
from .objectives import LikelihoodObjective
from .plan import TrainingPlan


@dataclass(frozen=True)
class WaveGlowConfig:
    """`group` samples make one vector, a channel each; before every `early_every`-th flow but the first, `early_size` channels leave for the latent.

    `channels`, `layers`: width and depth of a flow's WaveNet, whose dilations are 2^i. The upsampler spreads a frame over `upsample_kernel` samples.

    `log_scale_limit`: the log scale of a flow is kept within it. The published network has no limit, but likelihood rewards a scale without end where a
    recording is digitally silent, and the next sample that is not silent overflows. Twelve flows within 3.5 scale by e^42 at most, whose square is a float.
    """

    channels: int = 64
    layers: int = 8
    flows: int = 12
    group: int = 8
    early_every: int = 4
    early_size: int = 2
    upsample_kernel: int = 1024
    hop_length: int = 256
    n_mels: int = 80
    log_scale_limit: float = 3.5

    def leaves_before(self, flow: int) -> bool:
        """Whether channels leave before this flow."""
        return flow > 0 and flow % self.early_every == 0

    def width(self, flow: int) -> int:
        """Channels that this flow sees."""
        return self.group - self.early_size * sum(self.leaves_before(k) for k in range(flow + 1))


SIZES = {"S": WaveGlowConfig(64), "M": WaveGlowConfig(128), "L": WaveGlowConfig(256)}


class MelUpsampler(nn.Module):
    """A transposed convolution to the sample rate, then grouped as the samples are: (B, 80, F) -> (B, 80 group, hop F / group)."""

    def __init__(self, config: WaveGlowConfig):
        super().__init__()
        self.hop_length, self.group = config.hop_length, config.group
        self.transposed = nn.ConvTranspose1d(config.n_mels, config.n_mels, config.upsample_kernel, stride=config.hop_length)

    def forward(self, mel: Tensor) -> Tensor:
        spread = self.transposed(mel)[..., : mel.shape[-1] * self.hop_length]
        batch, bands, _ = spread.shape  # pruned: fewer than the mel's
        return spread.reshape(batch, bands, -1, self.group).transpose(2, 3).reshape(batch, bands * self.group, -1)


class WaveNet(nn.Module):
    """What one half of the channels and the mel say of the other: half (B, c, T), mel (B, 80 group, T) -> shift and log scale, both (B, c, T).

    Gated dilated convolutions as in WaveNet, but not causal. Only `end` is without weight norm; at zero it makes the flow begin as the identity.
    """

    def __init__(self, half: int, config: WaveGlowConfig):
        super().__init__()
        c, last = config.channels, config.layers - 1
        self.limit = config.log_scale_limit
        self.start = weight_norm(nn.Conv1d(half, c, 1))
        self.condition = weight_norm(nn.Conv1d(config.n_mels * config.group, 2 * c * config.layers, 1))
        self.dilated = nn.ModuleList(weight_norm(nn.Conv1d(c, 2 * c, 3, dilation=2**i, padding=2**i)) for i in range(config.layers))
        self.output = nn.ModuleList(weight_norm(nn.Conv1d(c, 2 * c if i < last else c, 1)) for i in range(config.layers))
        self.end = nn.Conv1d(c, 2 * half, 1)
        nn.init.zeros_(self.end.weight)
        nn.init.zeros_(self.end.bias)  # type: ignore[arg-type]

    def forward(self, half: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        x, skips = self.start(half), []
        channels, conditions = x.shape[1], self.condition(mel)
        for i, (dilated, output) in enumerate(zip(self.dilated, self.output, strict=True)):
            hidden = dilated(x) + conditions[:, 2 * channels * i : 2 * channels * (i + 1)]
            gated = output(torch.tanh(hidden[:, :channels]) * torch.sigmoid(hidden[:, channels:]))
            if i < len(self.output) - 1:
                x = x + gated[:, :channels]
                gated = gated[:, channels:]
            skips.append(gated)
        shift, log_scale = self.end(pairwise_sum(skips)).chunk(2, dim=1)
        return shift, log_scale.clamp(-self.limit, self.limit)


def _mixing(channels: int) -> nn.Conv1d:
    """An invertible 1x1 convolution, (B, C, T) -> (B, C, T), that begins as a rotation."""
    layer = nn.Conv1d(channels, channels, 1, bias=False)
    nn.init.orthogonal_(layer.weight)
    with torch.no_grad():  # of the two kinds of orthogonal matrix, that of determinant 1
        layer.weight[:, 0] *= torch.linalg.det(layer.weight.squeeze(-1)).sign()
    return layer


def _unmixing(mixing: nn.Conv1d) -> nn.Conv1d:
    """The inverse of a mixing as it is now. Its matrix follows from a weight and is none itself: no state dict has it."""
    layer = nn.Conv1d(mixing.in_channels, mixing.out_channels, 1, bias=False, device="meta")
    del layer.weight
    layer.register_buffer("weight", torch.linalg.inv(mixing.weight.detach().squeeze(-1).double()).float().unsqueeze(-1), persistent=False)
    return layer


class Flow(nn.Module):
    """x: (B, C, T), mel: (B, 80 group, T) -> the transformed x, and the logarithm of the determinant, of the whole batch."""

    def __init__(self, channels: int, config: WaveGlowConfig):
        super().__init__()
        self.mix, self.wavenet = _mixing(channels), WaveNet(channels // 2, config)

    def forward(self, x: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = self.mix(x).chunk(2, dim=1)
        shift, log_scale = self.wavenet(kept, mel)
        of_mixing = torch.linalg.slogdet(self.mix.weight.squeeze(-1)).logabsdet * (x.shape[0] * x.shape[2])
        changed = torch.addcmul(shift, changed, torch.exp(log_scale))
        return torch.cat([kept, changed], dim=1), torch.stack([log_scale.sum(), of_mixing])


class InverseFlow(nn.Module):
    """What undoes a Flow: (B, C, T) -> (B, C, T), with the flow's own WaveNet."""

    def __init__(self, flow: Flow):
        super().__init__()
        self.mix, self.wavenet = _unmixing(flow.mix), flow.wavenet

    def forward(self, x: Tensor, mel: Tensor) -> Tensor:
        kept, changed = x.chunk(2, dim=1)
        shift, log_scale = self.wavenet(kept, mel)
        changed = (changed - shift) / torch.exp(log_scale)
        return self.mix(torch.cat([kept, changed], dim=1))


class WaveGlow(nn.Module):
    """The whole network, as trained."""

    def __init__(self, config: WaveGlowConfig):
        super().__init__()
        self.config = config
        self.upsampler = MelUpsampler(config)
        self.flows = nn.ModuleList(Flow(config.width(k), config) for k in range(config.flows))

    def forward(self, waveform: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """waveform: float32 (B, 1, hop F), mel: float32 (B, 80, F) -> latent: float32 (B, 1, hop F), and log determinants, whose sum is the batch's."""
        early, determinants = [], []
        x, condition = _group(waveform, self.config.group), self.upsampler(mel)
        for k, flow in enumerate(self.flows):
            if self.config.leaves_before(k):
                leaving, x = x.split([self.config.early_size, x.shape[1] - self.config.early_size], dim=1)
                early.append(leaving)
            x, determinant = flow(x, condition)
            determinants.append(determinant)
        return _ungroup(torch.cat([*early, x], dim=1)), torch.cat(determinants)


class Inverse(nn.Module):
    """What ships: a WaveGlow, as it is when this is made, from noise to waveform."""

    def __init__(self, network: WaveGlow):
        super().__init__()
        self.config, self.upsampler = network.config, network.upsampler
        self.flows = nn.ModuleList(InverseFlow(flow) for flow in network.flows)  # type: ignore[arg-type]

    def forward(self, latent: Tensor, mel: Tensor) -> Tensor:
        """latent: float32 (B, 1, hop F), mel: float32 (B, 80, F) -> waveform: float32 (B, 1, hop F)."""
        config, condition = self.config, self.upsampler(mel)
        last = config.width(config.flows - 1)
        *early, x = _group(latent, config.group).split([*[config.early_size] * ((config.group - last) // config.early_size), last], dim=1)
        for k in reversed(range(config.flows)):
            x = self.flows[k](x, condition)
            if config.leaves_before(k):
                x = torch.cat([early.pop(), x], dim=1)
        return _ungroup(x)


def _group(waveform: Tensor, group: int) -> Tensor:
    """(B, 1, T) -> (B, group, T / group): neighbours in time as channels."""
    return waveform.reshape(waveform.shape[0], -1, group).transpose(1, 2)


def _ungroup(x: Tensor) -> Tensor:
    """(B, group, T / group) -> (B, 1, T)."""
    return x.transpose(1, 2).reshape(x.shape[0], 1, -1)


def inverse_form(network: nn.Module, config: WaveGlowConfig, frames: int = 8) -> list[Form]:
    """What ships. All conditions would be 1.5 MB a frame (S) if a graph of their own handed them over, so there is but one graph."""
    assert isinstance(network, WaveGlow)
    latent, mel = torch.randn(1, 1, frames * config.hop_length), torch.rand(1, config.n_mels, frames)
    return [Form("network", Inverse(network), {"latent": latent, "mel": mel}, {"latent": {2: config.hop_length}, "mel": {2: 1}}, ("waveform",))]


def forward_form(network: nn.Module, config: WaveGlowConfig, frames: int = 8) -> list[Form]:
    """What is trained: the upsampler and the WaveNets of the inverse, at the same paths."""
    inputs: dict[str, Nested] = {"waveform": 0.1 * torch.randn(1, 1, frames * config.hop_length), "mel": torch.rand(1, config.n_mels, frames)}
    return [Form("forward", network, inputs, {"waveform": {2: config.hop_length}, "mel": {2: 1}}, ("latent", "log_determinants"))]


def _inputs(config: WaveGlowConfig, frames: int) -> tuple[Tensor, ...]:
    return torch.zeros(1, 1, frames * config.hop_length), torch.zeros(1, config.n_mels, frames)


_AUDIO = "it is the waveform on its way from noise, which 8 bits would cover with noise of their own"
_LAYERS = {
    "mix": "its matrix is inverted for synthesis, and the integers of an inverse are not the inverse of the integers",
    "wavenet.start": "its input is the waveform, which 8 bits would cover with noise of their own",
    "wavenet.end": "its output shifts and scales the waveform, in one flow after the other",
}


def _floats(config: WaveGlowConfig) -> dict[str, str]:
    layers = {f"flows.{k}.{path}": why for k in range(config.flows) for path, why in _LAYERS.items()}
    return {"input:latent": _AUDIO, "input:waveform": _AUDIO, **layers}


FAMILY = Family(
    name="waveglow",
    title="WaveGlow",
    config=WaveGlowConfig,
    network=WaveGlow,
    sizes=SIZES,
    inputs=_inputs,
    objective=lambda config, front_end: LikelihoodObjective(),
    objective_name="likelihood",
    sampler=lambda config: {"name": "waveglow", "sigma": 1.0},
    plan=TrainingPlan(batch_size=8, frames=32, learning_rate=4e-4, every=200),
    forms=inverse_form,
    compose=lambda config, graphs: lambda waveform, mel: graphs["forward"](waveform, mel),
    training_forms=forward_form,
    floats=_floats,
)
