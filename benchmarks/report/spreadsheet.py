"""`pareto.csv`: one line a row of the key table, values in the units of the records, fronts as 1 or 0."""

import csv
import io
from collections.abc import Sequence

from ..columns import COSTS, QUALITY
from ..paired import compare
from ..rows import Row, clips_of, front_of, place_of
from ..verdict import judge, ratio


def to_csv(rows: Sequence[Row]) -> str:
    """The text of the file. An absent figure is an empty field, its reason stands in `absent`."""
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.figures))
    qualities = [column for column in QUALITY if any(row.value(column.metric) is not None for row in rows)]
    fronts = {f"front_{q.metric}_{c.metric}": (q, c, front_of(rows, (q.objective, c.objective))) for q in qualities for c in COSTS}
    lines = []
    for i, row in enumerate(rows):
        line: dict[str, object] = {"name": row.name, "family": row.family, "size": row.size, "recipe": row.recipe, "artifact": row.artifact}
        line |= dict(zip(("backend", "target", "machine"), _place(row), strict=True))
        line["clips"] = " ".join(sorted({clips for clips in clips_of(row, *metrics) if clips}))
        line |= {metric: _text(row.value(metric)) for metric in metrics}
        for metric, label in (("file_bytes", "size_ratio"), ("rtf", "speed_ratio")):
            found = ratio(rows, row, metric)
            line[label] = _text(1 / found if found and label == "size_ratio" else found)
        for column in qualities:
            difference = compare(rows, row, column.metric)
            line[f"{column.metric}_difference"] = _text(difference.value if difference else None)
            line[f"{column.metric}_half_width"] = _text(difference.half_width if difference else None)
        line["compared_with"] = row.reference_recipe or ""
        line["verdict"] = judge(rows, row).outcome.value
        for label, (quality, cost, inside) in fronts.items():
            known = row.value(quality.metric) is not None and row.value(cost.metric) is not None
            line[label] = int(inside[i]) if known else ""
        line["absent"] = "; ".join(f"{metric}: {record.reason}" for metric in metrics if (record := row.figure(metric)) and record.value is None)
        lines.append(line)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def _place(row: Row) -> tuple[str, str, str]:
    places = [place_of(record) for records in row.figures.values() for record in records]
    backend, target, machine = (next((part for part in parts if part), "") for parts in zip(*places, strict=True))
    return backend, target, machine
