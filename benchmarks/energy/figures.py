"""Energy as figures of a bench: per second of audio and per utterance, with and without idle, idle itself, and the CO2e of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from ...errors import VcompressError
from ...runtime.backends import on_a_gpu
from ...targets.profile import find_profile
from ..carbon import carbon, factors, synthesis_energy
from ..figure import Figure, Planned, absent
from ..records import MODELLED
from ..rtf import prepare, timing
from ..subject import Subject
from . import model
from .curve import NoReading
from .meter import Meter
from .sources import Where, all_sources, useful, why_none
from .trial import Metered, TrialPlan, Window, disturbance, metered, run_trial

Trial = tuple[list[Window], float]  # its windows, and seconds of audio of a run: of every clip where there are several
PER_SECOND, PER_UTTERANCE, ABOVE, IDLE, CO2E = "energy", "energy_per_utterance", "energy_above_idle", "idle_power", "co2e_per_hour"
TOGETHER = "synthesis_energy_100s"  # as the papers' tables have it: ten clips of ten seconds


def plan(subject: Subject) -> Iterator[Planned]:
    """The figures of each meter that says something of the back end, for each number of threads; the first meter's have the plain names.

    Without a meter one absence with the reasons; with `power_of` also what the profile's power makes of the measured time, modelled.
    """
    settings = subject.settings
    gpu = on_a_gpu(settings.backend)
    sources = all_sources(Where(log=Path(settings.meter_log) if settings.meter_log else None, offset=settings.meter_offset))
    meters = useful(sources, gpu)
    trial = TrialPlan(settings.windows, settings.window_seconds)
    for threads in settings.threads:
        if not meters:
            yield Planned(PER_SECOND, "J/s", trial.words, lambda: absent(""), {"threads": threads}, missing=why_none(sources, gpu))
        else:
            yield from _measured(subject, threads, meters, trial)
        if settings.power_of:
            yield _modelled(subject, threads, settings.power_of)


def _measured(subject: Subject, threads: int, meters: list[Meter], trial: TrialPlan) -> Iterator[Planned]:
    """One trial for all: the meters do not disturb each other."""

    @cache
    def taken() -> Trial:
        run, audio = prepare(subject, threads)
        count = utterances_of(subject)
        return run_trial(lambda: [run() for _ in range(count)], meters, trial), count * audio

    for place, meter in enumerate(meters):
        yield from _of_meter(subject, threads, meter, f"_{meter.source}" if place else "", taken, trial)


def _of_meter(subject: Subject, threads: int, meter: Meter, suffix: str, taken: Callable[[], Trial], trial: TrialPlan) -> Iterator[Planned]:
    settled = {"threads": threads, "source": meter.source, **({"short": trial.short} if trial.short else {}), **subject.special}

    def planned(metric: str, unit: str, words: str, make: Callable[[Metered, list[Window], float], Figure]) -> Planned:
        return Planned(metric + suffix, unit, f"{words}; {trial.words}", lambda: _figure(meter, *taken(), make), settled, window=subject.settings.seconds)

    energy = planned(PER_SECOND, "J/s", "J per second of audio, idle draw included", lambda said, windows, audio: _per_run(said.raw, windows, audio))
    yield energy
    yield planned(ABOVE, "J/s", "J per second of audio above the idle before and after", _above)
    yield planned(PER_UTTERANCE, "J", f"J of an utterance of {subject.settings.seconds:g} s", _over(float(subject.settings.batch * utterances_of(subject))))
    if subject.utterances is not None:
        yield planned(TOGETHER, "J", f"J of {utterances_of(subject)} clips together", _over(float(subject.settings.batch)))
    yield planned(IDLE, "W", "power of the windows of idle", lambda said, windows, audio: Figure.median_of(said.idle))
    if not suffix:
        yield _co2e(energy)


def _figure(meter: Meter, windows: list[Window], audio: float, make: Callable[[Metered, list[Window], float], Figure]) -> Figure:
    tried = sum(window.busy for window in windows)
    try:
        said = metered(meter, windows)
        figure, covers = make(said, windows, audio), said.covers
    except NoReading as error:
        figure, covers = absent(f"{meter.covers}: {error}", tried), meter.covers
    return replace(figure, environment={"energy_covers": covers, "energy_disturbed_windows": disturbance(windows)})


def _per_run(joules: tuple[float, ...], windows: list[Window], audio: float) -> Figure:
    """Of each window of work, J of one run over its seconds of audio."""
    runs = [window.runs for window in windows if window.busy]
    return Figure.median_of([spent / (count * audio) for spent, count in zip(joules, runs, strict=True)])


def utterances_of(subject: Subject) -> int:
    """How many different utterances a run of a trial makes."""
    return 1 if subject.utterances is None else len(subject.utterances.mels)


def _over(count: float) -> Callable[[Metered, list[Window], float], Figure]:
    """J of a run over how often it holds what is counted."""
    return lambda said, windows, audio: _per_run(said.raw, windows, count)


def _above(said: Metered, windows: list[Window], audio: float) -> Figure:
    figure = _per_run(said.net, windows, audio)
    if figure.value is not None and figure.value <= 0:
        return absent(f"the work cannot be told from idle: it drew {figure.value:.3g} J/s more than the idle beside it", figure.repeats)
    return figure


def _co2e(energy: Planned) -> Planned:
    intensity, pue = factors()["intensity"], factors()["pue"]

    def grams(joules: float) -> float:
        return 1000 * carbon(synthesis_energy(joules, 1.0, pue.value), intensity.value)

    def measure() -> Figure:
        figure = energy.measure()
        if figure.value is None:
            return figure
        spread = None if figure.spread is None else grams(figure.spread)
        return replace(figure, value=grams(figure.value), samples=tuple(map(grams, figure.samples)), spread=spread)

    method = f"measured energy x PUE {pue.value:g} ({pue.source}) x {intensity.value:g} kg CO2e/kWh ({intensity.source}), an hour of audio"
    return Planned(CO2E, "g/h", method, measure, energy.settings, window=energy.window, known=MODELLED)


def _modelled(subject: Subject, threads: int, target: str) -> Planned:
    find_profile(target)  # an unknown one ends the bench
    settled = {"threads": threads, "source": model.SOURCE, "profile": target, **subject.special}
    try:
        watts, words = model.load_power(target)
    except VcompressError as error:
        return Planned(PER_SECOND, "J/s", "time x power of a profile", lambda: absent(""), settled, missing=str(error).rstrip("."), known=MODELLED)

    def measure() -> Figure:
        taken = timing(subject, threads)
        return replace(Figure.median_of([watts * seconds / taken.audio for seconds in taken.wall]), environment=taken.conditions)

    return Planned(PER_SECOND, "J/s", f"measured time x {words}; idle draw included", measure, settled, window=subject.settings.seconds, known=MODELLED)
