"""What would have to give where a vocoder does not fit a target, or is too slow there."""

from collections.abc import Iterable, Sequence

from .budget import Budget
from .fit import Fit, fit
from .workload import Workload


def remedies(found: Fit, others: Iterable[Workload] = ()) -> list[str]:
    """A sentence for each thing that is too much; nothing where it fits in real time.

    `others`: what may be taken instead; the last sentence names the largest of them that fits.
    """
    said = [_overflow(budget) for budget in found.budgets if budget.fits is False]
    if found.obstacle:
        said.append(f"{found.obstacle[0].upper()}{found.obstacle[1:]}.")
    if found.speed.slow is not None and found.speed.slow > 1:
        said.append(_too_slow(found))
    return [*said, *_instead(found, list(others))] if said else []


def _overflow(budget: Budget) -> str:
    largest = max(budget.parts, key=lambda part: part.bytes or 0)
    alone = f"{largest.name} alone {(largest.bytes or 0) / budget.available:.3g}x"
    return f"{budget.memory}: {budget.needed:,} of {budget.available:,.0f} bytes, {budget.times:.3g}x of what there is, {alone}."


def _too_slow(found: Fit) -> str:
    fast, slow, macs = found.speed.fast, found.speed.slow, found.workload.macs_per_second
    assert fast is not None and slow is not None
    room = " to ".join(dict.fromkeys(f"{macs / rtf / 1e6:,.3g}" for rtf in (slow, fast)))
    return f"Speed: {macs / 1e6:,.4g} million MACs are asked for each second of audio, and there is time for {room}."


def _instead(found: Fit, others: Sequence[Workload]) -> list[str]:
    held = [one for one in (fit(found.profile, other) for other in others) if one.fits is not False]
    timed = [one for one in held if one.speed.slow is not None]
    quick = [one for one in timed if one.speed.words == "real time"]
    if quick:
        return [f"The largest that fits in real time: {_name(quick)}."]
    if timed:
        return [f"Nothing that fits is surely in real time; the largest that fits: {_name(timed)}."]
    if held:
        return [f"The largest that fits: {_name(held)}."]
    return ["Nothing of what there is fits."] if others else []


def _name(fits: Sequence[Fit]) -> str:
    best = max((one.workload for one in fits), key=lambda workload: workload.stored_bytes)
    return f"{best.name} {best.recipe}, {best.stored_bytes:,} bytes of weights"
