"""What a training drew: metered, modelled, or absent with its reason; and the records of it."""

import json
import sys
from pathlib import Path

import pytest
import soundfile
from conftest import CommandLine
from machines import Machine, fake_nvml, with_rapl
from tiny import tiny_run
from tiny_bench import babble

from vcompress.benchmarks import training
from vcompress.benchmarks.energy import account, nvml_counter, rapl
from vcompress.benchmarks.energy.meter import NoMeter
from vcompress.benchmarks.subject import BenchSettings, Subject
from vcompress.errors import VcompressError
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.workspace import Workspace

NONE = [NoMeter("rapl", "RAPL", "a virtual machine"), NoMeter("nvml", "NVML", "no GPU")]
POWER = 0.437  # kg CO2e / kWh


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    pytest.importorskip("pyJoules")
    found = Machine(tmp_path)
    with_rapl(found)
    monkeypatch.setattr(account.time, "monotonic", found.clock)
    return found


def drawn(machine: Machine, sources: list, gpus: int = 0, seconds: float = 3600.0, power_of: str = "") -> list[dict]:
    """What is kept of one session: first that it may be lost, then what it drew."""
    kept: list[dict] = []
    with account.session(gpus, power_of, kept.append, sources):
        machine.advance(seconds, machine.busy)
    return kept


def test_an_hour_at_30_w_is_30_wh(machine: Machine) -> None:
    lost, told = drawn(machine, [rapl.find(machine.root, machine.clock)])
    assert lost["joules"] is None and "before what it drew" in lost["reason"]
    assert told["joules"] == pytest.approx(30 * 3600) and told["known"] == "measured" and told["seconds"] == 3600
    summed = account.summary([told, told])
    assert summed["kwh"] == pytest.approx(0.06) and summed["kg_co2e"] == pytest.approx(0.06 * POWER) and summed["intensity_source"]
    assert "measured" in account.words(summed) and "RAPL" in account.words(summed)


def test_a_gpu_and_its_cpu_add_up(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(machine))
    sources = [rapl.find(machine.root, machine.clock), nvml_counter.find(machine.clock, gpus=2)]
    assert drawn(machine, sources, gpus=2)[1]["joules"] == pytest.approx(3 * 30 * 3600, rel=1e-4)  # both GPUs of the fake draw all of it
    assert drawn(machine, sources, gpus=0)[1]["joules"] == pytest.approx(30 * 3600, rel=1e-4)
    half = drawn(machine, [sources[0], NONE[1]], gpus=1)[1]
    assert half["joules"] is None and "nothing meters the GPU: no GPU" in half["reason"]


def test_without_a_meter_it_is_modelled_or_absent(machine: Machine) -> None:
    modelled = drawn(machine, NONE, power_of="rpi-5")[1]
    assert modelled["joules"] == pytest.approx(9.8 * 3600) and modelled["known"] == "modelled" and "rpi-5" in modelled["covers"]
    absent = drawn(machine, NONE)[1]
    assert absent["joules"] is None and "a virtual machine" in absent["reason"] and "--power-of" in absent["reason"]
    mixed = account.summary([modelled, {**modelled, "known": "measured"}])
    assert mixed["known"] == "modelled" and mixed["kwh"] is not None


def test_a_session_that_is_lost_leaves_the_sum_absent(machine: Machine) -> None:
    told = drawn(machine, [rapl.find(machine.root, machine.clock)])[1]
    summed = account.summary([account.LOST, told])
    assert summed["kwh"] is None and "ended before" in summed["reason"] and "not known" in account.words(summed)


@pytest.mark.parametrize("energy", [3, [], {}, {"sessions": 3}, {"sessions": [{}]}, {"sessions": [{"joules": -1, "known": "measured", "covers": "x"}]}])
def test_sessions_that_are_damaged_count_as_lost(energy: object) -> None:
    assert account.sessions_of(energy) == [account.LOST] and account.sessions_of(None) == []


def test_sessions_come_back_as_they_were_written(machine: Machine) -> None:
    sessions = [account.LOST, *drawn(machine, [rapl.find(machine.root, machine.clock)])]
    assert account.sessions_of(json.loads(json.dumps({"sessions": sessions}))) == sessions


def test_what_ends_early_is_kept_all_the_same(machine: Machine) -> None:
    kept: list[dict] = []
    with pytest.raises(RuntimeError), account.session(0, "", kept.append, [rapl.find(machine.root, machine.clock)]):
        machine.advance(60.0, 20.0)
        raise RuntimeError
    assert kept[-1]["joules"] == pytest.approx(20 * 60)


@pytest.mark.parametrize("target, words", [("nowhere", "no target"), ("desktop-cpu", "no power under load")])
def test_a_target_without_power_ends_before_anything_runs(target: str, words: str) -> None:
    kept: list[dict] = []
    with pytest.raises(VcompressError, match=words), account.session(0, target, kept.append, NONE):
        raise AssertionError
    assert kept == []


def test_train_writes_it_into_its_run(vcompress: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    folder.mkdir()
    for index in range(3):
        soundfile.write(folder / f"clip{index}_1.wav", babble(1.0, index), 16000)
    place = ("--workspace", tmp_path / "runs")
    command = ("train", "vocos", "--size", "nano", "--data", folder, "--steps", 1, "--batch-size", 1, "--validation", "clip0", "--power-of", "rpi-5", *place)
    answer = vcompress(*command, "--json")
    document = json.loads(answer.out)
    assert document["energy"]["known"] in ("modelled", "measured") and document["energy"]["kwh"] > 0 and "kg CO2e" in answer.err
    told = vcompress("carbon", "--run", document["run"])
    assert told.code == 0 and f"{document['energy']['kwh']:.4g} kWh" in told.out
    assert json.loads(vcompress("carbon", "--run", document["run"], "--json").out) == document["energy"]
    assert vcompress("carbon", "--run", tmp_path).code == 2


def test_a_run_that_tells_nothing_is_said_in_a_sentence(vcompress: CommandLine, tmp_path: Path) -> None:
    run = tiny_run(Workspace(tmp_path))
    for energy in (None, 3, {}, {"kwh": "much"}):
        run.update(energy=energy)
        answer = vcompress("carbon", "--run", run.folder)
        assert (answer.code, answer.out) == (2, "") and "does not tell what it drew" in answer.err


def test_records_tell_what_the_training_drew(tmp_path: Path) -> None:
    run = tiny_run(Workspace(tmp_path))
    subject = Subject(Artifact.open(run.artifact), BenchSettings())
    assert list(training.plan(subject)) == []  # no training
    run = run.update(training={"plan": {}})
    assert [planned.missing for planned in training.plan(subject)] == [training.UNTOLD] * 2
    run.update(energy={"kwh": 0.5, "kg_co2e": 0.2, "known": "modelled", "covers": "time x 9.8 W", "pue": 1.0, "intensity": 0.4})
    energy, carbon = training.plan(subject)
    assert (energy.metric, energy.measure().value, energy.unit, energy.known) == ("training_energy", 0.5, "kWh", "modelled")
    assert (carbon.metric, carbon.measure().value, carbon.unit) == ("training_co2e", 0.2, "kg") and "9.8 W" in carbon.method
    for hostile in ({"kwh": -1, "known": "measured"}, {"kwh": True, "known": "measured"}, {"kwh": 1.0, "known": "guessed"}, [1], "much"):
        run.update(energy=hostile)
        assert all(planned.missing for planned in training.plan(subject))
