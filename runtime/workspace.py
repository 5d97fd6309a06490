"""The workspace: `runs/<name>/<recipe>/<run-id>/`, and which run is meant when none is named."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import VcompressError
from .files import write_text

RUN = "run.json"
ARTIFACT = "artifact"
RECORDS = "records.jsonl"


@dataclass(frozen=True)
class Run:
    """One compression or training. `facts` is what `run.json` holds: family, size, name, recipe, complete, and whatever its maker adds."""

    folder: Path
    facts: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Whether the run reached its end."""
        return bool(self.facts.get("complete"))

    @property
    def artifact(self) -> Path:
        """Where `export` puts the artifact."""
        return self.folder / ARTIFACT

    def update(self, **facts: Any) -> "Run":
        """Write more facts and give the run that has them."""
        run = Run(self.folder, {**self.facts, **facts})
        write_text(run.folder / RUN, json.dumps(run.facts, indent=1))
        return run


class Workspace:
    """A folder of runs. Raises VcompressError where it cannot be written."""

    def __init__(self, root: str | Path = "runs"):
        self.root = Path(root)

    @property
    def records(self) -> Path:
        """The file of all records."""
        return self.root / RECORDS

    def new_run(self, family: str, size: str, recipe: str, name: str | None = None, **facts: Any) -> Run:
        """A fresh folder, named by its time so that names sort by age."""
        name = name or f"{family}-{size.lower()}"
        if name in (".", "..") or not all(c.isalnum() or c in "-_." for c in name):
            raise VcompressError(f"{name!r} cannot be a run's name; use letters, digits, '-', '_' and '.'.")
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() // 1000 % 1000000:06d}"
        folder = self.root / name / recipe / stamp
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise VcompressError(f"The workspace {self.root} cannot be written ({error.strerror}); choose another with --workspace.") from None
        return Run(folder, {}).update(family=family, size=size, name=name, recipe=recipe, complete=False, **facts)

    @contextmanager
    def making(self, family: str, size: str, recipe: str, name: str | None = None, **facts: Any) -> Iterator[Run]:
        """A new run for work that cannot be taken up again: whatever ends the block early leaves nothing of it."""
        run = self.new_run(family, size, recipe, name, **facts)
        try:
            yield run
        except BaseException:
            self.remove(run)
            raise

    def remove(self, run: Run) -> None:
        """Take away a run's folder, and those above it that it leaves empty."""
        shutil.rmtree(run.folder, ignore_errors=True)
        with suppress(OSError):  # a folder that is not empty stays
            for parent in run.folder.relative_to(self.root).parents:
                (self.root / parent).rmdir()

    def runs(self, **wanted: Any) -> Iterator[Run]:
        """Runs whose facts equal those wanted, the newest first; a damaged `run.json` is passed over."""
        wanted = json.loads(json.dumps(wanted))  # as a file has it: no tuples
        for path in sorted(self.root.glob(f"*/*/*/{RUN}"), key=lambda p: p.parent.name, reverse=True):
            try:
                facts = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(facts, dict) and all(facts.get(key) == value for key, value in wanted.items() if value is not None):
                yield Run(path.parent, facts)

    def open_run(self, folder: str | Path) -> Run:
        """The run in a folder. Raises VcompressError when it is none."""
        path = Path(folder) / RUN
        try:
            facts = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise VcompressError(f"{folder} is not a run of this workspace; name a folder that holds {RUN}.") from None
        return Run(path.parent, facts)

    def check_writable(self) -> None:
        """Raises VcompressError before long work whose result could not be kept."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".write-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise VcompressError(f"The workspace {self.root} cannot be written ({error.strerror}); choose another with --workspace.") from None
