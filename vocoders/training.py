"""Training within a budget of time or steps, resumable at any moment, through Lightning."""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..errors import VcompressError
from ..runtime.quiet import quiet
from .checkpoint import LIGHTNING_KEY, LIGHTNING_PREFIX, Checkpoint, TrainingFacts, read_checkpoint
from .keeper import LAST, Keeper
from .memory import keep_memory
from .objectives import Objective
from .plan import TrainingPlan as TrainingPlan
from .segments import Batch, Batches, Segments

assert LIGHTNING_PREFIX == "network."  # the attribute below
CHATTY = ("lightning", "lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")  # tips, device lines


class Training(lightning.LightningModule):
    """One network and one objective; Adam or AdamW, clipped gradients, cosine decay along the budget.

    `checkpoint` says what is trained (its weights are not looked at) and makes `last.ckpt` readable as a checkpoint.
    `steps`: optimiser steps of the network so far; `last_loss`: loss of the latest step.
    """

    unused_parameters = False

    def __init__(self, network: nn.Module, objective: Objective, plan: TrainingPlan, validation: list[Batch], checkpoint: Checkpoint | None = None):
        super().__init__()
        self.network, self.objective, self.plan = network, objective, plan
        self._validation, self._checkpoint = validation, checkpoint
        self.steps = 0
        self.last_loss = torch.tensor(math.nan)
        self.last_validation: float | None = None
        self._elapsed, self._resumed_at = 0.0, time.monotonic()

    def configure_optimizers(self) -> Any:
        return self.make_optimizer(self.network)

    def make_optimizer(self, module: nn.Module) -> torch.optim.Optimizer:
        """The plan's optimiser over a module's parameters."""
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.plan.optimizer]
        return kind(module.parameters(), self.plan.learning_rate, betas=self.plan.betas)

    @property
    def spent(self) -> float:
        """Seconds trained so far, over all resumptions; the same on every device."""
        return self._elapsed

    @property
    def fraction(self) -> float:
        """Part of the budget that is used, 0 to 1."""
        by_steps = self.steps / self.plan.steps if self.plan.steps else 0.0
        return min(1.0, max(by_steps, self.spent / self.plan.time))

    @property
    def decayed(self) -> float:
        """How far along its decay the learning rate is, 0 to 1."""
        return self.fraction

    @property
    def stage(self) -> str:
        """What is trained now, in words, where a training has several stages."""
        return ""

    def advance(self, stop: bool) -> bool:
        """Count a step and look at the clock. Gives whether to stop, because the budget is used or some device wants to."""
        now = time.monotonic()
        self.steps += 1
        self._elapsed, self._resumed_at = self._elapsed + now - self._resumed_at, now
        if self.trainer.world_size > 1:  # all devices must decide alike
            agreed = self.trainer.strategy.reduce(torch.tensor([self._elapsed, float(stop)], device=self.device, dtype=torch.float64), reduce_op="max")
            self._elapsed, stop = float(agreed[0]), bool(agreed[1] > 0)  # type: ignore[index]
        return stop or self.fraction >= 1

    def set_learning_rate(self) -> None:
        """Bring every optimiser to the rate that the schedule has for this step."""
        warmup = min(1.0, (self.steps + 1) / max(1, self.plan.warmup))
        decay = 0.5 + 0.5 * math.cos(math.pi * self.decayed) if self.plan.schedule == "cosine" else 1.0
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.plan.learning_rate * warmup * max(decay, 0.01)

    def training_step(self, batch: Batch, _index: int) -> Tensor | None:
        self.set_learning_rate()
        loss = self.batch_loss(batch)
        self.last_loss = loss.detach()
        return loss

    def batch_loss(self, batch: Batch) -> Tensor:
        """What is minimised, and validated."""
        return self.objective.loss(self.network, batch)

    def step_by_hand(self, optimizer: Any, loss: Tensor) -> None:
        """One step of one of several optimisers."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.plan.clip:
            self.clip_gradients(optimizer, self.plan.clip, "norm")
        optimizer.step()

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean loss over the fixed validation batches (no layer of these networks differs between training and evaluation)."""
        with self.trainer.precision_plugin.forward_context():
            losses = [float(self.batch_loss(_to(batch, self.device))) for batch in self._validation]
        self.last_validation = sum(losses) / len(losses)
        return self.last_validation

    def facts(self) -> TrainingFacts:
        """What was done so far, counted from what the checkpoint already had behind it."""
        before = self._checkpoint.training if self._checkpoint else TrainingFacts()
        done = {"steps": before.steps + self.steps, "seconds": round(before.seconds + self.spent, 1)}
        return replace(before, **done, validation_loss=self.last_validation, seed=self.plan.seed)  # type: ignore[arg-type]

    def trained(self) -> Checkpoint:
        """The network as it is now. Needs the checkpoint that says what is trained."""
        assert self._checkpoint is not None
        weights = {key: value.detach().float().cpu() for key, value in self.network.state_dict().items()}
        return Checkpoint(**{**vars(self._checkpoint), "training": self.facts(), "weights": weights})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["progress"] = {"steps": self.steps, "elapsed": self._elapsed, "validation_loss": self.last_validation}
        if self._checkpoint is not None:
            checkpoint[LIGHTNING_KEY] = Checkpoint(**{**vars(self._checkpoint), "training": self.facts()}).metadata()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        progress = checkpoint["progress"]
        self.steps, self._elapsed, self.last_validation = int(progress["steps"]), float(progress["elapsed"]), progress["validation_loss"]

    def on_train_start(self) -> None:
        self._resumed_at = time.monotonic()

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return _to(batch, device)


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(batch.mel.to(device), batch.waveform.to(device), batch.seed)


def train(training: Training, segments: Segments, folder: Path, *reports: Callback) -> bool:
    """Run the plan to its end in `folder`; goes on from `last.ckpt` when one is there.

    Gives whether the end was reached: False after Ctrl-C or SIGTERM, which leave a `last.ckpt` of that moment. `reports` are
    told of the progress. With several devices each is a process forked here. Raises VcompressError when the loss is no
    longer finite or `last.ckpt` is damaged.
    """
    plan, last = training.plan, folder / LAST
    if not trains_on_a_gpu(plan):
        keep_memory()
    folder.mkdir(parents=True, exist_ok=True)
    if last.is_file():
        _restore(training, last)
        if training.fraction >= 1:  # killed between the last step and what its caller does next
            return True
    with quiet(*CHATTY):
        try:
            trainer = lightning.Trainer(
                accelerator=plan.accelerator,
                devices=plan.devices,
                strategy=_strategy(plan, training.unused_parameters),
                precision=plan.precision,  # type: ignore[arg-type]
                max_epochs=-1,  # one endless epoch: the budget ends it
                gradient_clip_val=plan.clip if plan.clip and training.automatic_optimization else None,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                benchmark=True,  # on a GPU: every step has the same shapes
                callbacks=[Keeper(folder), *reports],
            )
        except (ValueError, RuntimeError, lightning.fabric.utilities.exceptions.MisconfigurationException) as error:
            raise VcompressError(f"This machine cannot train with {plan.devices} x {plan.accelerator} in {plan.precision} ({error}); choose others.") from None
        batches = Batches(segments, plan.batch_size, plan.seed, lambda: training.steps, lambda: (trainer.global_rank, trainer.world_size))
        trainer.fit(training, DataLoader(batches, batch_size=None), ckpt_path=str(last) if last.is_file() else None, weights_only=True)
    if plan.devices > 1:  # the trained network is in the processes that are gone
        _restore(training, last)
    return training.fraction >= 1


def _restore(training: Training, last: Path) -> None:
    if training._checkpoint is not None:
        read_checkpoint(last, training._checkpoint.family, training._checkpoint.size)  # says in a sentence what is wrong with it
    try:
        raw = torch.load(last, weights_only=True, map_location="cpu")
        training.load_state_dict(raw["state_dict"])
        training.on_load_checkpoint(raw)
    except Exception:  # the many ways in which a file is not the checkpoint of this training
        raise VcompressError(f"{last} is not a checkpoint of this training; remove the run {last.parent} and train again.") from None


def trains_on_a_gpu(plan: TrainingPlan) -> bool:
    """Whether a plan's accelerator is a GPU on this machine."""
    return plan.accelerator != "cpu" and torch.cuda.device_count() > 0  # asks NVML: CUDA may not begin before a fork


def _strategy(plan: TrainingPlan, unused_parameters: bool) -> str:
    if plan.devices == 1:
        return "auto"
    return "ddp_fork_find_unused_parameters_true" if unused_parameters else "ddp_fork"


def validation_batches(segments: Segments, plan: TrainingPlan, count: int = 4) -> list[Batch]:
    """The fixed batches that every validation of a plan uses."""
    return [segments.batch(plan.batch_size, seed) for seed in range(count)]
