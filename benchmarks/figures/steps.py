"""Training speed: optimiser steps a second of training, of QAT and of its control, of all configurations on this machine."""

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...vocoders.catalogue import CatalogueRow
from ...vocoders.plan import QAT_BATCH
from ..environment import version_of
from ..figure import Figure, Planned
from ..records import Record, read_records
from .artifacts import PLACE, Maker, Say, configurations, name_of
from .others import OtherLoad
from .section import NOT_YET, Section, command, table
from .standing import Standing, attempt, record_of

if TYPE_CHECKING:
    from ...vocoders.plan import TrainingPlan
    from ...vocoders.segments import Segments

TITLE, RECORDS, METRIC = "Training speed", "steps.jsonl", "steps_per_second"
ARMS = {"fp32": "training", "qat_w8a8": "QAT", "control_qat_w8a8": "control"}
STEPS, SECONDS = 10, 60.0  # whichever ends first
ASKED = 1000  # steps of a QAT run
PATIENT = 3 * 3600.0  # seconds that such a run may take before it counts as too slow


@dataclass(frozen=True)
class Load:
    """What is trained on: batches of the size that `vcompress qat` takes, cut from two seconds of a tone."""

    plan: "TrainingPlan"
    segments: "Segments"
    mels: list[np.ndarray]


def measure(root: Path, only: Collection[str] = (), again: bool = False, say: Say = print, quick: bool = False) -> None:
    """Train what has not been trained, a few steps each."""
    from torch import get_num_threads

    standing = Standing(root / PLACE / RECORDS, again)
    steps, threads = 2 if quick else STEPS, get_num_threads()
    for configuration in configurations():
        for recipe in ARMS if not only or name_of(configuration) in only else ():
            maker = Maker(root, configuration, say)
            method = f"median of up to {steps} steps in up to {SECONDS:g} s, the first left out; batches of {QAT_BATCH}"
            settings = {"threads": threads, "batch_size": QAT_BATCH}

            def train(maker: Maker = maker, recipe: str = recipe) -> Figure:
                return steps_per_second(maker, recipe, steps, root / PLACE)

            planned = Planned(METRIC, "1/s", method, train, settings)
            if not standing.has(record_of(configuration, recipe, planned)):
                say(f"{ARMS[recipe]} of {name_of(configuration)}")
                standing.add(record_of(configuration, recipe, planned, attempt(planned.measure)))


def steps_per_second(maker: Maker, recipe: str, steps: int, folder: Path) -> Figure:
    """One arm, as `vcompress train` and `vcompress qat` run it, with the family's own objective."""
    from ...compress.folded import FoldedVocoder
    from ...compress.qat import FineTuning, fine_tune
    from ...vocoders.progress import StepClock
    from ...vocoders.training import Training, train, validation_batches

    checkpoint, clock = maker.checkpoint(), StepClock()
    load = _load(maker, steps)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".steps-") as temporary:
        others = OtherLoad()
        if recipe == "fp32":
            validation = validation_batches(load.segments, load.plan, 1)
            train(Training(checkpoint.build().train(), checkpoint.objective(), load.plan, validation), load.segments, Path(temporary), clock)
        else:
            tuning = FineTuning(load.plan, load.segments, load.segments, load.mels)
            fine_tune(FoldedVocoder.of(checkpoint), tuning, recipe == "qat_w8a8", Path(temporary), (clock,))
        busy = others.cores()
    known = {package: version_of(package) for package in ("torch", "torchao", "lightning")} | {"accelerator": clock.accelerator, "weights": maker.weights}
    return replace(Figure.median_of([1 / seconds for seconds in clock.seconds]), environment=known | ({} if busy is None else {"others": f"{busy:.2f}"}))


def _load(maker: Maker, steps: int) -> Load:
    from ...vocoders.registry import find_family
    from ...vocoders.segments import Segments
    from ..workload import steady_mel

    family, front_end = find_family(maker.configuration.family), maker.checkpoint().front_end
    plan = replace(family.plan, steps=steps, time=SECONDS, batch_size=QAT_BATCH, learning_rate=1e-4, warmup=0, every=10 * steps)
    time = np.arange(2 * front_end.sample_rate) / front_end.sample_rate
    tone = (0.1 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    return Load(plan, Segments([front_end.fit(tone)], front_end, plan.frames, [front_end.example]), [steady_mel(front_end, 8)])


def write(root: Path) -> Section:
    """The section, from the records."""
    records = read_records(root / PLACE / RECORDS)
    newest = {(record.name, record.recipe): record for record in sorted(records, key=lambda record: record.time)}
    headings = ("Vocoder", *(f"{word}, steps/s" for word in ARMS.values()), f"{ASKED:,} steps of QAT and control", "")
    lines = [_line(newest, configuration) for configuration in configurations()]
    shown = list(newest.values())
    threads = " or ".join(sorted({str(record.settings.get("threads")) for record in shown}))
    text = (
        f"Optimiser steps a second with the family's own objective, batches of {QAT_BATCH} segments as `vcompress qat` takes them, "
        f"torch with {threads or 'all'} threads; median over up to {STEPS} steps, the first left out. "
        f"A configuration whose {ASKED:,} steps of QAT and as many of its control take longer than {PATIENT / 3600:g} hours "
        "is too slow for this machine; its S size stands for it."
    )
    return Section(TITLE, text, [table(headings, lines)], shown, command("steps", root))


def _line(newest: Mapping[tuple[str, str], Record], configuration: CatalogueRow) -> list[str]:
    found = [newest.get((name_of(configuration), recipe)) for recipe in ARMS]
    values = [record.value if record else None for record in found]
    cells = [NOT_YET if record is None else record.reason if record.value is None else f"{record.value:.3g}" for record in found]
    qat, control = values[1:]
    seconds = ASKED / qat + ASKED / control if qat and control else None
    took = "" if seconds is None else f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min"
    return [f"{configuration.title} {configuration.size}", *cells, took, "too slow here" if seconds is not None and seconds > PATIENT else ""]
