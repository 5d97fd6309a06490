"""The three stages in which SING is trained (Défossez et al. 2018, section 4): autoencoder, sequence generator, and both end to end."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpoint import Checkpoint
from .objectives import Objective
from .plan import TrainingPlan
from .segments import Batch
from .sing_network import SING, SINGConfig, State
from .training import Training
from .windowed import WindowedConv1d, begin_as_sines, begin_for_relu

STAGES = ("autoencoder", "sequence generator", "end to end")
ENDS = (0.4, 0.8, 1.0)  # of the budget; the paper's 50, 50 and 20 epochs take about as long
TRUNCATED = 32  # steps that gradients go back through, in the second stage


class Encoder(nn.Module):
    """What the decoder undoes: a waveform to the frames that the sequence generator learns to make. It is not kept."""

    def __init__(self, config: SINGConfig):
        super().__init__()
        c, margin = config.channels, config.kernel - config.hop_length + (config.context - 1) * config.hop_length // 2 + 2 * config.hop_length
        self.filters = WindowedConv1d(1, c, config.kernel, config.hop_length, margin)
        self.rewrites = nn.ModuleList(nn.Conv1d(c, c, 1) for _ in range(config.rewrites))
        self.projection = nn.Conv1d(c, config.dimension, 1)
        begin_as_sines(self.filters, 0.02)
        begin_for_relu(*self.rewrites, self.projection)  # type: ignore[arg-type]

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, 1, hop F) -> (B, dimension, F + lead)."""
        x = F.relu(self.filters(waveform))
        for layer in self.rewrites:
            x = F.relu(layer(x))
        return self.projection(x)


class StagedTraining(Training):
    """First encoder and decoder by D_STFT; then the generator by the mean squared difference of its frames from the encoder's, with gradients
    that go back through 32 steps; then generator and decoder together by D_STFT. Each has its part of the budget, its own optimiser and its own decay.

    Which stage it is follows from how much of the budget is used, so a training that goes on goes on in its stage.
    """

    def __init__(self, network: nn.Module, objective: Objective, plan: TrainingPlan, validation: list[Batch], checkpoint: Checkpoint):
        super().__init__(network, objective, plan, validation, checkpoint)
        self.encoder = Encoder(checkpoint.config)
        self.automatic_optimization = False

    @property
    def sing(self) -> SING:
        """The network."""
        assert isinstance(self.network, SING)
        return self.network

    @property
    def _stage(self) -> int:
        return next(stage for stage, end in enumerate(ENDS) if self.fraction < end or end == 1)

    @property
    def stage(self) -> str:
        """What is trained now, in words."""
        return f"stage {self._stage + 1} of {len(STAGES)}, {STAGES[self._stage]}"

    @property
    def decayed(self) -> float:
        """Part of the stage that is over."""
        start = (0.0, *ENDS)[self._stage]
        return (self.fraction - start) / (ENDS[self._stage] - start)

    def configure_optimizers(self) -> Any:
        parts = ([self.encoder, self.sing.decoder], [self.sing.generator], [self.sing])
        return [self.make_optimizer(nn.ModuleList(modules)) for modules in parts]

    def training_step(self, batch: Batch, _index: int) -> None:
        self.set_learning_rate()
        optimizers: Any = self.optimizers()
        stage = self._stage
        state: State | None = None
        if stage != 1:
            self._step(optimizers[stage], self._loss(stage, batch))
            return
        with torch.no_grad():
            frames = self.encoder(batch.waveform)
        for start in range(0, frames.shape[2], TRUNCATED):
            target = frames[:, :, start : start + TRUNCATED]
            made, state = self.sing.generator(batch.mel[:, :, 0], start, target.shape[2], state)
            state = [(hidden.detach(), cell.detach()) for hidden, cell in state]
            self._step(optimizers[stage], F.mse_loss(made, target))

    def _loss(self, stage: int, batch: Batch) -> Tensor:
        """What a stage minimises."""
        if stage == 0:
            return self.objective.loss(lambda codes: self.sing.decoder(self.encoder(batch.waveform)), batch)
        if stage == 1:
            frames = self.encoder(batch.waveform)
            return F.mse_loss(self.sing.generator(batch.mel[:, :, 0], 0, frames.shape[2])[0], frames)
        return self.objective.loss(self.sing, batch)

    def _step(self, optimizer: Any, loss: Tensor) -> None:
        self.step_by_hand(optimizer, loss)
        self.last_loss = loss.detach()

    def batch_loss(self, batch: Batch) -> Tensor:
        """That of the stage: only in the last two of them it says how the whole sounds."""
        return self._loss(self._stage, batch)
