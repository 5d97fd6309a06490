"""A file of measurements, one a line, so that work that was stopped goes on: it is good for one `header` and begins anew for another."""

import json
from pathlib import Path
from typing import Any


class Journal:
    """Key -> dict. A line that was cut off when the process ended is passed over."""

    def __init__(self, path: Path, header: dict[str, Any]):
        self.path, self._lines = path, {}  # type: ignore[var-annotated]
        header = json.loads(json.dumps(header))  # as a file has it: no tuples
        lines = list(_documents(path))
        if lines and lines[0] == header:
            self._lines = {line["key"]: line for line in lines[1:] if "key" in line}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in (header, *self._lines.values()))

    def get(self, key: str) -> dict[str, Any] | None:
        """What was written under a key; None where nothing was."""
        return self._lines.get(key)

    def put(self, key: str, **values: Any) -> None:
        """Write one line at once."""
        self._lines[key] = {"key": key, **values}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(self._lines[key])}\n")


def _documents(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []
    found = []
    for line in text.splitlines():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        found += [document] if isinstance(document, dict) else []
    return found
