"""What a training run leaves in its folder while it goes on: `last.ckpt` to go on from, and `curve.jsonl`."""

import json
import math
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from ..errors import VcompressError
from ..runtime.files import replacing, write_text

if TYPE_CHECKING:
    from .training import Training

LAST = "last.ckpt"
CURVE = "curve.jsonl"
SECONDS = 60.0  # between two `last.ckpt`, where validations are further apart


class Keeper(Callback):
    """Counts steps, validates and saves in intervals, stops at the end of the budget or on the first Ctrl-C or SIGTERM.

    A kill at any moment loses what was done since the last save: `last.ckpt` is renamed into place when it is whole.
    """

    def __init__(self, folder: Path):
        self._last, self._curve = folder / LAST, folder / CURVE
        self._saved_at = 0.0
        self._handlers: dict[int, Any] = {}
        self._stop = False

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        training = cast("Training", module)
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        if trainer.is_global_zero:  # points after the last save are of a future that a kill undid
            kept = [point for point in read_curve(self._curve) if point["step"] <= training.steps]
            write_text(self._curve, "".join(json.dumps(point) + "\n" for point in kept))
            if not kept:
                self._validate(training)
        self._saved_at = training.spent

    def on_train_batch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        training = cast("Training", module)
        stop = training.advance(self._stop)
        interval = training.steps % training.plan.every == 0
        if interval or stop or training.spent - self._saved_at > SECONDS:
            self._saved_at = training.spent
            _check_finite(training)
            if trainer.is_global_zero and (interval or stop):
                self._validate(training)
            self._save(trainer)
        if stop:
            trainer.should_stop = True

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._restore_signals()

    def on_exception(self, trainer: lightning.Trainer, module: lightning.LightningModule, exception: BaseException) -> None:
        self._restore_signals()

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self._stop:  # asked twice: at once
            raise KeyboardInterrupt
        self._stop = True

    def _restore_signals(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _validate(self, training: "Training") -> None:
        loss = training.validation_loss()
        if not math.isfinite(loss):
            raise VcompressError(f"The validation loss is {loss} after step {training.steps}; go on from an older checkpoint with a lower --learning-rate.")
        point: dict[str, Any] = {"step": training.steps, "seconds": round(training.spent, 1), "validation_loss": loss}
        if training.stage:
            point["stage"] = training.stage
        if math.isfinite(float(training.last_loss)):  # none yet where a run begins or goes on
            point["training_loss"] = float(training.last_loss)
        with self._curve.open("a", encoding="utf-8") as file:
            file.write(json.dumps(point) + "\n")

    def _save(self, trainer: lightning.Trainer) -> None:
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self._last)  # collective; only the first device writes
            return
        with replacing(self._last) as part:
            trainer.save_checkpoint(part)


def _check_finite(training: "Training") -> None:
    if not torch.stack([parameter.isfinite().all() for parameter in training.network.parameters()]).all():
        raise VcompressError(f"The weights are no longer finite at step {training.steps}; go on from the last checkpoint with a lower --learning-rate.")


def read_curve(path: Path) -> Iterator[dict[str, Any]]:
    """Points of a curve, a file or the folder it is in: step, seconds, validation_loss, stage where there are several; a line cut short is passed over."""
    path = path / CURVE if path.is_dir() else path
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            point = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(point, dict) and "step" in point:
            yield point
