"""Runs that go on: the same command finds the run that it, or a killed one before it, began."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import VcompressError
from ..runtime.workspace import RUN

if TYPE_CHECKING:
    from ..runtime.workspace import Run, Workspace

LOCK = ".lock"


@contextmanager
def resumable_run(
    workspace: "Workspace", family: str, size: str, recipe: str, name: str | None, request: dict[str, Any], fresh: bool = False
) -> Iterator["Run"]:
    """The newest unfinished run of this request that nobody is working on, or a new one; held until the block ends."""
    name = name or f"{family}-{size.lower()}"
    unfinished = () if fresh else workspace.runs(family=family, size=size, recipe=recipe, name=name, complete=False, training=request)
    for run in unfinished:
        with _holding(run.folder) as held:
            if held:
                typer.echo(f"Going on with {run.folder} (--fresh starts anew).", err=True)
                yield run
                return
    run = workspace.new_run(family, size, recipe, name, training=request)
    try:
        with _holding(run.folder):
            yield run
    except VcompressError:
        if {path.name for path in run.folder.iterdir()} <= {RUN, LOCK}:  # it failed before its first step
            workspace.remove(run)
        raise


@contextmanager
def _holding(folder: Path) -> Iterator[bool]:
    """Whether this process is the only one at work in a run; the hold ends with the process, however it ends."""
    import fcntl

    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
