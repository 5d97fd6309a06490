"""The energy of a training, in the run that it makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..runtime.workspace import Run
    from ..vocoders.plan import TrainingPlan


@contextmanager
def accounted(run: "Run", plan: "TrainingPlan", power_of: str) -> Iterator[None]:
    """Meter the block, and write `energy` into the run's facts: its sessions, kWh and kg CO2e, or the reason of their absence."""
    from ..benchmarks.energy.account import LOST, session, sessions_of, summary
    from ..runtime.workspace import RUN, Workspace
    from ..vocoders.keeper import LAST
    from ..vocoders.training import trains_on_a_gpu

    energy = run.facts.get("energy")
    earlier = [LOST] if energy is None and (run.folder / LAST).is_file() else sessions_of(energy)  # some was trained before runs told

    def keep(one: dict[str, Any]) -> None:
        if (run.folder / RUN).is_file():
            sessions = [*earlier, one]
            Workspace().open_run(run.folder).update(energy={**summary(sessions), "sessions": sessions})

    with session(plan.devices if trains_on_a_gpu(plan) else 0, power_of, keep):
        yield
