"""What a command says: results on stdout, everything on the way there on stderr."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

Progress = Callable[..., None]  # (done, total) or (done, total, what is being done)


def print_json(document: Any) -> None:
    """One JSON document, the only thing that a command with --json writes to stdout."""
    print(json.dumps(document, indent=1, allow_nan=False, default=str))


def say(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> None:
    """A table on stdout; the first `words` columns are words, the others figures (set to the right)."""
    lines = [tuple(headers), *(tuple(map(_printable, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    for line in lines:
        cells = [cell.ljust(width) if i < words else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths, strict=True))]
        print("  ".join(cells).rstrip())


def _printable(cell: str) -> str:
    """Without what would steer a terminal: cells come from files, which come from anybody."""
    return cell if cell.isprintable() else "".join(character if character.isprintable() else "?" for character in cell)


@contextmanager
def working() -> Iterator[None]:
    """While a command works: what any library prints goes to stderr, so that stdout holds the result alone."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar on stderr, where that is a terminal; moved by calling what is given with (done, total) or (done, total, what)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total, what="": progress.update(task, completed=done, total=total, description=what or title)
