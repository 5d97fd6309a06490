"""The card beside trained weights: what they were made from and how good they are."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..runtime.front_ends import AnyFrontEnd
from ..runtime.notes import NoteFrontEnd, spans
from .checkpoint import Checkpoint
from .progress import duration
from .registry import find_family

POINTS = 12  # of the curve, in the card


def card(
    checkpoint: Checkpoint,
    curve: Iterable[Mapping[str, Any]],
    quality: Mapping[str, Mapping[str, float | str]],
    data: Mapping[str, str],
    machine: str = "",
    command: str = "",
) -> str:
    """Markdown.

    curve: points with step, seconds and validation_loss. quality: for each set of clips ("validation prompts", "other voice") its
    figures by name, or the reason why one is absent. data: for each source its licence. command: what goes on from here.
    """
    title = f"{find_family(checkpoint.family).title} {checkpoint.size}"
    facts, front_end = checkpoint.training, checkpoint.front_end
    made = f"{facts.steps:,} steps in {duration(facts.seconds)}{f' on {machine}' if machine else ''}, {facts.objective} objective, seed {facts.seed}."
    sections = [
        f"# {title}",
        _given(front_end),
        "## Data",
        _table(("source", "licence"), [(name, licence) for name, licence in data.items()]),
        "The weights are under the licence of vcompress.",
        "## Training",
        made if facts.validation_loss is None else f"{made} Validation loss at the end: {facts.validation_loss:.4f}.",
        *_curve(list(curve)),
    ]
    if command:
        sections += ["To go on from here:", f"    {command}"]
    metrics = list(dict.fromkeys(name for figures in quality.values() for name in figures))
    if metrics:
        rows = [(name, *(_figure(figures.get(name, "not measured")) for figures in quality.values())) for name in metrics]
        sections += ["## Quality", _table(("metric", *quality), rows)]
    return "\n\n".join(sections) + "\n"


def _given(front_end: AnyFrontEnd) -> str:
    rate = f"{front_end.sample_rate} Hz, hop {front_end.hop_length}"
    if isinstance(front_end, NoteFrontEnd):
        number, players = len(front_end.instruments), f": {', '.join(front_end.names)}" if front_end.names else ""
        known = f"{number} instruments{players}; pitches {spans(front_end.pitches)}; velocities {spans(front_end.velocities)}"
        return f"note to waveform ({rate}), up to {front_end.frames * front_end.hop_length / front_end.sample_rate:g} s. It knows {known}."
    level = "as recorded" if front_end.level_db is None else f"brought to {front_end.level_db:g} dB RMS"
    return (
        f"mel ({front_end.n_mels} bands, {rate}) to waveform; speech {level}. "
        f"log(1 + S) is normalised from [{front_end.minimum:.4g}, {front_end.maximum:.4g}], the extremes of the training part."
    )


def _curve(points: list[Mapping[str, Any]]) -> list[str]:
    """A table; where there were stages, whose losses are not of one kind, one of each."""
    stages = list(dict.fromkeys(point.get("stage", "") for point in points)) or [""]
    header, found = ("step", "time", "validation loss"), []
    for stage in stages:
        rows = _thinned([point for point in points if point.get("stage", "") == stage], POINTS // len(stages))
        found += [*([f"{stage[0].upper()}{stage[1:]}:"] if stage else []), _table(header, rows)]
    return found


def _thinned(points: list[Mapping[str, Any]], count: int) -> list[tuple[str, str, str]]:
    last = len(points) - 1
    chosen = sorted({round(i * last / (count - 1)) for i in range(count)}) if points else []
    return [(f"{points[i]['step']:,.0f}", duration(points[i]["seconds"]), f"{points[i]['validation_loss']:.4f}") for i in chosen]


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
