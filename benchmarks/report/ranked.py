"""The chart of a sensitivity analysis: what each tensor and each layer costs alone in 8 bits, the worst first. SVG or PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import VcompressError
from ...runtime.files import replacing
from .picture import COLOURS

if TYPE_CHECKING:
    from ...compress.ranking import Kind, Ranked, Ranking

FORMATS = (".svg", ".png")
KINDS: dict[str, tuple["Kind", ...]] = {"tensors": ("tensor",), "layers": ("weights", "activations")}
SALT: Any = {"svg.hashsalt": "vcompress", "svg.fonttype": "none"}  # one ranking gives one file, and its text stays text


def write_chart(ranking: "Ranking", path: Path, most: int = 24) -> None:
    """Tensors above, layers below; SNR on the left, log-mel L1 on the right. Needs matplotlib; raises VcompressError for another suffix."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path.suffix.lower() not in FORMATS:
        raise VcompressError(f"{path} is neither .svg nor .png; give the chart one of these suffixes.")
    tables = {title: _worst(ranking, kinds, most) for title, kinds in KINDS.items()}
    heights = [max(3, len(table)) for table in tables.values()]
    figure = Figure(figsize=(13, 0.2 * sum(heights) + 2.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    seen = zip(figure.subplots(2, 2, height_ratios=heights, squeeze=False), tables.items(), strict=True)
    for panels, (title, table) in seen:
        kinds = KINDS[title]
        snr = [[(y, row.alone.snr) for y, row in _of(table, kind) if row.alone.snr is not None] for kind in kinds]
        mel = [[(y, 100 * row.alone.log_mel_l1) for y, row in _of(table, kind)] for kind in kinds]
        _panel(panels[0], f"{title}, each alone in 8 bits", table, "SNR against fp32 (dB), farther right is worse", snr)
        _panel(panels[1], "", table, "log-mel L1 over fp32's (%)", mel)
        panels[0].invert_xaxis()
        if title == "layers":
            for kind, colour in zip(kinds, COLOURS, strict=False):
                panels[1].plot([], [], "o", color=colour, label=kind)
            panels[1].legend(frameon=False, fontsize=8)
    facts = ranking.facts
    figure.suptitle(f"{facts.get('name')} ({facts.get('recipe')}): {len(facts.get('clips', ()))} clips of {facts.get('seconds'):g} s", fontsize=11)
    with rc_context(SALT), replacing(path) as part:
        figure.savefig(part, format=path.suffix[1:].lower(), metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _worst(ranking: "Ranking", kinds: Sequence["Kind"], most: int) -> list[list["Ranked"]]:
    """The most damaging names, each with its rows."""
    rows = ranking.sorted(*kinds)
    names = list(dict.fromkeys(row.name for row in rows))[:most]
    return [[row for row in rows if row.name == name] for name in names]


def _of(table: Sequence[Sequence["Ranked"]], kind: str) -> list[tuple[int, "Ranked"]]:
    return [(y, row) for y, group in enumerate(table) for row in group if row.kind == kind]


def _panel(axes: Any, title: str, table: Sequence[Sequence["Ranked"]], label: str, series: Sequence[Sequence[tuple[int, float]]]) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel(label, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.6)
    axes.tick_params(labelsize=8)
    for points, colour in zip(series, COLOURS, strict=False):
        axes.plot([x for _, x in points], [y for y, _ in points], "o", color=colour, markersize=5)
    axes.set_yticks(range(len(table)), [f"{group[0].name}{'' if group[0].now == '8 bits' else f' ({group[0].now})'}" for group in table])
    axes.set_ylim(max(len(table), 1) - 0.4, -0.6)
