"""What the machine was like while something was timed: temperature, clock, governor and throttling, before and after."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..targets.board import CONDITIONS
from .sensors import clock, governor, temperature, throttling

Result = TypeVar("Result")
BEFORE, AFTER = "_before", "_after"
WATCHED = {"temperature": temperature, "clock": clock, "governor": governor, "throttling": throttling}


def watched(run: Callable[[], Result]) -> tuple[Result, dict[str, str]]:
    """What `run` gives, and entries of a record's environment; what the machine does not tell says so with the reason."""
    before = _seen(BEFORE)
    return run(), before | _seen(AFTER)


def _seen(when: str) -> dict[str, str]:
    found = {name + when: sensor() for name, sensor in WATCHED.items()}
    return {name: sensor.value if sensor.value is not None else f"not known: {sensor.reason}" for name, sensor in found.items()}


def slowed(environment: Mapping[str, str]) -> str:
    """Why the machine was slower than it can be while a figure was taken, as its firmware tells: "throttled", say; "" where it tells nothing."""
    before, after = (environment.get(f"throttling{when}", "").partition(": ")[2] for when in (BEFORE, AFTER))
    now = {word for text in (before, after) for word in _words(text, " now")}
    meanwhile = set(_words(after, " since the start")) - set(_words(before, " since the start"))
    return ", ".join(word for word in CONDITIONS if word in now | meanwhile)


def _words(text: str, kind: str) -> list[str]:
    return [word for part in text.split("; ") if part.endswith(kind) for word in part.removesuffix(kind).split(", ")]
