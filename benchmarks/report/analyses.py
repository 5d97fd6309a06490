"""The sensitivity analyses of a workspace's runs, as the page draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...compress.ranking import RANKING, Kind, Ranked, Ranking
from ...errors import VcompressError
from ...runtime.workspace import Workspace

MOST = 24  # names in a chart, the worst first
KINDS: dict[str, tuple[Kind, ...]] = {"tensors": ("tensor",), "layers": ("weights", "activations", "layer")}


@dataclass(frozen=True)
class Analysis:
    """One analysis, or, without `charts`, the sentence that says why it could not be read."""

    name: str
    recipe: str
    clips: int = 0
    seconds: float = 0.0
    everything: str = ""
    chosen: str = ""
    charts: dict[str, list[dict[str, Any]]] | None = None
    reason: str = ""


def analyses(workspace: Path) -> list[Analysis]:
    """The newest of each vocoder and recipe, in the order of their names."""
    found: dict[tuple[str, str], Analysis] = {}
    for run in Workspace(workspace).runs():  # the newest first
        key = str(run.facts.get("name")), str(run.facts.get("recipe"))
        if key not in found and (run.folder / RANKING).is_file():
            found[key] = _analysis(*key, run.folder / RANKING)
    return [found[key] for key in sorted(found)]


def _analysis(name: str, recipe: str, path: Path) -> Analysis:
    try:
        ranking = Ranking.read(path)
        clips, seconds = len(ranking.facts["clips"]), float(ranking.facts["seconds"])
    except (VcompressError, KeyError, TypeError, ValueError):
        return Analysis(name, recipe, reason="its sensitivity.json is not a whole analysis; make it again with: vcompress sensitivity")
    charts = {title: _worst(ranking, kinds) for title, kinds in KINDS.items()}
    return Analysis(name, recipe, clips, seconds, _decibels(ranking.everything.snr), _decibels(ranking.chosen.snr), charts)


def _decibels(snr: float | None) -> str:
    return "no error" if snr is None else f"{snr:.1f} dB"


def _worst(ranking: Ranking, kinds: Sequence[Kind]) -> list[dict[str, Any]]:
    """The most damaging names, each with what it costs by kind; without an error there is no SNR."""
    rows = ranking.sorted(*kinds)
    names = list(dict.fromkeys(row.name for row in rows))[:MOST]
    return [
        {"name": name, "now": mine[0].now, "costs": {row.kind: _cost(row) for row in mine}} for name in names if (mine := [r for r in rows if r.name == name])
    ]


def _cost(row: Ranked) -> dict[str, float | None]:
    return {"snr": None if row.alone.snr is None else round(row.alone.snr, 2), "mel": round(100 * row.alone.log_mel_l1, 2)}
