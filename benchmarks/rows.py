"""Rows of the tables: for each vocoder and recipe, the figures that stand beside each other fairly.

A workspace gathers records of many artifacts, clips and machines. A row is one (name, recipe) and takes the newest artifact;
all rows take one place (back end, target, machine: where most were timed, the newest of several such) and, where they have the choice, the clips that
most rows were measured on, so that what is compared was measured alike.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..compress.recipes import pruning_of, unpruned
from .pareto import Objective, front
from .records import ELSEWHERE, Record

FOLDED = "folded_"
SPECIAL = {"protocol", "batch", "short"}  # entries of `settings`
RECIPES = ("fp32", "fp16", "static_w8a8", "static_w8a16", "symmetric_w8a8", "mixed_w8a8", "dynamic_w8", "qat_w8a8", "control_qat_w8a8", "control_fp32")
CONTROL = "control_"


@dataclass(frozen=True)
class Row:
    """One vocoder under one recipe; `figures`: metric -> its records, fewest threads first."""

    name: str
    family: str
    size: str
    recipe: str
    artifact: str
    figures: dict[str, tuple[Record, ...]]

    def figure(self, metric: str) -> Record | None:
        """The record of a metric (of RTF, that with the fewest threads); None where none was made."""
        records = self.figures.get(metric)
        return records[0] if records else None

    def value(self, metric: str) -> float | None:
        """The value of a metric, None where it is absent."""
        record = self.figure(metric)
        return record.value if record else None

    @property
    def folded(self) -> bool:
        """Whether the constants of the schedule are folded into the graphs."""
        return self.recipe.startswith(FOLDED)

    @property
    def control(self) -> bool:
        """Whether it is the control of another recipe."""
        return self.recipe.removeprefix(FOLDED).startswith(CONTROL)

    @property
    def pruned(self) -> bool:
        """Whether weights or channels are gone."""
        return not self.control and bool(pruning_of(self.recipe))

    @property
    def baseline_recipe(self) -> str | None:
        """The row that ratios of size and speed refer to: fp32 folded alike, so that compression gets no credit for the folding."""
        if self.recipe == "fp32":
            return None
        return f"{FOLDED}fp32" if self.folded and self.recipe != f"{FOLDED}fp32" else "fp32"

    @property
    def reference_recipe(self) -> str | None:
        """The row that quality is compared with: the control for what was trained (QAT, pruning), fp32 for all others.

        What is quantized without training after a pruning has the control of the pruning.
        """
        plain = self.recipe.removeprefix(FOLDED)
        if self.control or not (self.pruned or is_trained(plain)):
            return self.baseline_recipe
        trained = plain if is_trained(plain) else f"{pruning_of(plain)}_fp32"
        return f"{FOLDED if self.folded else ''}{CONTROL}{trained}"


def is_trained(recipe: str) -> bool:
    """Whether a recipe trains on: QAT, pruning in fp32, and the control of either."""
    return "qat" in recipe or (bool(pruning_of(recipe)) and recipe.endswith("_fp32"))


def recipe_word(recipe: str) -> str:
    """The recipe as written in a chart: "static_w8a8" -> "static", "control_prune50_qat_w8a8" -> "control prune50 qat"."""
    plain = recipe.removeprefix(FOLDED)
    word = "control" if plain == f"{CONTROL}qat_w8a8" else plain.removesuffix("_w8a8").removesuffix("_w8").replace("_", " ")
    return f"folded {word}" if recipe.startswith(FOLDED) else word


def threads_of(record: Record) -> int:
    """The threads of a figure, 0 where it depends on none."""
    threads = record.settings.get("threads", 0)
    return threads if isinstance(threads, int) else 0


def place_of(record: Record) -> tuple[str, str, str]:
    """Back end, target and machine of a figure; empty where it depends on none."""
    return record.backend, record.target, record.environment.get("machine", "")


def rows_of(records: Sequence[Record]) -> list[Row]:
    """The rows of all vocoders: these in the order of their first record, within each fp32 first. Published and modelled figures are in none."""
    records = [record for record in records if record.known not in ELSEWHERE]
    # Times are ISO 8601 and sort as text; the place in the file decides between equals.
    ordered = [record for _, record in sorted(enumerate(records), key=lambda pair: (pair[1].time, pair[0]))]
    here = _main_place(ordered)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in ordered:
        if all(not mine or not place or mine == place for mine, place in zip(place_of(record), here, strict=True)):
            groups[record.name, record.recipe].append(record)
    newest = {key: [record for record in group if record.artifact == group[-1].artifact] for key, group in groups.items()}
    rank = _rank_clips(newest)
    rows = [_row(group, rank) for group in newest.values()]
    names = list(dict.fromkeys(record.name for record in records))
    return sorted(rows, key=lambda row: (names.index(row.name), *recipe_rank(row.recipe)))


def _main_place(ordered: Sequence[Record]) -> tuple[str, str, str]:
    """Where most rows were timed; of several such, and where nothing was timed, the newest."""
    timed = [record for record in ordered if record.metric == "rtf" and record.value is not None]
    users: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    for record in timed or ordered[-1:]:
        mine = users.pop(place_of(record), set())  # the newest goes last
        users[place_of(record)] = mine | {(record.name, record.recipe)}
    return max(reversed(users), key=lambda place: len(users[place]), default=("", "", ""))


def _rank_clips(groups: dict[tuple[str, str], list[Record]]) -> dict[str, tuple[int, str]]:
    """Clips hash -> how many rows were measured on it, then its newest time."""
    users: dict[str, set[tuple[str, str]]] = defaultdict(set)
    times: dict[str, str] = {}
    for key, group in groups.items():
        for record in group:
            users[record.clips].add(key)
            times[record.clips] = max(record.time, times.get(record.clips, ""))
    return {clips: (len(users[clips]), times[clips]) for clips in users}


def _row(group: Sequence[Record], rank: dict[str, tuple[int, str]]) -> Row:
    chosen: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in group:
        standing = chosen[record.metric].get(threads_of(record))
        if standing is None or (_usual(record), rank[record.clips]) >= (_usual(standing), rank[standing.clips]):
            chosen[record.metric][threads_of(record)] = record
    figures = {metric: tuple(record for _, record in sorted(by_threads.items())) for metric, by_threads in chosen.items()}
    last = group[-1]
    return Row(last.name, last.family, last.size, last.recipe, last.artifact, figures)


def _usual(record: Record) -> bool:
    """Whether a figure was taken as all are, and not by a preset, in batches or in short windows: such stand in a row only where no usual one does."""
    return not SPECIAL & record.settings.keys()


def recipe_rank(recipe: str) -> tuple[bool, str, int, str]:
    """A recipe's place among those of one vocoder: fp32 first, then what is not pruned, the folded ones last."""
    plain, pruning = unpruned(recipe.removeprefix(FOLDED)), pruning_of(recipe)
    return recipe.startswith(FOLDED), pruning, RECIPES.index(plain) if plain in RECIPES else len(RECIPES), recipe


def row_named(rows: Sequence[Row], name: str, recipe: str | None) -> Row | None:
    """The row of a vocoder under a recipe; None where there is none."""
    return next((row for row in rows if row.name == name and row.recipe == recipe), None)


def front_of(rows: Sequence[Row], objectives: Sequence[Objective]) -> list[bool]:
    """For each row, whether it is in the front over these metrics; only rows with the same reference clips are compared."""
    points = [{objective.metric: row.value(objective.metric) for objective in objectives} for row in rows]
    return front(points, objectives, [clips_of(row, *(objective.metric for objective in objectives)) for row in rows])


def clips_of(row: Row, *metrics: str) -> tuple[str, ...]:
    """The reference clips behind some figures of a row, one hash a metric."""
    return tuple(record.clips if (record := row.figure(metric)) else "" for metric in metrics)
