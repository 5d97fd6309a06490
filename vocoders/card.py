"""The card beside trained weights: what they were made from and how good they are."""

from collections.abc import Iterable, Mapping

from .checkpoint import Checkpoint
from .progress import duration
from .registry import find_family

POINTS = 12  # of the curve, in the card


def card(
    checkpoint: Checkpoint,
    curve: Iterable[Mapping[str, float]],
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
    level = "as recorded" if front_end.level_db is None else f"brought to {front_end.level_db:g} dB RMS"
    made = f"{facts.steps:,} steps in {duration(facts.seconds)}{f' on {machine}' if machine else ''}, {facts.objective} objective, seed {facts.seed}."
    sections = [
        f"# {title}",
        f"mel ({front_end.n_mels} bands, {front_end.sample_rate} Hz, hop {front_end.hop_length}) to waveform; speech {level}. "
        f"log(1 + S) is normalised from [{front_end.minimum:.4g}, {front_end.maximum:.4g}], the extremes of the training part.",
        "## Data",
        _table(("source", "licence"), [(name, licence) for name, licence in data.items()]),
        "The weights are under the licence of vcompress.",
        "## Training",
        made if facts.validation_loss is None else f"{made} Validation loss at the end: {facts.validation_loss:.4f}.",
        _table(("step", "time", "validation loss"), _thinned(curve)),
    ]
    if command:
        sections += ["To go on from here:", f"    {command}"]
    metrics = list(dict.fromkeys(name for figures in quality.values() for name in figures))
    if metrics:
        rows = [(name, *(_figure(figures.get(name, "not measured")) for figures in quality.values())) for name in metrics]
        sections += ["## Quality", _table(("metric", *quality), rows)]
    return "\n\n".join(sections) + "\n"


def _thinned(curve: Iterable[Mapping[str, float]]) -> list[tuple[str, str, str]]:
    points = list(curve)
    last = len(points) - 1
    chosen = sorted({round(i * last / (POINTS - 1)) for i in range(POINTS)}) if points else []
    return [(f"{points[i]['step']:,.0f}", duration(points[i]["seconds"]), f"{points[i]['validation_loss']:.4f}") for i in chosen]


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
