"""A section of docs/figures.md: its tables, and where, when and with what they were measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Record
from ..table import markdown_table

NOT_YET = "not measured yet"
# environment -> how it is written
MACHINE = {"machine": "{}", "instruction_sets": "{}", "memory": "{}", "system": "{}", "accelerator": "trained on {}"}
VERSIONS = ("python", "vcompress", "onnxruntime", "onnx", "torch", "torchao", "lightning", "numpy", "pesq", "pystoi", "speechmos")


@dataclass(frozen=True)
class Section:
    """`text`: what was measured and how; `blocks`: tables and sentences; `records`: all that is behind them; `command`: what repeats it."""

    title: str
    text: str
    blocks: Sequence[str]
    records: Sequence[Record]
    command: str

    def markdown(self) -> str:
        """The section, its making below it."""
        return "\n\n".join([f"## {self.title}", self.text, *filter(None, self.blocks), f"{self._made()}\n\n    {self.command}"]) + "\n"

    def _made(self) -> str:
        if not self.records:
            return f"Nothing is {NOT_YET.removeprefix('not ').removesuffix(' yet')} yet; this measures it:"
        days = sorted({record.time[:10] for record in self.records if record.time})
        machine = "; ".join(text.format(" or ".join(values)) for key, text in MACHINE.items() if (values := self._known(key)))
        versions = ", ".join(f"{key} {' or '.join(values)}" for key in VERSIONS if (values := self._known(key)))
        others = max((float(value) for value in self._known("others")), default=None)
        busy = "" if others is None else f" Other processes kept at most {others:.2f} cores busy meanwhile."
        date = f"{days[0]} to {days[-1]}" if len(days) > 1 else "".join(days)
        return f"{date}. {machine}. {versions}.{busy} This repeats it:"

    def _known(self, key: str) -> list[str]:
        return list(dict.fromkeys(value for record in self.records if (value := record.environment.get(key))))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; nothing without rows."""
    return markdown_table([headings, *rows]) if rows else ""


def at_least(value: float | None, bound: float | None) -> str:
    """Met or missed, where something is asked and known."""
    return "" if value is None or bound is None else "met" if value >= bound else "**missed**"


def at_most(value: float | None, bound: float | None) -> str:
    """Met or missed, where something is asked and known."""
    return "" if value is None or bound is None else "met" if value <= bound else "**missed**"


def number(value: float | None, digits: int = 2, reason: str = NOT_YET) -> str:
    """A figure, or why there is none."""
    return reason if value is None else f"{value:.{digits}f}"


def command(part: str, root: object) -> str:
    """What measures a part and writes the page again."""
    return f"python -m vcompress.benchmarks.figures --part {part} --workspace {root}"
