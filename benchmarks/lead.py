"""The verdict line of a page: one sentence on the quantized row that gains most without losing its quality."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..compress.recipes import pruning_of, unpruned
from ..vocoders.catalogue import catalogue
from .columns import TIMES
from .paired import compare
from .prospects import Prospect, Target
from .provenance import weakest
from .rows import FOLDED, Row, recipe_word, row_named
from .verdict import Outcome, judge, quantized, ratio

NAMED = 3  # targets of one kind that the sentence names
ORDER = (Outcome.KEPT, Outcome.UNSURE, Outcome.UNKNOWN, Outcome.UNTRAINED, Outcome.LOST)
INT8 = {"qat": "int8 QAT", "static": "static int8", "dynamic": "dynamic int8", "mixed": "mixed int8", "symmetric": "symmetric int8"}


@dataclass(frozen=True)
class Phrase:
    """A part of a sentence; `known` where it holds a figure."""

    text: str
    known: str = ""


def lead(rows: Sequence[Row], targets: Sequence[Target]) -> list[Phrase]:
    """The sentence about the row with the best outcome, and among those the smallest and fastest; empty where nothing is quantized."""
    found = [row for row in quantized(rows) if ratio(rows, row, "file_bytes") or ratio(rows, row, "rtf")]
    found = [row for row in found if not row.pruned or judge(rows, row).outcome is not Outcome.UNKNOWN]  # small at whatever cost is no news
    if not found:
        return []
    return sentence(rows, min(found, key=lambda row: _rank(rows, row)), targets)


def _rank(rows: Sequence[Row], row: Row) -> tuple[int, float, float, bool]:
    """The best outcome first; then what saves most, to two digits, so that chance in a timing does not decide; then what loses least."""
    gain = (ratio(rows, row, "file_bytes") or 1.0) * (ratio(rows, row, "rtf") or 1.0)
    difference = compare(rows, row, "pesq_wb")
    lost = -difference.value if difference and difference.value is not None else 0.0
    return ORDER.index(judge(rows, row).outcome), -float(f"{gain:.2g}"), lost, row.folded


def sentence(rows: Sequence[Row], row: Row, targets: Sequence[Target]) -> list[Phrase]:
    """What a row saves against fp32, what it costs in quality, and where it runs in real time."""
    costs = [phrase for phrase in (_size(rows, row), _speed(rows, row)) if phrase]
    joined = [costs[0], Phrase(" and "), costs[1]] if len(costs) > 1 else costs
    start = f"{_recipe(row)} {vocoder_title(row)} is "
    start = start if start.startswith("int8") else start[0].upper() + start[1:]
    return [Phrase(start), *joined, Phrase(" than fp32"), *_quality(rows, row), *_places(row, targets), Phrase(".")]


def vocoder_title(row: Row) -> str:
    """ "HiFi-GAN S" for hifigan-s; a vocoder of one's own keeps its name."""
    title = next((known.title for known in catalogue() if known.family == row.family), "")
    return f"{title} {row.size}" if title and row.name == f"{row.family}-{row.size}".lower() else row.name


def _recipe(row: Row) -> str:
    word = recipe_word(unpruned(row.recipe)).removeprefix("folded ")
    pruned = f"{pruning_of(row.recipe)} " if row.pruned else ""
    return f"{'folded ' if row.folded else ''}{pruned}{INT8.get(word, f'{word} int8')}"


def _size(rows: Sequence[Row], row: Row) -> Phrase | None:
    found = ratio(rows, row, "file_bytes")
    return Phrase(_times(found, "smaller", "larger"), _known(rows, row, "file_bytes")) if found else None


def _speed(rows: Sequence[Row], row: Row) -> Phrase | None:
    found = ratio(rows, row, "rtf")
    return Phrase(_times(found, "faster", "slower"), _known(rows, row, "rtf")) if found else None


def _times(found: float, more: str, less: str) -> str:
    return f"{found:.1f}{TIMES} {more}" if found >= 1 else f"{1 / found:.1f}{TIMES} {less}"


def _known(rows: Sequence[Row], row: Row, metric: str) -> str:
    pair = (row, row_named(rows, row.name, row.baseline_recipe))
    return weakest(record.known for of in pair if of and (record := of.figure(metric)))


def _quality(rows: Sequence[Row], row: Row) -> list[Phrase]:
    if judge(rows, row).outcome is Outcome.UNTRAINED:
        return [Phrase("; fp32 itself is not trained enough for its quality to be judged")]
    difference = compare(rows, row, "pesq_wb")
    if difference is None or difference.value is None:
        return [Phrase("; its PESQ was not compared")]
    record = row.figure("pesq_wb")
    known, against = record.known if record else "", " against its control" if difference.reference.removeprefix(FOLDED).startswith("control_") else ""
    lost = -difference.value
    words = f" for {lost:.2f} PESQ" if lost >= 0.005 else f" and gains {-lost:.2f} PESQ" if lost <= -0.005 else " at the same PESQ"
    return [Phrase(f"{words}{against}", known)]


def _places(row: Row, targets: Sequence[Target]) -> list[Phrase]:
    found = [(target.name, prospect) for target in targets if not target.other and (prospect := target.prospect(row.name, row.recipe))]
    kinds: dict[str, list[tuple[str, Prospect]]] = {"real time on ": [], "in doubt on ": [], "not on ": []}
    for name, prospect in found:
        if prospect.fits.answer is False:
            kinds["not on "].append((name, prospect))
        elif (rtf := prospect.span("rtf")) is not None:
            kinds["real time on " if rtf.high <= 1 else "in doubt on " if rtf.low <= 1 else "not on "].append((name, prospect))
    phrases: list[Phrase] = []
    for words, there in kinds.items():
        if there:
            start = f"{'; ' if not phrases else ', '}{'real time ' if words != 'real time on ' and not phrases else ''}{words}"
            phrases.append(Phrase(start + _names([name for name, _ in there]), weakest(_how(prospect) for _, prospect in there)))
    return phrases


def _how(prospect: Prospect) -> str:
    rtf = prospect.span("rtf")
    return prospect.fits.known if prospect.fits.answer is False or rtf is None else rtf.known


def _names(names: Sequence[str]) -> str:
    shown = [*names[:NAMED], *([f"{len(names) - NAMED} more"] if len(names) > NAMED else [])]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
