"""The fronts of the papers' figures, drawn again from the papers' own tables with this project's dominance (`benchmarks/pareto.py`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..pareto import Objective, front
from .ours import match
from .printed import rows_of_table, value

QUALITIES = (Objective("mos", "max"), Objective("d_stft"), Objective("fid"))
COSTS = (Objective("energy"), Objective("gflops_printed"), Objective("gflops_per_second"), Objective("parameters_millions"))
WORDS = {
    "mos": "MOS",
    "d_stft": "D_STFT",
    "fid": "FID",
    "energy": "energy of a synthesis",
    "gflops_printed": "GFLOPs as printed",
    "gflops_per_second": "GFLOPs of one second, counted here",
    "parameters_millions": "parameters",
    "percent_mos": "%MOS",
    "kg_co2e": "CO2e of the training",
    "e_gen": "energy of a synthesis",
    "e_train": "energy of the training",
}

Values = dict[str, float | None]


@dataclass(frozen=True)
class PaperFront:
    """One figure: points by name, the two objectives, and which points nobody dominates. A point without one of the values is in no front."""

    source: str
    quality: Objective
    cost: Objective
    points: Mapping[str, Values]

    @property
    def title(self) -> str:
        """Both axes in words."""
        return f"{WORDS[self.quality.metric]} against {WORDS[self.cost.metric]}"

    @property
    def members(self) -> list[str]:
        """The names on the front, the cheapest first."""
        names, axes = list(self.points), (self.quality, self.cost)
        inside = front([self.points[name] for name in names], axes)
        return sorted((name for name, kept in zip(names, inside, strict=True) if kept), key=lambda name: self.points[name][self.cost.metric] or 0.0)

    def as_json(self) -> dict[str, Any]:
        """The front with its points."""
        axes = {"quality": self.quality, "cost": self.cost}
        return {
            "title": self.title,
            "source": self.source,
            **{axis: {"metric": objective.metric, "better": objective.sense} for axis, objective in axes.items()},
            "front": self.members,
            "points": {name: {o.metric: values[o.metric] for o in axes.values()} for name, values in self.points.items()},
        }


def paper_fronts() -> list[PaperFront]:
    """Quality against cost of the eighteen vocoders (Tables 7 and 8), of WaveFlow (Table 6), and %MOS against training (Tables 5 and 3)."""
    eighteen, waveflow, trainings = _eighteen(), _waveflow(), _trainings()
    return [
        *(PaperFront("Tables 7 and 8", quality, cost, eighteen) for quality in QUALITIES for cost in COSTS),
        *(PaperFront("Table 6", QUALITIES[0], Objective(cost), waveflow) for cost in ("e_gen", "e_train", "parameters_millions")),
        PaperFront("Tables 5 and 3", Objective("percent_mos", "max"), Objective("kg_co2e"), trainings),
    ]


def _eighteen() -> dict[str, Values]:
    costs = {(cells["family"], cells["size"]): cells for cells in rows_of_table("table8_efficiency")}
    points: dict[str, Values] = {}
    for cells in rows_of_table("table7_quality"):
        cost = costs.get((cells["family"], cells["size"]))
        if cost is None:  # the recordings themselves cost nothing
            continue
        row = match(cells["family"], cells["size"], 8).row
        points[f"{cells['family']} {cells['size']}"] = {
            "mos": value(cells["mos"]),
            "d_stft": value(cells["d_stft"]),
            "fid": value(cells["fid"]),
            "energy": value(cost["energy_10x10s_as_printed_mJ"]),
            "gflops_printed": value(cost["gflops_as_printed"]),
            "gflops_per_second": row.gflops_per_second if row else None,
            "parameters_millions": value(cost["params_millions"]),
        }
    return points


def _waveflow() -> dict[str, Values]:
    columns = {"mos": "mos", "e_gen": "e_gen_Wh_100s_22050Hz", "e_train": "e_train_kWh", "parameters_millions": "params_millions"}
    return _points("table6_waveflow", columns)


def _trainings() -> dict[str, Values]:
    emitted = _points("table3_training_energy", {"kg_co2e": "kgCO2eq_thesis"})
    rated = _points("table5_percent_mos", {"percent_mos": "percent_mos"})
    return {name: values | emitted.get(name, {"kg_co2e": None}) for name, values in rated.items()}


def _points(table: str, columns: Mapping[str, str]) -> dict[str, Values]:
    return {cells["model"]: {metric: value(cells[column]) for metric, column in columns.items()} for cells in rows_of_table(table)}


def front_lines(fronts: Sequence[PaperFront]) -> list[tuple[str, str, str]]:
    """Axes, source and the names on each front, as text."""
    return [(found.title, found.source, ", ".join(found.members)) for found in fronts]
