"""Adversaries: a family's discriminators and the two losses of its paper; and training with one."""

from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import Checkpoint
from .losses import MelLoss
from .objectives import Objective
from .plan import TrainingPlan
from .segments import Batch
from .training import Training

Maps = list[list[Tensor]]
"""For each discriminator its feature maps, the last of them the score."""


class Adversary(nn.Module):
    """Discriminators and the losses they make. `discriminators`: waveform (B, 1, T) -> Maps."""

    discriminators: nn.Module

    def discriminator_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """What the discriminators minimise; output and target: float (B, 1, T), output without gradient."""
        raise NotImplementedError

    def generator_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """What the vocoder minimises; output and target: float (B, 1, T)."""
        raise NotImplementedError

    def maps(self, output: Tensor, target: Tensor) -> tuple[Maps, Maps]:
        """Maps of the output, and of the target without gradient."""
        with torch.no_grad():
            real = self.discriminators(target)
        return self.discriminators(output), real


class MelGANAdversary(Adversary):
    """Hinge loss, and 10 x feature matching, L1 over all maps but the scores (Kumar et al. 2019, eq. 1 to 4, and public code)."""

    def __init__(self, channels: int = 16, widest: int = 1024):
        super().__init__()
        from .melgan_discriminator import MelGANDiscriminators

        self.discriminators = MelGANDiscriminators(channels, widest)

    def discriminator_loss(self, output: Tensor, target: Tensor) -> Tensor:
        fake, real = self.discriminators(output), self.discriminators(target)
        return _sum((1 - r[-1]).relu().mean() + (1 + f[-1]).relu().mean() for f, r in zip(fake, real, strict=True))

    def generator_loss(self, output: Tensor, target: Tensor) -> Tensor:
        fake, real = self.maps(output, target)
        weight = 4 / (4 + 1) / len(fake)  # 4 strided layers, as in the public code: 0.2667 with three scales
        matching = _sum((a - b).abs().mean() for f, r in zip(fake, real, strict=True) for a, b in zip(f[:-1], r[:-1], strict=True))
        return 10 * weight * matching - _sum(f[-1].mean() for f in fake)


class HiFiGANAdversary(Adversary):
    """Least squares, 2 x feature matching over all maps, 45 x log-mel L1 (Kong et al. 2020, eq. 1 to 7, and public code)."""

    def __init__(self, sample_rate: int = 16000, narrower: int = 1):
        super().__init__()
        from .hifigan_discriminator import HiFiGANDiscriminators

        self.discriminators = HiFiGANDiscriminators(narrower)
        self.mel_loss = MelLoss(sample_rate)

    def discriminator_loss(self, output: Tensor, target: Tensor) -> Tensor:
        fake, real = self.discriminators(output), self.discriminators(target)
        return _sum((1 - r[-1]).square().mean() + f[-1].square().mean() for f, r in zip(fake, real, strict=True))

    def generator_loss(self, output: Tensor, target: Tensor) -> Tensor:
        fake, real = self.maps(output, target)
        matching = _sum((a - b).abs().mean() for f, r in zip(fake, real, strict=True) for a, b in zip(f, r, strict=True))
        return _sum((1 - f[-1]).square().mean() for f in fake) + 2 * matching + 45 * self.mel_loss(output, target)


def _sum(terms: Any) -> Tensor:
    return torch.stack(list(terms)).sum()


class AdversarialTraining(Training):
    """A vocoder against its discriminators: each step first theirs, then its own. Validates with the spectral objective."""

    unused_parameters = True  # of two backward passes a step, each leaves the other side out

    def __init__(
        self, network: nn.Module, adversary: Adversary, objective: Objective, plan: TrainingPlan, validation: list[Batch], checkpoint: Checkpoint | None = None
    ):
        super().__init__(network, objective, plan, validation, checkpoint)
        self.adversary = adversary
        self.automatic_optimization = False

    def configure_optimizers(self) -> Any:
        return [self.make_optimizer(self.network), self.make_optimizer(self.adversary)]

    def training_step(self, batch: Batch, _index: int) -> None:
        self.set_learning_rate()
        optimizers: Any = self.optimizers()
        output = self.network(batch.mel)
        self.step_by_hand(optimizers[1], self.adversary.discriminator_loss(output.detach(), batch.waveform))
        self.adversary.requires_grad_(False)  # saves their half of the backward pass
        loss = self.adversary.generator_loss(output, batch.waveform)
        self.step_by_hand(optimizers[0], loss)
        self.adversary.requires_grad_(True)
        self.last_loss = loss.detach()
