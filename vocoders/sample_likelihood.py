"""What a network is trained to do that gives one sample at a time: the likelihood of its level, or of its 16 bits in a mixture of logistics."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .objectives import Network
from .segments import Batch

LEAST_LOG_SCALE = math.log(1e-14)  # as fatchord/WaveRNN has it


class SampleObjective(nn.Module):
    """The negative log-likelihood of a sample given all before it, in nats (teacher forcing).

    The network takes the sample before each, (B, 1, T), the first 0, and the mel, and gives for mode RAW the logits of 2^`bits` levels, for MOL logits, means
    and logarithms of scales of a mixture, (B, channels, T) each.
    """

    def __init__(self, mode: str = "MOL", bits: int = 16, mu_law: bool = False):
        super().__init__()
        self._raw, self._bits, self._mu_law = mode == "RAW", bits if mode == "RAW" else 16, mu_law and mode == "RAW"

    def levels(self, waveform: Tensor) -> Tensor:
        """float32 (B, 1, T) in [-1, 1] -> int64 (B, T), 0 to 2^bits - 1, as fatchord/WaveRNN prepares its recordings."""
        most, x = 2**self._bits - 1, waveform[:, 0].clamp(-1, 1)
        if self._mu_law:
            compressed = x.sign() * torch.log1p(most * x.abs()) / math.log1p(most)
            return ((compressed + 1) / 2 * most + 0.5).floor().long()
        return ((x + 1) * most / 2).long()

    def seen(self, levels: Tensor) -> Tensor:
        """What the network sees of levels (B, T) as the sample before each: float32 (B, 1, T)."""
        values = 2 * levels.float() / (2**self._bits - 1) - 1
        return F.pad(values, (1, -1))[:, None]

    def loss(self, network: Network, batch: Batch) -> Tensor:
        levels = self.levels(batch.waveform)
        heads = network(self.seen(levels), batch.mel)
        if self._raw:
            return F.cross_entropy(heads[0], levels)
        return -mixture_log_likelihood(heads, levels).mean()


def mixture_log_likelihood(heads: Sequence[Tensor], levels: Tensor) -> Tensor:
    """Logits, means and log scales, (B, K, T) each, and levels of 16 bits (B, T) -> log-likelihood (B, T) (Salimans et al. 2017, eq. 2).

    A level's share of a logistic is sigmoid(above) - sigmoid(below) = sigmoid(above) sigmoid(-below) (1 - e^(below - above)); the lowest and the highest
    level have all that is beyond them.
    """
    logits, means, log_scales = heads
    log_scales = log_scales.clamp(min=LEAST_LOG_SCALE)
    centred, inverse = 2 * levels[:, None].float() / 65535 - 1 - means, torch.exp(-log_scales)
    above, below = inverse * (centred + 1 / 65535), inverse * (centred - 1 / 65535)
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-2 / 65535 * inverse))
    level = levels[:, None]
    share = torch.where(level == 0, F.logsigmoid(above), torch.where(level == 65535, F.logsigmoid(-below), inside))
    return torch.logsumexp(F.log_softmax(logits, 1) + share, 1)
