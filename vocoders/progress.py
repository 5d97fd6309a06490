"""What a training says while it runs: a bar on a terminal, a line now and then elsewhere. All of it on stderr."""

import math
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from .training import Training

REFRESH = 0.5  # seconds between two looks at the loss, which on a GPU waits for the step to end
LINES = 30.0  # seconds between two lines where there is no terminal


class TrainingProgress(Callback):
    """Stage where there are several, step, loss, steps per second and time left of a training, under a title."""

    def __init__(self, title: str, console: Console | None = None):
        self._title, self._console = title, console or Console(stderr=True)
        self._interval = REFRESH if self._console.is_terminal else LINES
        self._bar: Progress | None = None
        self._shown, self._start, self._first = 0.0, 0.0, 0

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        training = cast("Training", module)
        self._start, self._first, self._shown = training.spent, training.steps, time.monotonic()
        if trainer.is_global_zero and self._console.is_terminal:
            self._bar = Progress(TextColumn(self._title), BarColumn(), TextColumn("{task.fields[said]}"), console=self._console)
            self._bar.add_task("", total=1.0, said="")
            self._bar.start()

    def on_train_batch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        now = time.monotonic()
        last = trainer.should_stop
        if not trainer.is_global_zero or (now - self._shown < self._interval and not last):
            return
        self._shown, training = now, cast("Training", module)
        said = self._describe(training)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=training.fraction, said=said)
        else:
            self._console.print(f"{self._title}: {said}", markup=False, highlight=False, soft_wrap=True)

    def _describe(self, training: "Training") -> str:
        rate = (training.steps - self._first) / max(training.spent - self._start, 1e-9)
        left = min(training.plan.time - training.spent, (training.plan.steps - training.steps) / max(rate, 1e-9) if training.plan.steps else math.inf)
        validation = "" if training.last_validation is None else f", validation {training.last_validation:.4f}"
        stage = f"{training.stage}, " if training.stage else ""
        return f"{stage}step {training.steps}, loss {float(training.last_loss):.4f}{validation}, {rate:.2f} steps/s, {duration(max(0.0, left))} left"

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._end()

    def on_exception(self, trainer: lightning.Trainer, module: lightning.LightningModule, exception: BaseException) -> None:
        self._end()

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def duration(seconds: float) -> str:
    """Seconds for people: 42 s, 3 min 20 s, 2 h 5 min."""
    if not math.isfinite(seconds):
        return "unlimited time"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


class StepClock(Callback):
    """The seconds of each step, without validating and saving, and what it ran on."""

    def __init__(self) -> None:
        self._spent = [0.0]
        self.accelerator = ""

    def on_train_batch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._spent.append(cast("Training", module).spent)
        self.accelerator = f"{trainer.num_devices} {module.device.type}"

    @property
    def seconds(self) -> list[float]:
        """Of each step but the first, which warms up; of that one where there is no other."""
        taken = [end - start for start, end in pairwise(self._spent)]
        return taken[1:] or taken
