"""Training within a budget of time or steps, resumable at any moment, through Lightning."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from .objectives import Objective
from .segments import Batch, Batches, Segments

LAST = "last.ckpt"
CURVE = "curve.jsonl"


@dataclass(frozen=True)
class TrainingPlan:
    """Budget (whichever ends first) and optimiser. `time` in seconds; `every` in steps between validations and checkpoints."""

    time: float = math.inf
    steps: int | None = None
    batch_size: int = 8
    frames: int = 24
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.8, 0.99)
    warmup: int = 100
    every: int = 200
    seed: int = 0
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1


class Training(lightning.LightningModule):
    """One network and one objective; AdamW, clipped gradients, cosine decay along the budget."""

    def __init__(self, network: nn.Module, objective: Objective, plan: TrainingPlan, validation: list[Batch]):
        super().__init__()
        self.network, self.objective, self.plan = network, objective, plan
        self._validation = validation
        self.elapsed = 0.0
        self._resumed_at = time.monotonic()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.network.parameters(), self.plan.learning_rate, betas=self.plan.betas)

    @property
    def spent(self) -> float:
        """Seconds trained so far, over all resumptions."""
        return self.elapsed + time.monotonic() - self._resumed_at

    @property
    def fraction(self) -> float:
        """Part of the budget that is used, 0 to 1."""
        by_steps = self.global_step / self.plan.steps if self.plan.steps else 0.0
        return min(1.0, max(by_steps, self.spent / self.plan.time))

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        warmup = min(1.0, (self.global_step + 1) / max(1, self.plan.warmup))
        decay = 0.5 + 0.5 * math.cos(math.pi * self.fraction)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.plan.learning_rate * warmup * max(decay, 0.01)
        return self.objective.loss(self.network, batch)

    def on_train_batch_end(self, *_: object) -> None:
        if self.fraction >= 1:
            self.trainer.should_stop = True

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean objective over the fixed validation batches."""
        self.network.eval()
        with torch.autocast(self.device.type, torch.bfloat16, enabled="bf16" in self.plan.precision):
            losses = [float(self.objective.loss(self.network, _to(batch, self.device))) for batch in self._validation]
        self.network.train()
        return sum(losses) / len(losses)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["elapsed"] = self.spent

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.elapsed = float(checkpoint["elapsed"])
        self._resumed_at = time.monotonic()

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return _to(batch, device)


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(batch.mel.to(device), batch.waveform.to(device), batch.seed)


class Curve(Callback):
    """Appends step, seconds and validation loss to `curve.jsonl` at the end of every interval."""

    def __init__(self, path: Path):
        self.path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, training: lightning.LightningModule) -> None:
        assert isinstance(training, Training)
        if trainer.is_global_zero:
            point = {"step": training.global_step, "seconds": round(training.spent, 1), "validation_loss": training.validation_loss()}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(point) + "\n")
            print(point, flush=True)


def train(training: Training, segments: Segments, folder: Path) -> None:
    """Run the plan to its end in `folder`; goes on from `last.ckpt` when one is there."""
    plan = training.plan
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / LAST
    trainer = lightning.Trainer(
        accelerator=plan.accelerator,
        devices=plan.devices,
        precision=plan.precision,  # type: ignore[arg-type]
        max_steps=plan.steps if plan.steps else -1,
        max_epochs=-1,
        limit_train_batches=plan.every,
        gradient_clip_val=1.0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[Curve(folder / CURVE), ModelCheckpoint(folder, save_last=True, save_top_k=0, every_n_epochs=1, save_on_train_epoch_end=True)],
    )
    batches = Batches(segments, plan.batch_size, plan.seed, lambda: training.global_step, trainer.global_rank, trainer.world_size)
    trainer.fit(training, DataLoader(batches, batch_size=None), ckpt_path=str(last) if last.is_file() else None, weights_only=True)


def validation_batches(segments: Segments, plan: TrainingPlan, count: int = 4) -> list[Batch]:
    """The fixed batches that every validation of a plan uses."""
    return [segments.batch(plan.batch_size, seed) for seed in range(count)]


def curve(folder: Path) -> Iterator[dict]:
    """Points of a run's curve; a line cut short by a kill is passed over."""
    for line in (folder / CURVE).read_text(encoding="utf-8").splitlines() if (folder / CURVE).is_file() else []:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue
