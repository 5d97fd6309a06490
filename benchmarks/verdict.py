"""Whether a recipe keeps the quality of what it is compared with, by the bounds that the project set itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .columns import TIMES
from .paired import Difference, compare
from .records import HOST
from .rows import Row, is_trained, row_named, threads_of

TRAINED = 2.0  # PESQ wide band of fp32; below it a vocoder is too rough for a difference to mean anything


class Outcome(StrEnum):
    """What is said of a row."""

    REFERENCE = "reference"
    KEPT = "quality kept"
    UNSURE = "kept on average"
    LOST = "quality lost"
    UNTRAINED = "not trained enough to judge"
    UNKNOWN = "-"


@dataclass(frozen=True)
class Bound:
    """What a recipe may lose: PESQ wide band in points, log-mel L1 relative to the reference."""

    pesq_wb: float
    log_mel_l1: float

    def __str__(self) -> str:
        return f"at most {self.pesq_wb:.2f} PESQ wb lower and {self.log_mel_l1:.0%} log-mel L1 higher".replace("%", " %")


TRAINED_RECIPE = Bound(0.03, 0.02)
OTHER_RECIPE = Bound(0.10, 0.05)


@dataclass(frozen=True)
class Verdict:
    """An outcome and the sentence behind it."""

    outcome: Outcome
    why: str = ""


def bound_of(row: Row) -> Bound:
    """What is trained last (QAT, pruning in fp32) is held to tighter bounds than what is not."""
    return TRAINED_RECIPE if is_trained(row.recipe) else OTHER_RECIPE


def judge(rows: Sequence[Row], row: Row) -> Verdict:
    """The verdict on one row; it rests on paired means, and says when their interval reaches beyond the bound."""
    fp32 = row_named(rows, row.name, "fp32") or row_named(rows, row.name, "folded_fp32")
    pesq = fp32.value("pesq_wb") if fp32 else None
    if pesq is not None and pesq < TRAINED:
        return Verdict(Outcome.UNTRAINED, f"the PESQ wb of {row.name} in fp32 is {pesq:.2f}, below {TRAINED:.1f}")
    if row.control or (row.recipe.endswith("fp32") and not row.pruned):
        return Verdict(Outcome.REFERENCE, "others are compared with this row")
    if pesq is None:
        return Verdict(Outcome.UNKNOWN, f"no PESQ wb of {row.name} in fp32 to tell whether it is trained enough")
    bound = bound_of(row)
    differences = compare(rows, row, "pesq_wb"), compare(rows, row, "log_mel_l1")
    outcomes = [_outcome(*losses) for losses in (_pesq_loss(differences[0], bound), _mel_loss(differences[1], bound))]
    if Outcome.UNKNOWN in outcomes:
        return Verdict(Outcome.UNKNOWN, next((d.reason for d in differences if d and d.reason), "the reference's log-mel L1 is 0"))
    worst = max(outcomes, key=[Outcome.KEPT, Outcome.UNSURE, Outcome.LOST].index)
    reference = differences[0].reference if differences[0] else ""
    return Verdict(worst, f"allowed against {reference}: {bound}" + ("; the 95 % interval reaches beyond" if worst is Outcome.UNSURE else ""))


Loss = tuple[float | None, float, float]


def _pesq_loss(difference: Difference | None, bound: Bound) -> Loss:
    if difference is None or difference.value is None:
        return None, 0.0, bound.pesq_wb
    return -difference.value, difference.half_width or 0.0, bound.pesq_wb


def _mel_loss(difference: Difference | None, bound: Bound) -> Loss:
    if difference is None or difference.relative is None:
        return None, 0.0, bound.log_mel_l1
    return difference.relative, difference.relative_half_width or 0.0, bound.log_mel_l1


def _outcome(loss: float | None, half_width: float, bound: float) -> Outcome:
    if loss is None:
        return Outcome.UNKNOWN
    if loss > bound:
        return Outcome.LOST
    return Outcome.KEPT if loss + half_width <= bound else Outcome.UNSURE


def quantized(rows: Sequence[Row]) -> list[Row]:
    """The rows in 8 bits; a control is none, though its name says which recipe it belongs to."""
    return [row for row in rows if "w8" in row.recipe and not row.control]


def compressed(rows: Sequence[Row]) -> list[Row]:
    """The rows in 8 bits, and those of which weights or channels are gone."""
    return [row for row in rows if row.pruned or quantized([row])]


def headline(rows: Sequence[Row]) -> str:
    """One sentence: how much smaller and faster int8 is, and what became of the quality. Speed at the fewest threads measured."""
    found = quantized(rows)
    if not found:
        return "Nothing quantized has been measured yet; make some with vcompress quantize and vcompress qat, then vcompress bench."
    parts = []
    if smaller := _range(rows, found, "file_bytes"):
        parts.append(f"{smaller} smaller")
    if faster := _range(rows, found, "rtf"):
        parts.append(f"{faster} as fast")
    vocoders = len({row.name for row in found})
    costs = f"int8 makes {vocoders} vocoder{'s' * (vocoders > 1)} {' and '.join(parts)}" if parts else f"int8 of {vocoders} vocoders"
    verdicts = [(row, judge(rows, row).outcome) for row in found]
    judged = [outcome for _, outcome in verdicts if outcome in (Outcome.KEPT, Outcome.UNSURE, Outcome.LOST)]
    quality = []
    if judged:
        words = {Outcome.KEPT: "keep the quality of their reference", Outcome.UNSURE: "keep it on average", Outcome.LOST: "lose quality"}
        counts = [f"{judged.count(outcome)} {words[outcome]}" for outcome in words if outcome in judged]
        quality.append(f"of {len(judged)} quantized rows judged {', '.join(counts)}")
    if untrained := sorted({row.name for row, outcome in verdicts if outcome is Outcome.UNTRAINED}):
        quality.append(f"{' and '.join(untrained)} {'is' if len(untrained) == 1 else 'are'} not trained enough to judge")
    if slow := [row for row in found if not_faster(rows, row)]:
        costs += f"; {' and '.join(f'{row.name} {row.recipe} is {not_faster(rows, row)}' for row in slow)}"
    return (f"Measured as {target}: " if (target := measured_as(rows)) else "") + "; ".join([costs, *quality]) + "."


def measured_as(rows: Sequence[Row]) -> str:
    """The target that the rows were timed as, such as "rpi-4b on ANOTHER machine"; "" where that is just the machine itself. All rows share it."""
    timed = (row.figure("rtf") for row in rows)
    return next((record.target for record in timed if record and record.target != HOST), "")


def not_faster(rows: Sequence[Row], row: Row) -> str:
    """That a quantized row takes as long as its fp32 or longer, and where it was timed; "" where it is faster, or not known to be slower."""
    own, found = row.figure("rtf"), ratio(rows, row, "rtf") if quantized([row]) else None
    if own is None or found is None or found > 1:
        return ""
    place = "this machine" if own.target == HOST else own.target
    return f"not faster than {row.baseline_recipe} on {place}: {found:.2f}{TIMES}"


def ratio(rows: Sequence[Row], row: Row, metric: str) -> float | None:
    """Value of the baseline row (fp32, folded alike) over the row's; None where one is missing or zero, or the threads differ."""
    baseline = row_named(rows, row.name, row.baseline_recipe)
    own, base = row.figure(metric), baseline.figure(metric) if baseline else None
    if not own or not base or not own.value or not base.value or threads_of(own) != threads_of(base):
        return None
    return (raced(row, threads_of(own)) if metric == "rtf" else None) or base.value / own.value


def raced(row: Row, threads: int) -> float | None:
    """The speed-up from runs interleaved with the baseline's, which a busy machine does not falsify; None where there were none."""
    return next((record.value for record in row.figures.get("speedup", ()) if threads_of(record) == threads), None)


def _range(rows: Sequence[Row], chosen: Sequence[Row], metric: str) -> str:
    ratios = sorted(found for row in chosen if (found := ratio(rows, row, metric)))
    if not ratios:
        return ""
    low, high = f"{ratios[0]:.1f}", f"{ratios[-1]:.1f}"
    return f"{low}{TIMES}" if low == high else f"{low}{TIMES} to {high}{TIMES}"
