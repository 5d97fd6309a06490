"""`vcompress targets`: where a vocoder may have to run, and where each figure of a target is from."""

from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonOption
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..targets.profile import Profile, Quantity

TargetArgument = Annotated[
    str | None, typer.Argument(metavar="[NAME|FILE]", help="A target, or the TOML file of your own.  [default: all there are]", show_default=False)
]
SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"))
ABSENT = "-"


def targets(name: TargetArgument = None, json: JsonOption = False) -> None:
    """The targets: computers, boards and microcontrollers, with what each has and sustains.

    Rates are those of one core. With a name or a file, every figure with its range, its origin and its source; what is not
    known says why.

    \b
    Examples: vcompress targets
              vcompress targets rpi-4b
              vcompress targets my-board.toml --json
    """
    from ..targets.profile import built_in, find_profile

    profiles = [find_profile(each) for each in (built_in() if name is None else (name,))]
    if json:
        documents = [as_document(profile) for profile in profiles]
        print_json(documents if name is None else documents[0])
    elif name is None:
        headers = ("target", "kind", "core", "clock", "flash, kB", "RAM, kB", "int8 MAC/s, a core", "cycles/MAC")
        print_table(headers, [_row(profile) for profile in profiles], words=3)
    else:
        _print(profiles[0])


def as_document(profile: "Profile") -> dict[str, object]:
    """A profile for a program that reads it; absent figures are null beside their reason."""
    from dataclasses import asdict, fields

    from ..targets.profile import UNITS

    words = {field.name: getattr(profile, field.name) for field in fields(profile) if field.name not in UNITS}
    return words | {key: {**asdict(quantity), "unit": UNITS[key]} for key, quantity in profile.quantities().items()}


def _row(profile: "Profile") -> tuple[str, ...]:
    kilobytes = (f"{quantity.value / 1024:,.0f}" if quantity and quantity.value else ABSENT for quantity in (profile.flash_bytes, profile.ram_bytes))
    return (
        profile.name,
        profile.kind,
        profile.core,
        _short(profile.clock_hz) + ("Hz" if profile.clock_hz.value else ""),
        *kilobytes,
        _ends(profile.int8_macs_per_second),
        _ends(profile.cycles_per_mac),
    )


def _ends(quantity: "Quantity | None") -> str:
    if quantity is None or quantity.value is None:
        return ABSENT
    return " to ".join(dict.fromkeys(_scaled(end) for end in (quantity.least, quantity.most)))


def _short(quantity: "Quantity") -> str:
    return ABSENT if quantity.value is None else _scaled(quantity.value)


def _scaled(value: float) -> str:
    return next((f"{value / scale:.3g} {word}" for scale, word in SCALES if value >= scale), f"{value:.3g}")


def _print(profile: "Profile") -> None:
    from ..targets.profile import UNITS

    print(f"{profile.name}: {profile.title}, {profile.core}, {profile.instruction_set}")
    print(f"kind {profile.kind}, runs {profile.runtime}" + (f", requantization {profile.requantization}" if profile.requantization else ""))
    if profile.model:
        print(f"a machine is held against it by its /proc/device-tree/model: {profile.model}")
    for name, quantity in profile.quantities().items():
        print()
        if quantity.value is None:
            print(f"{name}: not known, {quantity.reason}")
            continue
        between = "" if quantity.least == quantity.most else f" ({quantity.least:,g} to {quantity.most:,g})"
        print(f"{name}: {f'{quantity.value:,}' if isinstance(quantity.value, int) else f'{quantity.value:,g}'}{between} {UNITS[name]}".rstrip())
        print(f"  {quantity.origin}: {quantity.source}")
        if quantity.printed:
            print(f"  printed: {quantity.printed}")
