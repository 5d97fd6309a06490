"""Quality: what the records of a workspace say of its trained vocoders; nothing is measured here, `vcompress run` has done it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...runtime.workspace import Workspace
from ..columns import BY_METRIC, signed
from ..paired import absence, compare
from ..records import read_records
from ..report.claims import narrow_band_claims
from ..report.panels import diffusion_steps
from ..report.training import Training, all_trainings
from ..rows import Row, rows_of
from ..table import ABSENT, difference_text
from ..verdict import TRAINED, bound_of, judge
from .section import Section, at_least, at_most, number, table

TITLE = "Quality"
SNR = 20.0  # dB of static int8 against its own fp32 output, that the project set itself
LEAST_STEPS, OVER_CONTROL = 1000, 1.05  # of QAT; its last validation loss over the control's


def write(root: Path) -> Section:
    """The section, from the records and the runs' curves."""
    rows = rows_of(read_records(Workspace(root).records))
    shown = [record for row in rows for figures in row.figures.values() for record in figures if record.clips]
    text = (
        "On the validation clips, clip by clip: static int8 against fp32, QAT against its control (the same but for fake quantization). "
        f"± is the 95 % interval of the paired mean. Where fp32 is below {TRAINED:.1f} PESQ wb, a vocoder is not trained enough to judge."
    )
    claims = narrow_band_claims(rows)
    blocks = [
        *_titled("What int8 costs", _paired(rows)),
        *_titled("SNR against the own fp32 output, from the same noise", _snr(rows)),
        *_titled("Diffusion step by step: SNR in dB of the state that is fed back, after each network call", *_steps(rows)),
        *_titled("Does fake quantization improve DiffWave's narrow-band PESQ, as the earlier work has it?", "\n".join(f"- {claim}" for claim in claims)),
        *_titled("Validation loss of QAT and its control", _curves(all_trainings(root))),
    ]
    return Section(TITLE, text, blocks, shown, _command(root))


def _command(root: Path) -> str:
    """`make bench` with the data of the newest trained run; folders by their last name only."""
    facts: dict[str, Any] = next((run.facts["training"] for run in Workspace(root).runs() if isinstance(run.facts.get("training"), dict)), {})
    options = [f"--data {Path(folder).name}" for folder in facts.get("data", ())]
    if pattern := facts.get("split", {}).get("validation"):
        options.append(f"--validation '{pattern}'")
    return f'make bench BENCH_ARGS="{" ".join(options)}"' if options else "make bench"


def _titled(title: str, *blocks: str) -> list[str]:
    return [f"### {title}", *blocks] if any(blocks) else []


def _paired(rows: Sequence[Row]) -> str:
    pesq, mel = BY_METRIC["pesq_wb"], BY_METRIC["log_mel_l1"]
    lines = []
    for row in rows:
        if row.recipe.endswith("fp32") or "control_" in row.recipe:
            continue
        bound, verdict = bound_of(row), judge(rows, row)
        differences = [(compare(rows, row, column.metric), column) for column in (pesq, mel)]
        texts = [
            (difference.reason if difference else "") if difference is None or difference.value is None else difference_text(difference, column, column is mel)
            for difference, column in differences
        ]
        reference = next((difference.reference for difference, _ in differences if difference), "")
        clips = max((difference.clips for difference, _ in differences if difference), default=0)
        values = [number(row.value(column.metric), column.digits, absence(row, column.metric)) for column in (pesq, mel)]
        asked = f"≥ {signed(f'-{bound.pesq_wb:.2f}')}", f"≤ +{bound.log_mel_l1:.0%}".replace("%", " %")
        lines.append([row.name, row.recipe, reference, str(clips), values[0], texts[0], asked[0], values[1], texts[1], asked[1], verdict.outcome.value])
    return table(("Vocoder", "Recipe", "against", "Clips", "PESQ wb", "difference", "Asked", "Log-mel L1", "difference", "Asked", "Verdict"), lines)


def _snr(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        if row.figure("snr_fp32") is None or row.recipe.endswith("fp32") or "control_" in row.recipe:
            continue
        value, bound = row.value("snr_fp32"), SNR if "static" in row.recipe or "mixed" in row.recipe else None
        lines.append([row.name, row.recipe, number(value, 1, absence(row, "snr_fp32")), f"≥ {bound:g}" if bound else "", at_least(value, bound)])
    return table(("Vocoder", "Recipe", "SNR (dB)", "Asked", ""), lines)


def _steps(rows: Sequence[Row]) -> list[str]:
    found = []
    for steps in diffusion_steps(rows):
        headings = ("Vocoder", "Recipe", *(f"call {call} (step {step})" for call, step in enumerate(steps.steps, 1)))
        found.append(table(headings, [[steps.name, recipe, *(number(value, 1, ABSENT) for value in values)] for recipe, values in steps.rows]))
    return found


def _curves(found: Sequence[Training]) -> str:
    ends = {(training.name, training.recipe): training.curve[-1][1] for training in found if training.curve}
    lines = []
    for training in found:
        control = ends.get((training.name, f"control_{training.recipe}"))
        over = ends[training.name, training.recipe] / control if control and training.curve else None
        steps = "" if training.steps is None else f"{training.steps:,}"
        lines.append([training.name, training.recipe, steps, training.change or "no curve", number(over, 3, ""), _stable(training, over)])
    return table(
        ("Vocoder", "Recipe", "Steps", "Start → end", "End over control's", f"Asked: end ≤ start, ≤ {OVER_CONTROL:g} x control, ≥ {LEAST_STEPS:,} steps"), lines
    )


def _stable(training: Training, over: float | None) -> str:
    if over is None or len(training.curve) < 2:
        return ""
    if (training.steps or 0) < LEAST_STEPS:
        return f"**missed**: fewer than {LEAST_STEPS:,} steps"
    return at_most(max(training.curve[-1][1] / training.curve[0][1], over / OVER_CONTROL), 1.0)
