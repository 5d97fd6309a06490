"""`python -m vcompress.benchmarks.figures`: measure what is missing of the README's figures, print them, and write the page of them."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ...errors import VcompressError
from ...runtime.files import write_text
from ...runtime.workspace import Workspace
from .artifacts import configurations, name_of

PARTS = ("quality", "speed", "size", "steps")  # as on the page
MEASURED = ("size", "speed", "steps")  # in the order of measuring: size makes the artifacts
INTRODUCTION = """# Figures

Every figure here comes from records, which `make bench` measures; this page is written by it. "Asked" is what the project set itself. Ratios are
of one run on one machine; another machine has other times.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts asked for, print their tables and write the page of all parts. 2: a VcompressError, as one sentence on stderr."""
    asked = _parser().parse_args(arguments)
    parts = [part for part in PARTS if part in (asked.part or PARTS)]
    try:
        Workspace(asked.workspace).check_writable()
        for part in (part for part in MEASURED if part in parts):
            _module(part).measure(asked.workspace, asked.only or (), asked.again, _say, asked.quick)
        sections = {part: _module(part).write(asked.workspace).markdown() for part in PARTS}
        write_text(asked.out, "\n".join([INTRODUCTION, *sections.values()]))
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(sections[part] for part in parts))
    print(asked.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.figures", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="one part; may be given again (default: all)")
    parser.add_argument("--workspace", type=Path, default=Path("runs/bench"), metavar="DIR", help="where `vcompress run` has been; own work goes to DIR/speed")
    parser.add_argument("--out", type=Path, default=Path("docs/figures.md"), metavar="FILE", help="the page")
    parser.add_argument("--only", action="append", choices=[name_of(c) for c in configurations()], help="one configuration; may be given again (default: all)")
    parser.add_argument("--again", action="store_true", help="measure also what has its record")
    parser.add_argument("--quick", action="store_true", help="few and short runs, to try it out; replaced by the next call without it")
    return parser


def _module(part: str):  # type: ignore[no-untyped-def]
    return import_module(f".{part}", __package__)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
