"""WaveGrad as two public code bases have it, narrow, with the names that their checkpoints have; written anew for the tests."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FACTORS = (5, 5, 3, 2, 2)
DILATIONS = ((1, 2, 1, 2), (1, 2, 1, 2), (1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8))
UP, DOWN = (8, 6, 6, 4, 4, 2), (4, 2, 4, 6, 8)  # widths: first, then of each block


def conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel // 2))


def act(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def code(level: Tensor, width: int, speed: float) -> Tensor:
    """level (B,) -> (B, width, 1): sin | cos of speed * level * 1e-4^(i / n)."""
    angles = speed * level.double()[:, None] * 1e-4 ** (torch.arange(width // 2).double() / (width // 2))
    return torch.cat([angles.sin(), angles.cos()], 1).float()[:, :, None]


# --- lmnt -------------------------------------------------------------------------------------------------------------------------


class LmntFiLM(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.input_conv, self.output_conv = conv(inputs, inputs, 3), conv(inputs, 2 * outputs, 3)

    def forward(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        x = act(self.input_conv(x))
        shift, scale = self.output_conv(x + code(level, x.shape[1], 1.0)).chunk(2, 1)
        return shift, scale


class LmntUp(nn.Module):
    def __init__(self, inputs: int, outputs: int, factor: int, dilations: Sequence[int]):
        super().__init__()
        self.factor = factor
        self.block1 = conv(inputs, outputs, 1)
        self.block2 = nn.ModuleList([conv(inputs, outputs, 3, dilations[0]), conv(outputs, outputs, 3, dilations[1])])
        self.block3 = nn.ModuleList([conv(outputs, outputs, 3, dilations[2]), conv(outputs, outputs, 3, dilations[3])])

    def forward(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        size = x.shape[-1] * self.factor
        y = self.block2[0](F.interpolate(act(x), size=size))
        x = self.block1(F.interpolate(x, size=size)) + self.block2[1](act(shift + scale * y))
        y = self.block3[0](act(shift + scale * x))
        return x + self.block3[1](act(shift + scale * y))


class LmntDown(nn.Module):
    def __init__(self, inputs: int, outputs: int, factor: int):
        super().__init__()
        self.factor, self.residual_dense = factor, conv(inputs, outputs, 1)
        self.conv = nn.ModuleList(conv(inputs if i == 0 else outputs, outputs, 3, d) for i, d in enumerate((1, 2, 4)))

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-1] // self.factor
        y = F.interpolate(x, size=size)
        for layer in self.conv:
            y = layer(act(y))
        return y + F.interpolate(self.residual_dense(x), size=size)


class LmntWaveGrad(nn.Module):
    """audio (B, T), mel (B, n_mels, F), level (B,) -> noise (B, 1, T)."""

    def __init__(self, n_mels: int = 16):
        super().__init__()
        self.downsample = nn.ModuleList([conv(1, DOWN[0], 5), *(LmntDown(i, o, f) for i, o, f in zip(DOWN[:-1], DOWN[1:], FACTORS[:0:-1], strict=True))])
        self.film = nn.ModuleList(LmntFiLM(i, o) for i, o in zip(DOWN, reversed(UP[1:]), strict=True))
        self.upsample = nn.ModuleList(LmntUp(*sizes) for sizes in zip(UP[:-1], UP[1:], FACTORS, DILATIONS, strict=True))
        self.first_conv, self.last_conv = conv(n_mels, UP[0], 3), conv(UP[-1], 1, 3)

    def forward(self, audio: Tensor, mel: Tensor, level: Tensor) -> Tensor:
        x, modulations = audio[:, None], []
        for layer, film in zip(self.downsample, self.film, strict=True):
            x = layer(x)
            modulations.append(film(x, level))
        x = self.first_conv(mel)
        for layer, modulation in zip(self.upsample, reversed(modulations), strict=True):
            x = layer(x, *modulation)
        return self.last_conv(x)


# --- ivanvovk ---------------------------------------------------------------------------------------------------------------------


class Wrapped(nn.Module):
    """A convolution one level below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1):
        super().__init__()
        self.conv1d = conv(inputs, outputs, kernel, dilation)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1d(x)


class Resample(nn.Module):
    def __init__(self, up: int = 1, down: int = 1):
        super().__init__()
        self.up, self.down = up, down

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, size=x.shape[-1] * self.up // self.down, mode="linear", align_corners=False)


class Activated(nn.Module):
    def __init__(self, inputs: int, outputs: int, dilation: int):
        super().__init__()
        self.convolution = Wrapped(inputs, outputs, 3, dilation)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(act(x))


class IvanvovkUp(nn.Module):
    def __init__(self, inputs: int, outputs: int, factor: int, d: Sequence[int]):
        super().__init__()
        upsampling = nn.Sequential(nn.LeakyReLU(0.2), Resample(up=factor), Wrapped(inputs, outputs, 3, d[0]))
        self.first_block_main_branch = nn.ModuleDict({"upsampling": upsampling, "modulation": Activated(outputs, outputs, d[1])})
        self.first_block_residual_branch = nn.Sequential(Wrapped(inputs, outputs, 1), Resample(up=factor))
        self.second_block_main_branch = nn.ModuleDict({f"modulation_{i}": Activated(outputs, outputs, d[2 + i]) for i in range(2)})

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        y = self.first_block_main_branch["upsampling"](x)
        y = self.first_block_main_branch["modulation"](scale * y + shift) + self.first_block_residual_branch(x)
        z = self.second_block_main_branch["modulation_0"](scale * y + shift)
        return y + self.second_block_main_branch["modulation_1"](scale * z + shift)


class IvanvovkDown(nn.Module):
    def __init__(self, inputs: int, outputs: int, factor: int):
        super().__init__()
        self.main_branch = nn.Sequential(Resample(down=factor), *(Activated(inputs if d == 1 else outputs, outputs, d) for d in (1, 2, 4)))
        self.residual_branch = nn.Sequential(Wrapped(inputs, outputs, 1), Resample(down=factor))

    def forward(self, x: Tensor) -> Tensor:
        return self.main_branch(x) + self.residual_branch(x)


class IvanvovkFiLM(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.signal_conv = nn.Sequential(Wrapped(inputs, inputs, 3), nn.LeakyReLU(0.2))
        self.scale_conv, self.shift_conv = Wrapped(inputs, outputs, 3), Wrapped(inputs, outputs, 3)

    def forward(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        x = self.signal_conv(x) + code(level, x.shape[1], 5000.0)
        return self.scale_conv(x), self.shift_conv(x)


class IvanvovkWaveGrad(nn.Module):
    """mel (B, n_mels, F), audio (B, T), level (B,) -> noise (B, T)."""

    def __init__(self, n_mels: int = 16):
        super().__init__()
        self.ublock_preconv, self.ublock_postconv, self.dblock_preconv = Wrapped(n_mels, UP[0], 3), Wrapped(UP[-1], 1, 3), Wrapped(1, DOWN[0], 5)
        self.ublocks = nn.ModuleList(IvanvovkUp(*sizes) for sizes in zip(UP[:-1], UP[1:], FACTORS, DILATIONS, strict=True))
        self.dblocks = nn.ModuleList(IvanvovkDown(*sizes) for sizes in zip(DOWN[:-1], DOWN[1:], FACTORS[:0:-1], strict=True))
        self.films = nn.ModuleList(IvanvovkFiLM(i, o) for i, o in zip(DOWN, reversed(UP[1:]), strict=True))

    def forward(self, mel: Tensor, audio: Tensor, level: Tensor) -> Tensor:
        x = self.dblock_preconv(audio[:, None])
        modulations = [self.films[0](x, level)]
        for down, film in zip(self.dblocks, self.films[1:], strict=True):
            x = down(x)
            modulations.append(film(x, level))
        x = self.ublock_preconv(mel)
        for up in self.ublocks:
            x = up(x, *modulations.pop())
        return self.ublock_postconv(x)[:, 0]
