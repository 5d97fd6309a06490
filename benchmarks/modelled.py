"""What is reckoned of a vocoder on a target, as records labelled `modelled`: in no row and on no front of what is measured."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..targets.fit import Fit
from .reckoning import Reckoning
from .records import MODELLED, NOTHING_RAN, Record, append_record, read_records


def modelled_records(found: Sequence[Fit]) -> list[Record]:
    """The two ends of RTF and energy, each memory's known bytes, a lower bound, and what there is of it; what is not known is absent with its reason."""
    return [record for one in found for record in (*_speed(one), *_energy(one), *_memory(one))]


def _speed(one: Fit) -> Iterator[Record]:
    for end, value in (("fast", one.speed.fast), ("slow", one.speed.slow)):
        yield _record(one, "rtf", value, "s/s", one.speed.method, one.speed.reason, end=end)


def _energy(one: Fit) -> Iterator[Record]:
    """RTF times the power under load, which is that of all cores: more than one core takes."""
    power, method = one.profile.load_power, f"RTF ({one.speed.method}) x power under load of the profile; idle draw included"
    reason = one.speed.reason or f"power of {one.profile.name} under load: {power.reason}"
    for end, value in (("fast", one.speed.fast), ("slow", one.speed.slow)):
        joules = None if value is None or power.value is None else value * (power.least if end == "fast" else power.most)
        yield _record(one, "energy", joules, "J/s", method, reason, end=end)


def _memory(one: Fit) -> Iterator[Record]:
    for budget in one.budgets:
        parts = ", ".join(part.name for part in budget.parts if part.bytes is not None)
        unknown = next((part.reason for part in budget.parts if part.bytes is None), "")
        yield _record(one, f"{budget.memory.lower()}_bytes", budget.needed if budget.known else None, "byte", f"{parts}; {budget.bound}", unknown)
        yield _record(one, f"{budget.memory.lower()}_budget_bytes", budget.available, "byte", "of the target's profile, less what is taken there", "")


def _record(one: Fit, metric: str, value: float | None, unit: str, method: str, reason: str, **settings: str) -> Record:
    return Reckoning.of_workload(one.workload, NOTHING_RAN, one.profile.name).record(metric, value, unit, MODELLED, method, reason, **settings)


def append_modelled(path: Path, found: Sequence[Fit]) -> tuple[int, int]:
    """Append the modelled records that a file does not hold yet, or holds otherwise; gives how many were added and how many stood.

    Raises VcompressError where the file cannot be read or written.
    """
    standing = {record.key: record for record in read_records(path)}
    modelled = modelled_records(found)
    new = [record for record in modelled if standing.get(record.key) != record]
    for record in new:
        append_record(path, record)
    return len(new), len(modelled) - len(new)
