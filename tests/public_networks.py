"""The generators of public code bases as they are described, small, with the names that their checkpoints have; written anew for the tests."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import weight_norm


def seeded(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights that are neither tiny nor zero, and weight norms that are not the lengths of their directions."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("weight_g"):
                parameter.mul_(1 + torch.rand(parameter.shape, generator=generator))
            elif name.endswith("bias"):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
            elif name.endswith("weight"):
                fan = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / math.sqrt(fan))
    return network.eval()


def conv(inputs: int, outputs: int, kernel: int, dilation: int = 1, padded: bool = True) -> nn.Module:
    return weight_norm(nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2 if padded else 0))


def up(inputs: int, outputs: int, kernel: int, rate: int) -> nn.Module:
    """As ParallelWaveGAN and MelGAN pad it, and HiFi-GAN where kernel and rate are even."""
    odd = (kernel - rate) % 2
    return weight_norm(nn.ConvTranspose1d(inputs, outputs, kernel, rate, padding=(kernel - rate) // 2 + odd, output_padding=odd))


# --- HiFi-GAN of jik876 -------------------------------------------------------------------------------------------------------


class Jik876Block(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: Sequence[int], kind: str):
        super().__init__()
        if kind == "1":
            self.convs1 = nn.ModuleList(conv(channels, channels, kernel, d) for d in dilations)
            self.convs2 = nn.ModuleList(conv(channels, channels, kernel) for _ in dilations)
        else:
            self.convs = nn.ModuleList(conv(channels, channels, kernel, d) for d in dilations)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "2":
            for c in self.convs:
                x = x + c(F.leaky_relu(x, 0.1))
            return x
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = x + second(F.leaky_relu(first(F.leaky_relu(x, 0.1)), 0.1))
        return x


class Jik876(nn.Module):
    """`h`: config.json."""

    def __init__(self, h: dict):
        super().__init__()
        channels = h["upsample_initial_channel"]
        self.conv_pre, self.kernels = conv(80, channels, 7), len(h["resblock_kernel_sizes"])
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(h["upsample_rates"], h["upsample_kernel_sizes"], strict=True):
            channels //= 2
            self.ups.append(weight_norm(nn.ConvTranspose1d(2 * channels, channels, kernel, rate, padding=(kernel - rate) // 2)))
            for k, d in zip(h["resblock_kernel_sizes"], h["resblock_dilation_sizes"], strict=True):
                self.resblocks.append(Jik876Block(channels, k, d, h["resblock"]))
        self.conv_post = conv(channels, 1, 7)

    def forward(self, mel: Tensor) -> Tensor:
        x = self.conv_pre(mel)
        for i, upsample in enumerate(self.ups):
            x = upsample(F.leaky_relu(x, 0.1))
            x = sum(self.resblocks[i * self.kernels + j](x) for j in range(self.kernels)) / self.kernels
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


# --- MelGAN -------------------------------------------------------------------------------------------------------------------


class DescriptBlock(nn.Module):
    """Also ParallelWaveGAN's, under other names."""

    def __init__(self, channels: int, dilation: int, names: tuple[str, str] = ("block", "shortcut"), kernel: int = 3, slope: float = 0.2):
        super().__init__()
        act, pad = nn.LeakyReLU(slope), nn.ReflectionPad1d(dilation * (kernel - 1) // 2)
        self.names = names
        setattr(self, names[0], nn.Sequential(act, pad, conv(channels, channels, kernel, dilation, False), nn.LeakyReLU(slope), conv(channels, channels, 1)))
        setattr(self, names[1], conv(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self.names[1])(x) + getattr(self, self.names[0])(x)


def melgan_layers(
    channels: int, ratios: Sequence[int], blocks: int, names: tuple[str, str] = ("block", "shortcut"), kernel: int = 3, slope: float = 0.2
) -> nn.Sequential:
    layers: list[nn.Module] = [nn.ReflectionPad1d(3), conv(80, channels, 7, padded=False)]
    for ratio in ratios:
        channels //= 2
        layers += [nn.LeakyReLU(slope), up(2 * channels, channels, 2 * ratio, ratio)]
        layers += [DescriptBlock(channels, kernel**j, names, kernel, slope) for j in range(blocks)]
    return nn.Sequential(*layers, nn.LeakyReLU(slope), nn.ReflectionPad1d(3), conv(channels, 1, 7, padded=False), nn.Tanh())


class Descript(nn.Module):
    def __init__(self, ngf: int, blocks: int, ratios: Sequence[int] = (8, 8, 2, 2)):
        super().__init__()
        self.model = melgan_layers(ngf * 2 ** len(ratios), ratios, blocks)

    def forward(self, mel: Tensor) -> Tensor:
        return self.model(mel)


class KanBayashiMelGAN(nn.Module):
    def __init__(self, channels: int, ratios: Sequence[int], stacks: int, kernel: int, slope: float):
        super().__init__()
        self.melgan = melgan_layers(channels, ratios, stacks, ("stack", "skip_layer"), kernel, slope)

    def forward(self, mel: Tensor) -> Tensor:
        return self.melgan(mel)


class Stack(nn.Module):
    def __init__(self, channels: int, blocks: int):
        super().__init__()

        def block(d: int) -> nn.Sequential:
            parts = (nn.LeakyReLU(0.2), nn.ReflectionPad1d(d), conv(channels, channels, 3, d, False), nn.LeakyReLU(0.2), conv(channels, channels, 1))
            return nn.Sequential(*parts)

        self.blocks = nn.ModuleList(block(3**i) for i in range(blocks))
        self.shortcuts = nn.ModuleList(conv(channels, channels, 1) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        for block, shortcut in zip(self.blocks, self.shortcuts, strict=True):
            x = shortcut(x) + block(x)
        return x


class Seungwonpark(nn.Module):
    """Takes the mel as it is computed, and normalises it itself."""

    def __init__(self, channels: int = 32, blocks: int = 3):
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad1d(3), conv(80, channels, 7, padded=False)]
        for ratio in (8, 8, 2, 2):
            channels //= 2
            layers += [nn.LeakyReLU(0.2), up(2 * channels, channels, 2 * ratio, ratio), Stack(channels, blocks)]
        self.generator = nn.Sequential(*layers, nn.LeakyReLU(0.2), nn.ReflectionPad1d(3), conv(channels, 1, 7, padded=False), nn.Tanh())

    def forward(self, mel: Tensor) -> Tensor:
        return self.generator((mel + 5.0) / 5.0)


# --- HiFi-GAN of ParallelWaveGAN ------------------------------------------------------------------------------------------------


class KanBayashiBlock(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: Sequence[int], additional: bool, slope: float):
        super().__init__()
        self.convs1 = nn.ModuleList(nn.Sequential(nn.LeakyReLU(slope), conv(channels, channels, kernel, d)) for d in dilations)
        self.convs2 = nn.ModuleList(nn.Sequential(nn.LeakyReLU(slope), conv(channels, channels, kernel)) for _ in dilations) if additional else None

    def forward(self, x: Tensor) -> Tensor:
        for i, first in enumerate(self.convs1):
            y = first(x)
            x = x + (self.convs2[i](y) if self.convs2 is not None else y)
        return x


class KanBayashiHiFiGAN(nn.Module):
    """`p`: generator_params."""

    def __init__(self, p: dict):
        super().__init__()
        channels, slope = p["channels"], p["nonlinear_activation_params"]["negative_slope"]
        self.input_conv, self.count = conv(80, channels, 7), len(p["resblock_kernel_sizes"])
        self.upsamples, self.blocks = nn.ModuleList(), nn.ModuleList()
        for scale in p["upsample_scales"]:
            channels //= 2
            self.upsamples.append(nn.Sequential(nn.LeakyReLU(slope), up(2 * channels, channels, 2 * scale, scale)))
            for k, d in zip(p["resblock_kernel_sizes"], p["resblock_dilations"], strict=True):
                self.blocks.append(KanBayashiBlock(channels, k, d, p["use_additional_convs"], slope))
        self.output_conv = nn.Sequential(nn.LeakyReLU(), conv(channels, 1, 7), nn.Tanh())

    def forward(self, mel: Tensor) -> Tensor:
        x = self.input_conv(mel)
        for i, upsample in enumerate(self.upsamples):
            x = upsample(x)
            x = sum(self.blocks[i * self.count + j](x) for j in range(self.count)) / self.count
        return self.output_conv(x)


# --- DiffWave of lmnt -----------------------------------------------------------------------------------------------------------


class LmntLayer(nn.Module):
    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.dilated_conv = nn.Conv1d(channels, 2 * channels, 3, padding=dilation, dilation=dilation)
        self.diffusion_projection = nn.Linear(512, channels)
        self.conditioner_projection = nn.Conv1d(80, 2 * channels, 1)
        self.output_projection = nn.Conv1d(channels, 2 * channels, 1)

    def forward(self, x: Tensor, mel: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        y = self.dilated_conv(x + self.diffusion_projection(embedding)[:, :, None]) + self.conditioner_projection(mel)
        gate, filtered = y.chunk(2, 1)
        residual, skip = self.output_projection(torch.sigmoid(gate) * torch.tanh(filtered)).chunk(2, 1)
        return (x + residual) / math.sqrt(2), skip


class Lmnt(nn.Module):
    """audio (B, T), step float (B,), mel (B, 80, F) -> noise (B, 1, T)."""

    def __init__(self, channels: int, layers: int, cycle: int):
        super().__init__()
        self.input_projection = nn.Conv1d(1, channels, 1)
        self.diffusion_embedding = nn.Module()
        self.diffusion_embedding.projection1, self.diffusion_embedding.projection2 = nn.Linear(128, 512), nn.Linear(512, 512)
        self.spectrogram_upsampler = nn.Module()
        for name in ("conv1", "conv2"):
            setattr(self.spectrogram_upsampler, name, nn.ConvTranspose2d(1, 1, (3, 32), stride=(1, 16), padding=(1, 8)))
        self.residual_layers = nn.ModuleList(LmntLayer(channels, 2 ** (i % cycle)) for i in range(layers))
        self.skip_projection = nn.Conv1d(channels, channels, 1)
        self.output_projection = nn.Conv1d(channels, 1, 1)

    def forward(self, audio: Tensor, step: Tensor, mel: Tensor) -> Tensor:
        angles = torch.arange(50)[:, None] * 10.0 ** (torch.arange(64).double() * 4.0 / 63.0)  # there in float32, which angles of 5e5 lose digits in
        table = torch.cat([angles.sin(), angles.cos()], 1).float()
        low, high = table[step.floor().long()], table[step.ceil().long()]
        embedding = low + (high - low) * (step - step.floor())[:, None]
        embedding = F.silu(self.diffusion_embedding.projection2(F.silu(self.diffusion_embedding.projection1(embedding))))
        image = mel[:, None]
        for upsample in (self.spectrogram_upsampler.conv1, self.spectrogram_upsampler.conv2):
            image = F.leaky_relu(upsample(image), 0.4)
        x, total = F.relu(self.input_projection(audio[:, None])), torch.zeros(())
        for layer in self.residual_layers:
            x, skip = layer(x, image[:, 0], embedding)
            total = total + skip
        return self.output_projection(F.relu(self.skip_projection(total / math.sqrt(len(self.residual_layers)))))


# --- WaveGlow of NVIDIA -----------------------------------------------------------------------------------------------------------


class WN(nn.Module):
    def __init__(self, half: int, mels: int, layers: int, channels: int):
        super().__init__()
        self.channels = channels
        self.start, self.end = weight_norm(nn.Conv1d(half, channels, 1)), nn.Conv1d(channels, 2 * half, 1)
        self.cond_layer = weight_norm(nn.Conv1d(mels, 2 * channels * layers, 1))
        self.in_layers = nn.ModuleList(weight_norm(nn.Conv1d(channels, 2 * channels, 3, dilation=2**i, padding=2**i)) for i in range(layers))
        widths = [2 * channels] * (layers - 1) + [channels]
        self.res_skip_layers = nn.ModuleList(weight_norm(nn.Conv1d(channels, width, 1)) for width in widths)

    def forward(self, audio: Tensor, mel: Tensor) -> Tensor:
        x, total, n = self.start(audio), torch.zeros(()), self.channels
        conditions = self.cond_layer(mel)
        for i, layer in enumerate(self.in_layers):
            y = layer(x) + conditions[:, 2 * n * i : 2 * n * (i + 1)]
            y = self.res_skip_layers[i](torch.tanh(y[:, :n]) * torch.sigmoid(y[:, n:]))
            if i < len(self.in_layers) - 1:
                x, y = x + y[:, :n], y[:, n:]
            total = total + y
        return self.end(total)


class Invertible1x1Conv(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 1, bias=False)


class WaveGlow(nn.Module):
    """Forward: mel (B, n_mels, F), audio (B, 256 F) -> latent (B, group, 256 F / group) and the sum of log s."""

    def __init__(self, n_mels: int = 80, flows: int = 4, group: int = 8, every: int = 2, layers: int = 2, channels: int = 4):
        super().__init__()
        self.group, self.every = group, every
        self.upsample = nn.ConvTranspose1d(n_mels, n_mels, 1024, stride=256)
        widths = [group - 2 * (k // every) for k in range(flows)]
        self.convinv = nn.ModuleList(Invertible1x1Conv(c) for c in widths)
        self.WN = nn.ModuleList(WN(c // 2, n_mels * group, layers, channels) for c in widths)

    def forward(self, mel: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        mel = self.upsample(mel)[:, :, : audio.shape[1]].unfold(2, self.group, self.group).permute(0, 2, 1, 3)
        mel = mel.reshape(mel.shape[0], mel.shape[1], -1).permute(0, 2, 1)
        x, out, logs = audio.unfold(1, self.group, self.group).permute(0, 2, 1), [], torch.zeros(())
        for k, (mix, wavenet) in enumerate(zip(self.convinv, self.WN, strict=True)):
            if k > 0 and k % self.every == 0:
                out.append(x[:, :2])
                x = x[:, 2:]
            first, second = mix.conv(x).chunk(2, 1)
            shift, log_s = wavenet(first, mel).chunk(2, 1)
            x, logs = torch.cat([first, second * log_s.exp() + shift], 1), logs + log_s.sum()
        return torch.cat([*out, x], 1), logs


# --- WaveFlow of L0SG -------------------------------------------------------------------------------------------------------------


class L0sgConv(nn.Module):
    """Causal in height (both sides are padded, the end is cut), centred in width."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1):
        super().__init__()
        self.cut = kernel - 1
        self.conv = weight_norm(nn.Conv2d(inputs, outputs, kernel, dilation=(1, dilation), padding=(kernel - 1, dilation * (kernel - 1) // 2)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x[:, :, : -self.cut] if self.cut else x


class L0sgBlock(nn.Module):
    def __init__(self, channels: int, mels: int, dilation: int):
        super().__init__()
        self.filter_gate_conv = L0sgConv(channels, 2 * channels, 3, dilation)
        self.filter_gate_conv_c, self.res_skip_conv = (weight_norm(nn.Conv2d(i, 2 * channels, 1)) for i in (mels, channels))

    def forward(self, x: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        filtered, gate = (self.filter_gate_conv(x) + self.filter_gate_conv_c(mel)).chunk(2, 1)
        residual, skip = self.res_skip_conv(torch.tanh(filtered) * torch.sigmoid(gate)).chunk(2, 1)
        return x + residual, skip


class L0sgFlow(nn.Module):
    def __init__(self, channels: int, mels: int, layers: int):
        super().__init__()
        self.coupling = nn.Module()
        self.coupling.net = nn.Module()
        self.coupling.net.front_conv = nn.Sequential(L0sgConv(1, channels, 1))
        self.coupling.net.res_blocks = nn.ModuleList(L0sgBlock(channels, mels, 2**i) for i in range(layers))
        self.coupling.proj_log_s_t = nn.Module()
        self.coupling.proj_log_s_t.conv = nn.Conv2d(channels, 2, 1)

    def forward(self, x: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        h, total = self.coupling.net.front_conv(x[:, :, :-1]), torch.zeros(())
        for block in self.coupling.net.res_blocks:
            h, skip = block(h, mel[:, :, 1:])
            total = total + skip
        log_s, t = self.coupling.proj_log_s_t.conv(total).chunk(2, 1)
        return torch.cat([x[:, :, :1], x[:, :, 1:] * log_s.exp() + t], 2).flip(2), log_s.sum()


class L0sgWaveFlow(nn.Module):
    """Forward: audio (B, T), mel (B, 80, F) -> latent (B, 1, height, T / height) and the sum of log s."""

    def __init__(self, channels: int = 4, height: int = 8, flows: int = 3, layers: int = 2):
        super().__init__()
        self.height = height
        self.flows = nn.ModuleList(L0sgFlow(channels, 80, layers) for _ in range(flows))
        ups = [weight_norm(nn.ConvTranspose2d(1, 1, (3, 32), stride=(1, 16), padding=(1, 8))) for _ in range(2)]
        self.upsample_conv = nn.ModuleList([ups[0], nn.LeakyReLU(0.4), ups[1], nn.LeakyReLU(0.4)])

    def forward(self, audio: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        image = mel[:, None]
        for layer in self.upsample_conv:
            image = layer(image)
        condition = image[:, 0].unflatten(2, (-1, self.height)).transpose(2, 3)
        x, logs = audio[:, None].unflatten(2, (-1, self.height)).transpose(2, 3), torch.zeros(())
        for flow in self.flows:
            x, log_s = flow(x, condition)
            condition, logs = condition.flip(2), logs + log_s
        return x, logs
