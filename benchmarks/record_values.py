"""What the fields of a record may hold. Files of records come from other machines, and from anybody."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

DEEPEST = 4  # of lists and objects in `settings`
LARGEST = 2**63 - 1  # what other programs' integers hold
NUMBERS = ("value", "window", "spread")
COUNTS = ("repeats", "schema")


def fits(name: str, value: Any) -> bool:
    """Whether a record's field may hold a value. Values that are no finite numbers are for `Record` to name."""
    if name in NUMBERS:
        return value is None or is_number(value)
    if name in COUNTS:
        return is_number(value) and isinstance(value, int) and abs(value) <= LARGEST
    if name == "samples":
        return isinstance(value, list | tuple) and all(is_number(sample) and math.isfinite(sample) for sample in value)
    if name == "environment":
        return isinstance(value, dict) and all(is_text(key) and is_text(entry) for key, entry in value.items())
    if name == "settings":
        return isinstance(value, dict) and is_plain(value)
    return is_text(value)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a number that a float can hold; True and False are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def is_text(value: Any) -> bool:
    """Whether it is a text that can be written as UTF-8."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether it is JSON of finite numbers, not deeper than a setting needs."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, int | float):
        return is_number(value) and math.isfinite(value)
    if depth >= DEEPEST:
        return False
    if isinstance(value, Mapping):
        return all(is_text(key) and is_plain(entry, depth + 1) for key, entry in value.items())
    return isinstance(value, list | tuple) and all(is_plain(entry, depth + 1) for entry in value)
