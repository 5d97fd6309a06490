"""Energy and carbon: the printed rows from their own inputs, and the command."""

import json

import pytest
from conftest import CommandLine
from hypothesis import given
from hypothesis import strategies as st

from vcompress.benchmarks.carbon import carbon, factors, hours_until_training, synthesis_energy, training_energy
from vcompress.benchmarks.papers.printed import number, rows_of_table
from vcompress.errors import VcompressError

AMOUNT = st.floats(0, 1e6)


@pytest.mark.parametrize("cells", rows_of_table("table3_training_energy"), ids=lambda cells: cells["model"])
def test_the_rows_of_table_3_come_from_their_inputs(cells: dict[str, str]) -> None:
    kwh = training_energy(float(cells["power_W_per_gpu"]), float(cells["hours"]), int(cells["gpus"]))
    assert number(cells["kWh"]).agrees(kwh)
    assert number(cells["kgCO2eq_thesis"]).agrees(carbon(kwh, 0.437))


def test_every_part_counts_and_the_pue_on_top_of_all() -> None:
    # 1.58 x (100 + 20 + 4 x 250) W x 10 h
    assert training_energy(250, 10, 4, 1.58, 100, 20) == pytest.approx(17.696)


def test_synthesis_is_joules_a_second_times_seconds() -> None:
    assert synthesis_energy(3.6, 1000) == pytest.approx(3.6)  # 3.6 J/s x 3.6e6 s = 12.96 MJ = 3.6 kWh
    assert synthesis_energy(3.6, 1000, 1.5) == pytest.approx(5.4)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e6), st.floats(1, 3))
def test_so_many_hours_of_audio_take_as_much_as_the_training(joules: float, kwh: float, pue: float) -> None:
    hours = hours_until_training(kwh, joules, pue)
    assert hours is not None and synthesis_energy(joules, hours, pue) == pytest.approx(kwh)


def test_a_synthesis_without_energy_never_equals_a_training() -> None:
    assert hours_until_training(5.0, 0.0) is None


@given(AMOUNT, AMOUNT, st.integers(0, 1000), st.floats(1, 3))
def test_energy_grows_in_step_with_each_factor(power: float, hours: float, gpus: int, pue: float) -> None:
    one = training_energy(power, hours, gpus, pue)
    assert training_energy(power, 2 * hours, gpus, pue) == pytest.approx(2 * one)
    assert training_energy(power, hours, 2 * gpus, pue) == pytest.approx(2 * one)
    assert one == pytest.approx(pue * training_energy(power, hours, gpus))


@pytest.mark.parametrize("wrong", [{"power": -1.0}, {"hours": float("nan")}, {"gpus": -1}, {"pue": 0.9}, {"pue": float("inf")}, {"ram_power": -2.0}])
def test_what_cannot_be_is_said_in_a_sentence(wrong: dict[str, float]) -> None:
    with pytest.raises(VcompressError, match=r"give .*\.$"):
        training_energy(**{"power": 100.0, "hours": 1.0, **wrong})  # type: ignore[arg-type]


def test_the_command_computes_what_table_3_says_of_sing(vcompress: CommandLine) -> None:
    answer = vcompress("carbon", "--gpus", 4, "--power", 250, "--hours", 52, "--pue", "1.0", "--intensity", 0.437)
    assert answer.code == 0 and "52 kWh, 22.724 kg CO2e" in answer.out
    assert "assumed" not in answer.out


def test_what_is_assumed_is_shown_with_its_source(vcompress: CommandLine) -> None:
    document = json.loads(vcompress("carbon", "--power", 300, "--hours", 10, "--energy-per-second", 1.8, "--hours-of-audio", 100, "--json").out)
    assert document["training"] == {"kwh": 3.0, "kg_co2e": pytest.approx(1.311)}
    assert document["synthesis"]["kwh"] == pytest.approx(0.18)
    assert document["hours_of_audio_that_equal_the_training"] == pytest.approx(3000 / 1.8)
    assert document["assumed"] == {name: factor.source for name, factor in factors().items()}
    assert (document["pue"], document["intensity"]) == (factors()["pue"].value, factors()["intensity"].value)
    assert factors()["intensity"].source in vcompress("carbon", "--power", 300, "--hours", 10).out


def test_help_names_the_numbers_that_are_assumed(vcompress: CommandLine) -> None:
    text = vcompress("carbon", "--help").out
    assert f"[default: {factors()['intensity'].value}" in text and f"[default: {factors()['pue'].value}]" in text


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "nothing to compute"),
        (("--power", 3), "--power and --hours"),
        (("--hours-of-audio", 3), "--energy-per-second"),
        (("--power", 3, "--hours", "nan"), "hours is nan"),
        (("--power", 3, "--hours", 3, "--pue", 0.5), "PUE is 0.5"),
        (("--power", 3, "--hours", 3, "--intensity", -1), "intensity is -1"),
        (("--power", 1e200, "--hours", 1e200), "energy is inf"),
    ],
)
def test_mistakes_end_with_a_sentence(vcompress: CommandLine, arguments: tuple[object, ...], words: str) -> None:
    answer = vcompress("carbon", *arguments)
    assert (answer.code, answer.out) == (2, "") and words in answer.err and len(answer.err.splitlines()) == 1
