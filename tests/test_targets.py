"""Profiles of targets: every figure with its source, and files that are no profiles."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import CommandLine
from hypothesis import given, settings
from hypothesis import strategies as st

from vcompress.errors import VcompressError
from vcompress.targets.profile import KINDS, PROFILES, UNITS, Quantity, _profile, built_in, find_profile, needed, read_profile
from vcompress.targets.userlands.machines import core_of

WANTED = {"rpi-1b", "rpi-2b", "rpi-3b", "rpi-4b", "rpi-5", "desktop-cpu", "desktop-gpu", "atmega1280", "atmega2560", "nano-33-ble", "pico", "portenta-h7"}
WANTED |= {"esp32-s3", "microbit", "due"}
OWN = """
title = "A board of my own"
kind = "mcu"
core = "Cortex-M4"
instruction_set = "ARMv7E-M"
runtime = "C"
requantization = "q31"
cores = { value = 1, source = "data sheet" }
clock_hz = { value = 100e6, source = "data sheet" }
flash_bytes = { value = 1000, source = "data sheet" }
flash_taken_bytes = { value = 0, source = "no boot loader" }
ram_bytes = { value = 500, source = "data sheet" }
ram_taken_bytes = { reason = "not looked up" }
cycles_per_mac = { value = 5, low = 4, high = 6, origin = "simulated", source = "a simulator" }
voltage = { value = 3.3, source = "data sheet" }
idle_power = { reason = "not measured" }
load_power = { reason = "not measured" }
"""


def own(folder: Path, *changes: tuple[str, str], text: str = OWN) -> Path:
    """A profile of one's own, with some of its text changed."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "my-board.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_targets_that_are_wanted_come_with_the_package() -> None:
    assert set(built_in()) == WANTED
    assert [find_profile(name).kind for name in built_in()] == sorted((find_profile(name).kind for name in built_in()), key=KINDS.index)


@pytest.mark.parametrize("name", sorted(WANTED))
def test_every_figure_has_a_source_or_a_reason(name: str) -> None:
    profile = find_profile(name)
    assert set(profile.quantities()) == set(needed(profile.kind))
    for quantity in profile.quantities().values():
        assert bool(quantity.source) == (quantity.value is not None) != bool(quantity.reason)


def test_what_the_papers_print_wrongly_stands_beside_the_data_sheet() -> None:
    profile = find_profile("atmega2560")
    assert (profile.clock_hz.value, profile.ram_bytes.value) == (16e6, 8192)
    assert "32 MHz" in profile.clock_hz.printed and "16 KB" in profile.ram_bytes.printed


# instructions per MAC as counted, fewest and most; cycles per instruction: targets/userlands/machines.toml
COUNTED = [
    ("rpi-1b", "int8", (3.89, 3.89)),
    ("rpi-2b", "int8", (0.765, 2.55)),
    ("rpi-2b", "fp32", (0.872, 2.37)),
    ("rpi-3b", "int8", (0.363, 1.018)),
    ("rpi-3b", "fp32", (0.398, 0.976)),
    ("rpi-4b", "int8", (0.363, 1.018)),
    ("rpi-4b", "fp32", (0.397, 0.976)),
    ("rpi-5", "int8", (0.231, 0.908)),
    ("rpi-5", "fp32", (0.398, 0.976)),
]


@pytest.mark.parametrize("name, kind, instructions", COUNTED)
def test_counted_rates_come_from_their_instructions(name: str, kind: str, instructions: tuple[float, float]) -> None:
    profile = find_profile(name)
    rate, clock = profile.quantities()[f"{kind}_macs_per_second"], profile.clock_hz.value
    assert clock is not None and rate.origin == "simulated"
    fewest, most = (count * cycles for count, cycles in zip(instructions, core_of(profile).cycles, strict=True))
    assert (rate.most, rate.least) == pytest.approx((clock / fewest, clock / most), rel=0.01)


def test_what_boot_loader_and_core_take_is_not_there_for_a_program(tmp_path: Path) -> None:
    assert find_profile("atmega2560").flash == 253952  # upload.maximum_size of the Arduino core
    assert find_profile("portenta-h7").ram == 523624  # upload.maximum_data_size
    assert read_profile(own(tmp_path)).ram == 500  # what is taken is not known


def test_a_file_of_ones_own_works_like_a_name(tmp_path: Path, vcompress: CommandLine) -> None:
    path = own(tmp_path)
    assert find_profile(str(path)).name == "my-board"
    answer = vcompress("targets", path, "--json")
    document = json.loads(answer.out)
    assert document["name"] == "my-board" and document["cycles_per_mac"]["low"] == 4
    assert document["idle_power"]["value"] is None and document["idle_power"]["reason"] == "not measured"


def test_the_table_has_a_line_for_each_target(vcompress: CommandLine) -> None:
    lines = vcompress("targets").out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(built_in())
    assert [document["name"] for document in json.loads(vcompress("targets", "--json").out)] == list(built_in())


@pytest.mark.parametrize("name", ["pico", "desktop-gpu"])
def test_one_target_is_shown_with_all_its_sources(name: str, vcompress: CommandLine) -> None:
    text = vcompress("targets", name.upper()).out
    for key, quantity in find_profile(name).quantities().items():
        assert key in text and (quantity.source or quantity.reason) in text


MISTAKES = [
    ('kind = "mcu"', 'kind = "fpga"', "kind is 'fpga'"),
    ('requantization = "q31"', 'requantization = "q8"', "requantization is 'q8'"),
    ('title = "A board of my own"', "title = 3", "title is missing or no text"),
    ("value = 1000", "value = -1000", "flash_bytes is '-1000'"),
    ("value = 1000", "value = 0", "flash_bytes is 0"),
    ("value = 1000", 'value = "1 kB"', "flash_bytes is '1 kB'"),
    ("value = 1000", "value = 1" + "0" * 400, "flash_bytes is '1000"),
    ("value = 1000", "value = true", "flash_bytes is 'True'"),
    ("value = 1000", "value = inf", "flash_bytes is 'inf'"),
    ("value = 1000", "value = nan", "flash_bytes is 'nan'"),
    ('flash_bytes = { value = 1000, source = "data sheet" }', "", "flash_bytes is missing"),
    ('ram_bytes = { value = 500, source = "data sheet" }', "", "ram_bytes is missing"),
    ('ram_bytes = { value = 500, source = "data sheet" }', 'ram_bytes = { reason = "who knows" }', "ram_bytes is absent"),
    ('ram_bytes = { value = 500, source = "data sheet" }', "ram_bytes = 500", "ram_bytes is no table"),
    ('value = 500, source = "data sheet"', "value = 500", "ram_bytes has no source"),
    ('{ reason = "not looked up" }', "{}", "ram_taken_bytes has no value"),
    ('{ reason = "not looked up" }', '{ value = 500, source = "all" }', "take all"),
    ("low = 4", "low = 5.5", "outside its own range"),
    ("low = 4", "low = 0", "cycles_per_mac is 0 or begins there"),
    ("low = 4", "lowest = 4", "'lowest', which no figure has"),
    ('origin = "simulated"', 'origin = "guessed"', "origin 'guessed'"),
    ("voltage =", "volts =", "'volts', which no profile has"),
    ('runtime = "C"', 'runtime = "C"\nname = "other"', "'name', which no profile has"),
    ('runtime = "C"', 'runtime = "C"\nbandwidth = { value = 1, source = "x" }', "bandwidth is given"),
    ('title = "A', 'title = A', "is no TOML"),
]  # fmt: skip


@pytest.mark.parametrize("old, new, words", MISTAKES, ids=[words for _, _, words in MISTAKES])
def test_a_mistake_in_a_profile_names_file_and_field(old: str, new: str, words: str, tmp_path: Path, vcompress: CommandLine) -> None:
    path = own(tmp_path, (old, new))
    answer = vcompress("targets", path)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err and str(path) in answer.err and len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"a = " + b"[" * 3000, b"[cores]\nvalue = 1"])
def test_a_file_that_is_no_profile_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "no.toml"
    path.write_bytes(content)
    with pytest.raises(VcompressError, match=r"no\.toml.*\.$"):
        read_profile(path)


@pytest.mark.parametrize("name, words", [("rpi-9", "choose one of"), ("gone.toml", "cannot be read"), ("../rpi-4b", "cannot be read")])
def test_a_target_there_is_not_is_a_sentence(name: str, words: str) -> None:
    with pytest.raises(VcompressError, match=words):
        find_profile(name)


TOML = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(["value", "low", "high", "source", "reason", "origin", "x"]), inner, max_size=4),
    max_leaves=6,
)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(UNITS)), st.dictionaries(st.sampled_from(["value", "low", "high", "source", "reason", "origin", "x"]), TOML, max_size=5))
def test_whatever_a_figure_holds_it_is_a_figure_or_a_sentence(name: str, entry: dict[str, Any]) -> None:
    raw = {**tomllib.loads(OWN), name: entry}
    try:
        profile = _profile("mine", raw)
    except VcompressError as error:
        assert str(error).startswith("it") or "boot loader" in str(error)
    else:
        for quantity in profile.quantities().values():
            assert quantity.value is None or 0 <= quantity.least <= quantity.value <= quantity.most


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_range_holds_its_value(low: float, value: float, high: float) -> None:
    if low <= value <= high:
        quantity = Quantity(value, low, high, source="x")
        assert (quantity.least, quantity.most) == (low, high)
    else:
        with pytest.raises(VcompressError, match="range"):
            Quantity(value, low, high, source="x")


def test_the_profiles_are_files_of_the_package() -> None:
    assert {path.stem for path in PROFILES.glob("*.toml")} == WANTED
