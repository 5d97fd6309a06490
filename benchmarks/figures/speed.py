"""Speed: int8 over fp32 with one thread, and two threads over one, both in ONNX Runtime, from runs interleaved in one process."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...vocoders.catalogue import CatalogueRow
from ..environment import environment
from ..figure import Figure, Planned
from ..records import Record, read_records
from ..rows import Row, row_named, rows_of, threads_of
from ..speedup import Contestant, Race, interleaved
from ..subject import BenchSettings
from .artifacts import FP32, INT8, PLACE, Maker, Say, configurations, name_of
from .others import TOLERATED, OtherLoad
from .section import NOT_YET, Section, at_least, command, number, table
from .standing import Standing, attempt, record_of

TITLE, RECORDS = "Speed", "records.jsonl"
RECIPES, THREADS = (FP32, INT8), (1, 2)
FASTER = {"hifigan-s": 2.0, "melgan-m": 3.0, "diffwave-m": 3.2}  # int8 over fp32 that the project set itself, one thread
MORE_THREADS = {FP32: 1.7, INT8: 1.45}  # two threads over one, of the same three
ALONE = {"diffwave": "step"}  # the graph that is timed in place of the whole synthesis


@dataclass(frozen=True)
class Course:
    """How one configuration is timed: the graph or the whole, repeats and patience, numbers of threads."""

    graph: str
    settings: BenchSettings
    threads: tuple[int, ...]

    @classmethod
    def of(cls, configuration: CatalogueRow, quick: bool = False) -> "Course":
        """The three of which something is asked run longer, and also with two threads. `quick`: to try it out."""
        asked, graph = name_of(configuration) in FASTER, ALONE.get(configuration.family, "")
        repeats, patience = (3, 1.0) if quick else (30, 12.0) if asked else (15, 6.0)
        seconds = 0.2 if quick else 1.0 if graph else 2.0
        return cls(graph, BenchSettings(seconds=seconds, repeats=repeats, warmup=1, patience=patience), THREADS if asked else THREADS[:1])

    def metric(self, what: str) -> str:
        """A metric of the whole synthesis, or of the graph."""
        return f"{what}_{self.graph}" if self.graph else what


def measure(root: Path, only: Collection[str] = (), again: bool = False, say: Say = print, quick: bool = False) -> None:
    """Time what has not been timed. All artifacts are made first: making one would disturb the next race."""
    ready: list[tuple[Maker, dict[str, Artifact]]] = []
    for maker in (Maker(root, configuration, say) for configuration in configurations()):
        name = name_of(maker.configuration)
        if not only or name in only:
            try:
                ready.append((maker, {recipe: maker.artifact(recipe) for recipe in RECIPES}))
            except (VcompressError, MemoryError) as error:
                say(f"{name} cannot be timed: {error or 'the memory of this machine is too small for it'}")
    standing = Standing(root / PLACE / RECORDS, again)
    for maker, artifacts in ready:
        _race(maker, artifacts, Course.of(maker.configuration, quick), standing)


def _race(maker: Maker, artifacts: Mapping[str, Artifact], course: Course, standing: Standing) -> None:
    planned = list(_planned(maker, artifacts, course))
    identities = {recipe: artifact.identity for recipe, artifact in artifacts.items()}
    if all(standing.has(record_of(maker.configuration, recipe, one, artifact=identities[recipe])) for recipe, one in planned):
        return
    maker.say(f"timing {name_of(maker.configuration)}")
    for recipe, one in planned:
        standing.add(record_of(maker.configuration, recipe, one, attempt(one.measure), identities[recipe]))


def _planned(maker: Maker, artifacts: Mapping[str, Artifact], course: Course) -> Iterator[tuple[str, Planned]]:
    """Recipe and figure; one race gives them all."""
    settings = course.settings
    threads = [count for count in course.threads if count <= int(environment()["cores"])]
    method = f"up to {settings.repeats} interleaved runs of {settings.seconds:g} s of audio in one process; {maker.weights}"

    @cache
    def race() -> tuple[Race, dict[str, str]]:
        others = OtherLoad()
        found = interleaved([Contestant(f"{recipe} {count}", artifacts[recipe], count, course.graph) for count in threads for recipe in RECIPES], settings)
        busy = others.cores()
        if busy is not None and busy > TOLERATED:
            maker.say(f"Other processes kept {busy:.1f} cores busy meanwhile; measure again with --again when the machine is quiet.")
        return found, {"weights": maker.weights} | ({} if busy is None else {"others": f"{busy:.2f}"})

    def planned(metric: str, unit: str, count: int, figure: Callable[[Race], Figure]) -> Planned:
        def measured() -> Figure:
            found, known = race()
            return replace(figure(found), environment=known)

        return Planned(course.metric(metric), unit, f"median of {method}", measured, {"threads": count}, window=settings.seconds)

    for recipe, count in product(RECIPES, threads):
        own = f"{recipe} {count}"
        yield recipe, planned("rtf", "s/s", count, _rtf(own))
        if recipe == INT8:
            yield recipe, planned("speedup", "x", count, _ratio(f"{FP32} {count}", own))
        if count != THREADS[0]:
            yield recipe, planned("thread_speedup", "x", count, _ratio(f"{recipe} {THREADS[0]}", own))


def _rtf(label: str) -> Callable[[Race], Figure]:
    return lambda race: race.timings[label].rtf


def _ratio(slow: str, fast: str) -> Callable[[Race], Figure]:
    return lambda race: race.ratio(slow, fast)


def write(root: Path) -> Section:
    """The section, from the records."""
    records = read_records(root / PLACE / RECORDS)
    rows, timed = rows_of(records), [record for record in records if record.metric.split("_")[0] in ("rtf", "speedup", "thread")]
    blocks = [
        "### int8 over fp32, one thread",
        table(("Vocoder", "What", "fp32 (s/s)", "int8 (s/s)", "int8 over fp32", "Asked", "", "Weights"), [_faster(rows, c) for c in configurations()]),
        "### Two threads over one",
        table(
            ("Vocoder", "What", "fp32", "Asked", "", "int8", "Asked", ""),
            [_more_threads(rows, c) for c in configurations() if name_of(c) in FASTER],
        ),
    ]
    text = (
        "fp32 and static int8 take turns in one process, both in ONNX Runtime; a ratio is the median of the ratios round by round, "
        "± half their interquartile range. s/s: seconds of computing for a second of audio. Time does not depend on what the weights are: "
        "where no trained ones come with the package they are random, from a fixed seed, and calibrated all the same. DiffWave is one call of its `step`."
    )
    return Section(TITLE, text, blocks, timed, command("speed", root))


def _faster(rows: Sequence[Row], configuration: CatalogueRow) -> list[str]:
    course, name = Course.of(configuration), name_of(configuration)
    speedup, asked = _figure(rows, name, INT8, course.metric("speedup"), 1), FASTER.get(name)
    times = [number(_value(_figure(rows, name, recipe, course.metric("rtf"), 1)), 3, "") for recipe in RECIPES]
    weights = "" if speedup is None else speedup.environment.get("weights", "").split(" weights")[0]
    return [_title(configuration), _what(course, speedup), *times, _text(speedup), _asked(asked), at_least(_value(speedup), asked), weights]


def _more_threads(rows: Sequence[Row], configuration: CatalogueRow) -> list[str]:
    course, cells, found = Course.of(configuration), [], None
    for recipe, asked in MORE_THREADS.items():
        found = _figure(rows, name_of(configuration), recipe, course.metric("thread_speedup"), 2)
        cells += [_text(found), _asked(asked), at_least(_value(found), asked)]
    return [_title(configuration), _what(course, found), *cells]


def _figure(rows: Sequence[Row], name: str, recipe: str, metric: str, threads: int) -> Record | None:
    row = row_named(rows, name, recipe)
    return next((record for record in row.figures.get(metric, ()) if threads_of(record) == threads), None) if row else None


def _value(record: Record | None) -> float | None:
    return record.value if record else None


def _text(record: Record | None) -> str:
    if record is None or record.value is None:
        return record.reason if record else NOT_YET
    return f"{record.value:.2f}" + (f" ± {record.spread / 2:.2f}" if record.spread is not None else "")


def _asked(bound: float | None) -> str:
    return "" if bound is None else f"≥ {bound:g}"


def _what(course: Course, record: Record | None) -> str:
    seconds = (record.window if record else None) or course.settings.seconds
    return f"`{course.graph}`, {seconds:g} s" if course.graph else f"{seconds:g} s"


def _title(configuration: CatalogueRow) -> str:
    return f"{configuration.title} {configuration.size}"
