"""What a training has drawn: its sessions added up, each measured, modelled or absent with its reason, and the CO2e of it.

A session is written down as lost when it begins and as what it drew when it ends: one that is killed leaves the sum absent, not too small.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from ..carbon import JOULES_PER_KWH, carbon, factors
from ..record_values import is_number
from ..records import MEASURED, MODELLED
from . import model
from .curve import NoReading
from .meter import Meter, NoMeter, Span
from .sources import Where, all_sources

LOST = {"joules": None, "known": MEASURED, "reason": "a session ended before what it drew was written down"}
Session = dict[str, Any]


@contextmanager
def session(gpus: int, power_of: str, keep: Callable[[Session], None], sources: Sequence[Meter | NoMeter] | None = None) -> Iterator[None]:
    """Meter what the block draws and `keep` it, however the block ends. gpus: how many it trains on, 0: the CPU.

    power_of: the target whose profile gives the power where nothing can be metered; "" where none is to be believed. Raises VcompressError
    before anything runs for a target that is unknown or whose profile tells no power.
    """
    modelled = model.load_power(power_of) if power_of else None
    found = all_sources(Where(gpus=max(1, gpus))) if sources is None else sources
    meters, why = whole(found, gpus)
    keep(LOST)
    start = time.monotonic()
    with ExitStack() as stack:
        for meter in meters:
            stack.enter_context(meter.running())
        try:
            yield
        finally:
            stack.close()
            keep(_drawn(meters, why, Span(start, time.monotonic()), modelled))


def sessions_of(energy: Any) -> list[Session]:
    """The sessions that a run has written down; where that is damaged, one that is lost."""
    if energy is None:
        return []
    sessions = energy.get("sessions") if isinstance(energy, dict) else None
    return list(sessions) if isinstance(sessions, list) and all(map(_is_session, sessions)) else [LOST]


def _is_session(one: Any) -> bool:
    if not isinstance(one, dict) or one.get("known") not in (MEASURED, MODELLED):
        return False
    joules = one.get("joules", "")
    return joules is None or (is_number(joules) and 0 <= joules < float("inf") and isinstance(one.get("covers"), str))


def whole(sources: Sequence[Meter | NoMeter], gpus: int) -> tuple[list[Meter], str]:
    """Meters that together hold all that a training draws, none of it twice; or none, and why."""
    here = {source.source: source for source in sources if not isinstance(source, NoMeter)}
    absent = {source.source: source.reason for source in sources if isinstance(source, NoMeter)}
    if "pmic" in here:
        return [here["pmic"]], ""
    gpu = here.get("nvml") or here.get("nvml_power")
    if gpus and gpu is None:
        return [], f"nothing meters the GPU: {absent.get('nvml', 'it was not looked for')}"
    chosen = ([gpu] if gpus and gpu is not None else []) + ([here["rapl"]] if "rapl" in here else [])
    return chosen, "" if chosen else f"nothing meters the CPU: {absent.get('rapl', 'it was not looked for')}"


def _drawn(meters: Sequence[Meter], why: str, span: Span, modelled: tuple[float, str] | None) -> Session:
    told: Session = {"seconds": round(span.seconds, 1), "joules": None, "known": MEASURED}
    if meters:
        try:
            return {
                **told,
                "joules": sum(meter.curve([span]).between(span.begin, span.end) for meter in meters),
                "covers": " + ".join(m.covers for m in meters),
            }
        except NoReading as error:
            why = str(error)
    if modelled is None:
        return {**told, "reason": f"{why}; --power-of TARGET models it by the power of a target's profile"}
    watts, words = modelled
    return {**told, "joules": watts * span.seconds, "known": MODELLED, "covers": f"time x {words}"}


def summary(sessions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """kWh and kg CO2e of all sessions, with the factors; modelled where any is; None and the reason where one of them has no joules."""
    intensity, pue = factors()["intensity"], factors()["pue"]
    kinds = sorted({str(one["known"]) for one in sessions})
    reasons = list(dict.fromkeys(str(one.get("reason", "")) for one in sessions if one["joules"] is None))
    known = MODELLED if MODELLED in kinds else MEASURED
    facts: dict[str, Any] = {"known": known, "pue": pue.value, "pue_source": pue.source, "intensity": intensity.value, "intensity_source": intensity.source}
    if reasons:
        return {"kwh": None, "kg_co2e": None, "reason": "; ".join(reasons), **facts}
    kwh = pue.value * sum(float(one["joules"]) for one in sessions) / JOULES_PER_KWH
    covers = "; ".join(dict.fromkeys(str(one["covers"]) for one in sessions))
    return {"kwh": kwh, "kg_co2e": carbon(kwh, intensity.value), "covers": covers, **facts}


def words(facts: Mapping[str, Any]) -> str:
    """A line for people."""
    if facts["kwh"] is None:
        return f"energy and CO2e not known: {facts['reason']}"
    factors_used = f"PUE {facts['pue']:g}, {facts['intensity']:g} kg CO2e per kWh"
    return f"{facts['kwh']:.4g} kWh and {facts['kg_co2e']:.4g} kg CO2e, {facts['known']} ({facts['covers']}; {factors_used})"
