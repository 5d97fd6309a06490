"""Profiles: what a target has and what it sustains, one TOML file each, and for each figure its source."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import VcompressError

PROFILES = Path(__file__).parent / "profiles"
MCU = "mcu"
KINDS = ("gpu", "cpu", "sbc", MCU)
REQUANTIZATIONS = ("q15", "q31")
LARGEST = 1e18  # beyond any machine: a slip of the pen, or a number that is none
# How a figure came to be: said by the maker, by a paper or review, taken on hardware, on a simulator, or reckoned from such
ORIGINS = ("stated", "published", "measured", "simulated", "modelled")


@dataclass(frozen=True)
class Quantity:
    """One figure with its source, or its absence (`value` None) with the reason.

    low, high: the range it is known in; origin: one of ORIGINS; printed: what the papers' table says where that differs.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    origin: str = "stated"
    source: str = ""
    reason: str = ""
    printed: str = ""

    def __post_init__(self) -> None:
        for number in (self.value, self.low, self.high):
            if number is not None and (isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= LARGEST):
                raise VcompressError(f"is {str(number)[:20]!r}; give a number from 0 to {LARGEST:g}")
        if not all(isinstance(word, str) for word in (self.origin, self.source, self.reason, self.printed)):
            raise VcompressError("has a source, origin, reason or printed figure that is no text; write it in quotes")
        if self.origin not in ORIGINS:
            raise VcompressError(f"has the origin {self.origin!r}; choose one of {', '.join(ORIGINS)}")
        if self.value is None and (not self.reason or self.low is not None or self.high is not None):
            raise VcompressError("has no value; give one with its source, or the reason of its absence alone")
        if self.value is not None and not self.source:
            raise VcompressError("has no source; say where the figure is from")
        if self.value is not None and not self.least <= self.value <= self.most:
            raise VcompressError(f"is {self.value:g}, outside its own range; correct value, low or high")

    @property
    def least(self) -> float:
        """The low end of its range; the value itself where it has none."""
        return self._end(self.low)

    @property
    def most(self) -> float:
        """The high end of its range; the value itself where it has none."""
        return self._end(self.high)

    def _end(self, bound: float | None) -> float:
        assert self.value is not None, "an absent figure has no range"
        return self.value if bound is None else bound


UNITS = {
    "cores": "",
    "clock_hz": "Hz",
    "ram_bytes": "byte",
    "bandwidth": "byte/s",
    "int8_macs_per_second": "MAC/s",
    "fp32_macs_per_second": "MAC/s",
    "flash_bytes": "byte",
    "flash_taken_bytes": "byte",
    "ram_taken_bytes": "byte",
    "cycles_per_mac": "cycle/MAC",
    "voltage": "V",
    "idle_power": "W",
    "load_power": "W",
}
_COMMON = ("cores", "clock_hz", "ram_bytes", "idle_power", "load_power")
_COMPUTER = ("bandwidth", "int8_macs_per_second", "fp32_macs_per_second")
_MICROCONTROLLER = ("flash_bytes", "flash_taken_bytes", "ram_taken_bytes", "cycles_per_mac", "voltage")
_WORDS = ("title", "kind", "core", "instruction_set", "runtime")
_OPTIONAL_WORDS = ("requantization", "model")
_MAY_BE_ZERO = ("flash_taken_bytes", "ram_taken_bytes", "idle_power")


@dataclass(frozen=True)
class Profile:
    """One target. `runtime`: what runs an artifact there, in words; `requantization`: the fixed-point multiply of its C code, mcu only.

    `model`: a regular expression of what /proc/device-tree/model says there; "" where a machine cannot be held against the profile.

    The two rates are those of one core (of the whole device for a gpu), `bandwidth` that of its memory. `flash_taken_bytes` and
    `ram_taken_bytes`: what boot loader and core library keep of flash and RAM. `cycles_per_mac`: int8, all in, per multiply-accumulate.
    """

    name: str
    title: str
    kind: str
    core: str
    instruction_set: str
    runtime: str
    cores: Quantity
    clock_hz: Quantity
    ram_bytes: Quantity
    idle_power: Quantity
    load_power: Quantity
    requantization: str = ""
    model: str = ""
    bandwidth: Quantity | None = None
    int8_macs_per_second: Quantity | None = None
    fp32_macs_per_second: Quantity | None = None
    flash_bytes: Quantity | None = None
    flash_taken_bytes: Quantity | None = None
    ram_taken_bytes: Quantity | None = None
    cycles_per_mac: Quantity | None = None
    voltage: Quantity | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.model)
        except re.error as error:
            raise VcompressError(f"its model {self.model!r} is no regular expression ({error})") from None
        if self.kind not in KINDS:
            raise VcompressError(f"its kind is {self.kind!r}; choose one of {', '.join(KINDS)}")
        if self.is_mcu and self.requantization not in REQUANTIZATIONS:
            raise VcompressError(f"its requantization is {self.requantization!r}; choose one of {', '.join(REQUANTIZATIONS)}")
        if not self.is_mcu and self.requantization:
            raise VcompressError("its requantization is given, which only a mcu has; leave it out")
        for name in needed(self.kind):
            quantity = getattr(self, name)
            if quantity is None:
                raise VcompressError(f"its {name} is missing; give it a value with its source, or the reason of its absence")
            if quantity.value is None and name in budgets(self.kind):
                raise VcompressError(f"its {name} is absent, and without it nothing can be said of a {self.kind}; give it a value with its source")
            if quantity.value is not None and not quantity.least and name not in _MAY_BE_ZERO:
                raise VcompressError(f"its {name} is 0 or begins there; give a number above 0")
        if foreign := [name for name in UNITS if getattr(self, name) is not None and name not in needed(self.kind)]:
            raise VcompressError(f"its {foreign[0]} is given, which a {self.kind} does not have; leave it out")
        if self.is_mcu and min(self.flash, self.ram) <= 0:
            raise VcompressError("its boot loader and core library take all of flash or RAM; correct flash_taken_bytes or ram_taken_bytes")

    @property
    def is_mcu(self) -> bool:
        """Whether this is a microcontroller, where a C program with its weights in flash runs."""
        return self.kind == MCU

    @property
    def flash(self) -> float:
        """Bytes of flash that are left for a program; what is taken but not known counts as nothing."""
        return _left(self.flash_bytes, self.flash_taken_bytes)

    @property
    def ram(self) -> float:
        """Bytes of RAM that are left; what is taken but not known counts as nothing."""
        return _left(self.ram_bytes, self.ram_taken_bytes)

    def quantities(self) -> dict[str, Quantity]:
        """Every figure of the profile by name, in the order of UNITS."""
        return {name: quantity for name in UNITS if (quantity := getattr(self, name)) is not None}


def needed(kind: str) -> tuple[str, ...]:
    """The figures that a profile of a kind has to give, or to say of why it does not."""
    return _COMMON + (_MICROCONTROLLER if kind == MCU else _COMPUTER)


def budgets(kind: str) -> tuple[str, ...]:
    """The figures that a profile of a kind has to know."""
    return ("clock_hz", "ram_bytes", "flash_bytes") if kind == MCU else ("ram_bytes",)


def _left(whole: Quantity | None, taken: Quantity | None) -> float:
    have = whole.value if whole is not None and whole.value is not None else 0.0
    return have - (taken.value if taken is not None and taken.value is not None else 0.0)


def built_in() -> tuple[str, ...]:
    """Names of the profiles that come with the package, computers before boards before microcontrollers."""
    return tuple(profile.name for profile in sorted(map(read_profile, PROFILES.glob("*.toml")), key=_rank))


def _rank(profile: Profile) -> tuple[int, float, str]:
    return KINDS.index(profile.kind), profile.ram_bytes.value or 0.0, profile.name


def find_profile(name: str) -> Profile:
    """A profile that comes with the package, by name, or one's own, by the path of its TOML file.

    Raises VcompressError where there is none, or where it is no profile.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.parent != Path("."):
        return read_profile(path)
    known = {place.stem: place for place in PROFILES.glob("*.toml")}
    if name.lower() not in known:
        raise VcompressError(f"There is no target {name!r}; choose one of {', '.join(built_in())}, or name a profile's file (.toml).")
    return read_profile(known[name.lower()])


def read_profile(path: Path) -> Profile:
    """The profile in a TOML file, its name being that of the file. Raises VcompressError naming file and field where it is none."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VcompressError(f"{path} cannot be read ({error.strerror}); name a target (see: vcompress targets) or a profile's file.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise VcompressError(f"{path} is no TOML ({' '.join(str(error).split())}); correct it.") from None
    try:
        return _profile(path.stem, raw)
    except VcompressError as error:
        raise VcompressError(f"{path}: {error}.") from None


def _profile(name: str, raw: Mapping[str, Any]) -> Profile:
    if unknown := sorted(set(raw) - {field.name for field in fields(Profile)} | set(raw) & {"name"}):
        raise VcompressError(f"it has {unknown[0]!r}, which no profile has; see: vcompress targets atmega2560")
    for word in (*_WORDS, *(word for word in _OPTIONAL_WORDS if word in raw)):
        if not isinstance(raw.get(word), str) or not raw[word]:
            raise VcompressError(f"its {word} is missing or no text; write it in quotes")
    if absent := [field for field in _COMMON if field not in raw]:
        raise VcompressError(f"its {absent[0]} is missing; give it a value with its source, or the reason of its absence")
    known: dict[str, Any] = {key: _quantity(key, entry) if key in UNITS else entry for key, entry in raw.items()}
    return Profile(name=name, **known)


def _quantity(name: str, entry: Any) -> Quantity:
    if not isinstance(entry, dict):
        raise VcompressError(f"its {name} is no table; write [{name}] with value and source below")
    if unknown := sorted(set(entry) - {field.name for field in fields(Quantity)}):
        raise VcompressError(f"its {name} has {unknown[0]!r}, which no figure has; leave it out")
    try:
        return Quantity(**entry)
    except VcompressError as error:
        raise VcompressError(f"its {name} {error}") from None
