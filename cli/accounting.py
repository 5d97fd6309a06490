"""The energy of a training, in the run that it makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..runtime.workspace import Run
    from ..vocoders.plan import TrainingPlan

ENERGY = "energy"


@contextmanager
def accounted(run: "Run", plan: "TrainingPlan", power_of: str) -> Iterator[None]:
    """Meter the block, and write `energy` into the run's facts: its sessions, kWh and kg CO2e, or the reason of their absence."""
    from ..benchmarks.energy.account import session, summary
    from ..runtime.workspace import RUN, Workspace
    from ..vocoders.training import trains_on_a_gpu

    earlier: list[dict[str, Any]] = list(run.facts.get(ENERGY, {}).get("sessions", ()))

    def keep(one: dict[str, Any]) -> None:
        if (run.folder / RUN).is_file():
            sessions = [*earlier, one]
            Workspace().open_run(run.folder).update(energy={**summary(sessions), "sessions": sessions})

    with session(plan.devices if trains_on_a_gpu(plan) else 0, power_of, keep):
        yield
