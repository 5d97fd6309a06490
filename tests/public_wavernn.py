"""The network of fatchord/WaveRNN as it is described, small, with the names that its checkpoints have; written anew for the tests."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from public_networks import seeded
from torch import Tensor, nn

from vcompress.runtime.random import RandomStream

Draw = Callable[[Tensor], float]


class ResBlock(nn.Module):
    def __init__(self, dims: int):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv1d(dims, dims, 1, bias=False) for _ in range(2))
        self.batch_norm1, self.batch_norm2 = (nn.BatchNorm1d(dims) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.batch_norm2(self.conv2(F.relu(self.batch_norm1(self.conv1(x)))))


class MelResNet(nn.Module):
    def __init__(self, blocks: int, mels: int, dims: int, outputs: int, pad: int):
        super().__init__()
        self.conv_in, self.batch_norm = nn.Conv1d(mels, dims, 2 * pad + 1, bias=False), nn.BatchNorm1d(dims)
        self.layers = nn.ModuleList(ResBlock(dims) for _ in range(blocks))
        self.conv_out = nn.Conv1d(dims, outputs, 1)

    def forward(self, mel: Tensor) -> Tensor:
        x = F.relu(self.batch_norm(self.conv_in(mel)))
        for layer in self.layers:
            x = layer(x)
        return self.conv_out(x)


class Repeat(nn.Module):
    def __init__(self, times: int):
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(self.times, -1)


class Upsample(nn.Module):
    """(B, mels, F + 2 pad) -> mel and aux at the sample rate, (B, channels, hop F) each."""

    def __init__(self, mels: int, factors: Sequence[int], dims: int, blocks: int, outputs: int, pad: int):
        super().__init__()
        self.hop, self.pad = math.prod(factors), pad
        self.resnet = MelResNet(blocks, mels, dims, outputs, pad)
        self.up_layers = nn.ModuleList()
        for factor in factors:
            self.up_layers += [Repeat(factor), nn.Conv2d(1, 1, (1, 2 * factor + 1), padding=(0, factor), bias=False)]

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        image = mel[:, None]
        for layer in self.up_layers:
            image = layer(image)
        return image[:, 0, :, self.pad * self.hop : -self.pad * self.hop], self.resnet(mel).repeat_interleave(self.hop, -1)


class FatchordWaveRNN(nn.Module):
    def __init__(
        self,
        outputs: int,
        units: int = 12,
        hidden: int = 10,
        factors: Sequence[int] = (2, 3),
        dims: int = 8,
        aux: int = 12,
        blocks: int = 2,
        pad: int = 2,
        mels: int = 16,
    ):
        super().__init__()
        self.pad, self.part, part = pad, aux // 4, aux // 4
        self.upsample = Upsample(mels, factors, dims, blocks, aux, pad)
        self.I = nn.Linear(mels + part + 1, units)
        self.rnn1, self.rnn2 = nn.GRU(units, units, batch_first=True), nn.GRU(units + part, units, batch_first=True)
        self.fc1, self.fc2, self.fc3 = nn.Linear(units + part, hidden), nn.Linear(hidden + part, hidden), nn.Linear(hidden, outputs)
        self.register_buffer("step", torch.tensor([800_000]))

    def conditions(self, mel: Tensor) -> tuple[Tensor, list[Tensor]]:
        """mel (B, mels, F) with frames of zeros around it -> at the sample rate its bands, and the four parts of aux."""
        bands, aux = self.upsample(F.pad(mel, (self.pad, self.pad)))
        return bands, [aux[:, i * self.part : (i + 1) * self.part] for i in range(4)]

    def forward(self, before: Tensor, mel: Tensor) -> Tensor:
        """As it is trained: the sample before each, (B, T) -> (B, outputs, T)."""
        bands, parts = (lambda b, p: (b.transpose(1, 2), [x.transpose(1, 2) for x in p]))(*self.conditions(mel))
        x = self.I(torch.cat([before[..., None], bands, parts[0]], 2))
        x = x + self.rnn1(x)[0]
        x = x + self.rnn2(torch.cat([x, parts[1]], 2))[0]
        x = F.relu(self.fc1(torch.cat([x, parts[2]], 2)))
        x = F.relu(self.fc2(torch.cat([x, parts[3]], 2)))
        return self.fc3(x).transpose(1, 2)

    def generate(self, mel: Tensor, draw: Draw) -> np.ndarray:
        """As it synthesizes, before the fade at the end: mel (1, mels, F) -> samples (hop F,), each by `draw` from its outputs."""
        cells = []
        for gru in (self.rnn1, self.rnn2):
            cell = nn.GRUCell(gru.input_size, gru.hidden_size)
            cell.load_state_dict({name.removesuffix("_l0"): value for name, value in gru.state_dict().items()})
            cells.append(cell)
        bands, parts = self.conditions(mel)
        first, second = (torch.zeros(1, self.rnn1.hidden_size) for _ in range(2))
        sample, samples = 0.0, []
        for t in range(bands.shape[2]):
            at = [part[:, :, t] for part in parts]
            x = self.I(torch.cat([torch.tensor([[sample]]), bands[:, :, t], at[0]], 1))
            first = cells[0](x, first)
            x = x + first
            second = cells[1](torch.cat([x, at[1]], 1), second)
            x = F.relu(self.fc1(torch.cat([x + second, at[2]], 1)))
            sample = draw(self.fc3(F.relu(self.fc2(torch.cat([x, at[3]], 1)))))
            samples.append(sample)
        return np.array(samples)


def fatchord(outputs: int, seed: int = 0, gain: float = 1.0, **sizes: int) -> FatchordWaveRNN:
    """With weights and batch norms that are not those of a fresh network; `gain` of the outputs."""
    network = seeded(FatchordWaveRNN(outputs, **sizes), seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if "batch_norm" in name and name.endswith("weight"):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif name.endswith("running_var"):
                tensor.copy_(0.2 + 2 * torch.rand(tensor.shape, generator=generator))
            elif name.endswith("running_mean"):
                tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
            elif "weight_" in name:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / math.sqrt(tensor.shape[1]))
            elif "bias_" in name:
                tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
        network.fc3.weight.mul_(gain)
    return network


def draw_level(seed: int) -> Draw:
    """RAW: the first level whose cumulative probability exceeds a uniform number, which is made of the project's words."""
    stream = RandomStream(seed)

    def draw(outputs: Tensor) -> float:
        cumulative = torch.softmax(outputs[0].double(), 0).cumsum(0)
        level = int(torch.searchsorted(cumulative, _uniform(stream) * cumulative[-1], right=True))
        return float(np.float32(2 * level / (len(cumulative) - 1) - 1))

    return draw


def draw_logistic(seed: int) -> Draw:
    """MOL: which logistic likewise, then its inverse cumulative distribution at a uniform number of 16 bits."""
    stream = RandomStream(seed)

    def draw(outputs: Tensor) -> float:
        logits, means, log_scales = outputs[0].double().chunk(3)
        cumulative = torch.softmax(logits, 0).cumsum(0)
        chosen = int(torch.searchsorted(cumulative, _uniform(stream) * cumulative[-1], right=True))
        u = (int(stream.words(1)[0] >> np.uint64(48)) + 0.5) / 2**16
        scale = math.exp(max(float(log_scales[chosen]), math.log(1e-14)))
        return float(min(max(float(means[chosen]) + scale * (math.log(u) - math.log(1 - u)), -1.0), 1.0))

    return draw


def _uniform(stream: RandomStream) -> float:
    return int(stream.words(1)[0] >> np.uint64(32)) / 2**32
