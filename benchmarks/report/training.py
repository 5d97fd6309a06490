"""How long QAT, pruning and their controls trained, and their validation loss on the way, from the runs of a workspace."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...runtime.workspace import Run, Workspace
from ..columns import signed
from ..rows import FOLDED, Row, is_trained

CURVE = "curve.jsonl"


@dataclass(frozen=True)
class Training:
    """One run of QAT, of a pruning, or of a control. `curve`: (step, validation loss); steps and seconds are None where the run does not say."""

    name: str
    recipe: str
    steps: int | None
    seconds: float | None
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def change(self) -> str:
        """Validation loss from start to end, in words; empty without a curve."""
        if len(self.curve) < 2:
            return ""
        start, end = self.curve[0][1], self.curve[-1][1]
        return f"{start:.4f} → {end:.4f}" + (signed(f" ({(end - start) / start * 100:+.1f} %)") if start else "")


def trainings(rows: Sequence[Row], workspace: Path) -> list[Training]:
    """The newest run of each trained recipe among the rows, complete ones before those that were cut short."""
    wanted = dict.fromkeys((row.name, row.recipe.removeprefix(FOLDED)) for row in rows if is_trained(row.recipe))
    return _newest(wanted, list(Workspace(workspace).runs()))


def all_trainings(workspace: Path) -> list[Training]:
    """The same for everything that was trained in a workspace, whether it was measured or not."""
    runs = list(Workspace(workspace).runs())
    trained = {(str(run.facts.get("name")), str(run.facts.get("recipe"))) for run in runs if is_trained(str(run.facts.get("recipe")))}
    return _newest(sorted(trained), runs)


def _newest(wanted: Iterable[tuple[str, str]], runs: Sequence[Run]) -> list[Training]:
    found = []
    for name, recipe in wanted:
        mine = [run for run in runs if (run.facts.get("name"), run.facts.get("recipe")) == (name, recipe)]
        if mine:
            found.append(_training(name, recipe, next((run for run in mine if run.complete), mine[0])))
    return found


def _training(name: str, recipe: str, run: Run) -> Training:
    points = _curve(run.folder / CURVE)
    last_step = points[-1]["step"] if points else None
    steps, seconds = _number(run.facts.get("steps")) or last_step, _number(run.facts.get("seconds")) or (points[-1].get("seconds") if points else None)
    curve = tuple((point["step"], point["validation_loss"]) for point in points)
    return Training(name, recipe, None if steps is None else int(steps), seconds, curve)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _curve(path: Path) -> list[dict[str, float]]:
    """The points of a curve; lines that a kill cut short are passed over."""
    points = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            point = {key: float(value) for key, value in json.loads(line).items()}
        except (ValueError, TypeError, AttributeError):
            continue
        if {"step", "validation_loss"} <= point.keys():
            points.append(point)
    return points
