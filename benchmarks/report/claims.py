"""The earlier work's claim that fake quantization improves DiffWave's narrow-band PESQ, put to the test against the control."""

from collections.abc import Sequence

from ..columns import signed
from ..paired import compare
from ..rows import Row


def narrow_band_claims(rows: Sequence[Row]) -> list[str]:
    """One sentence for each QAT row of DiffWave whose control was measured."""
    found = []
    for row in rows:
        if row.family != "diffwave" or row.control or row.pruned or "qat" not in row.recipe:
            continue
        difference = compare(rows, row, "pesq_nb")
        if difference is None or difference.value is None:
            continue
        half = difference.half_width
        said = signed(f"{difference.value:+.3f}") + (f" ± {half:.3f} (95 %, {difference.clips} clips)" if half is not None else "")
        if half is None:
            outcome = "without the single clips it cannot be told from chance"
        elif abs(difference.value) <= half:
            outcome = "no difference that these clips can show"
        else:
            outcome = "an improvement" if difference.value > 0 else "a loss, not an improvement"
        found.append(f"{row.name} {row.recipe} against {difference.reference}: PESQ nb {said}: {outcome}.")
    return found
