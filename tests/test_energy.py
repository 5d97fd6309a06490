"""Energy: meters on machines that are made up, the windows of a trial, and the records that come of them."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine
from hypothesis import given
from hypothesis import strategies as st
from machines import POWERCAP, Machine, RaplDomain, fake_nvml, fake_vcgencmd, refuse, with_rapl
from tiny_bench import gan

from vcompress.benchmarks.bench import bench
from vcompress.benchmarks.energy import figures, nvml_counter, nvml_power, others, pmic, rapl
from vcompress.benchmarks.energy import meter as meter_module
from vcompress.benchmarks.energy.curve import Curve, NoReading, counted, sampled
from vcompress.benchmarks.energy.meter import NoMeter, PolledMeter, Span
from vcompress.benchmarks.energy.meter_log import LogMeter, align, read_log
from vcompress.benchmarks.energy.sources import Where, all_sources, useful
from vcompress.benchmarks.energy.trial import TrialPlan, Window, disturbance, metered, run_trial
from vcompress.benchmarks.subject import BenchSettings
from vcompress.errors import VcompressError

PLAN = TrialPlan()
PMIC = """ 3V7_WL_SW_A current(0)=0.10000000A
 VDD_CORE_A current(7)=2.00000000A
 3V7_WL_SW_V volt(8)=3.70000000V
 VDD_CORE_V volt(15)=0.75000000V
 EXT5V_V volt(24)=5.14875000V"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "proc").mkdir()
    return Machine(tmp_path)


def trial_of(machine: Machine, *meters: PolledMeter, plan: TrialPlan = PLAN) -> list[Window]:
    return run_trial(machine.run, meters, plan, machine.clock, machine.sleep, machine.root)


def rapl_of(machine: Machine) -> PolledMeter:
    pytest.importorskip("pyJoules")
    meter = rapl.find(machine.root, machine.clock)
    assert isinstance(meter, PolledMeter), meter
    return meter


# --- a trial -----------------------------------------------------------------------------------------------------------------


def test_work_and_idle_are_told_apart_and_the_core_is_not_counted_twice(machine: Machine) -> None:
    with_rapl(machine)
    meter = rapl_of(machine)
    windows = trial_of(machine, meter)
    said = metered(meter, windows)
    assert [window.busy for window in windows] == [False, True] * 5 + [False]
    assert all(window.seconds >= 10 for window in windows) and {window.runs for window in windows if window.busy} == {10}
    assert said.raw == pytest.approx([30.0 * 10] * 5, rel=1e-4) and said.idle == pytest.approx([10.0] * 6, rel=1e-4)
    assert said.net == pytest.approx([20.0 * 10] * 5, rel=1e-4)  # 30 W less the 10 W of the idle beside it
    assert "memory" in meter.covers and "pyJoules" in meter.covers


def test_a_counter_that_starts_again_loses_nothing(machine: Machine) -> None:
    package = with_rapl(machine, range=500_000_000)  # 500 J: at 22.5 W it starts again every 22 s
    meter = rapl_of(machine)
    windows = trial_of(machine, meter)
    assert metered(meter, windows).raw == pytest.approx([300.0] * 5, rel=1e-4) and package.state < 500e6


def test_a_counter_that_goes_back_without_a_range_is_no_figure(machine: Machine) -> None:
    package = with_rapl(machine, range=None)
    meter = rapl_of(machine)
    machine.watchers.append(lambda seconds, watts: setattr(package, "state", package.state % 2e8))
    with pytest.raises(NoReading, match="went back"):
        metered(meter, trial_of(machine, meter))


def test_a_counter_that_stands_still_is_no_zero(machine: Machine) -> None:
    with_rapl(machine, stuck=True).folder.joinpath("intel-rapl:0:1", "name").write_text("core\n")  # nor is there memory
    meter = rapl_of(machine)
    with pytest.raises(NoReading, match=r"stood still in a window \(idle, 1 of 11\)"):
        metered(meter, trial_of(machine, meter))


def test_a_meter_that_watches_for_days_keeps_its_joules_and_not_every_reading(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with_rapl(machine)
    monkeypatch.setattr(meter_module, "MOST", 8)
    meter = rapl_of(machine)
    with meter.running():
        for _ in range(50):
            machine.advance(10.0, 20.0)
            meter.poll()
    assert len(meter._times) <= 9 and meter.curve([]).between(100.0, 600.0) == pytest.approx(20.0 * 500, rel=1e-3)


def test_a_meter_that_fails_on_the_way_has_no_figure(machine: Machine) -> None:
    package = with_rapl(machine)
    meter = rapl_of(machine)
    machine.watchers.append(lambda seconds, watts: (package.folder / "energy_uj").unlink(missing_ok=True))
    with pytest.raises(NoReading, match="the meter failed"):
        metered(meter, trial_of(machine, meter))


def test_a_window_in_which_others_worked_is_marked(machine: Machine) -> None:
    ticks = {"busy": 0.0}

    def other_process(seconds: float, watts: float) -> None:
        ticks["busy"] += 100 * seconds * (0.4 if 112 < machine.now < 125 else 0.0)
        (machine.root / "proc/stat").write_text(f"cpu  {int(ticks['busy'])} 0 0 9 9 0 0 0 0 0\n")

    machine.watchers.append(other_process)
    machine.sleep(0.0)
    windows = trial_of(machine)
    assert [index for index, window in enumerate(windows) if window.disturbed] == [1]
    assert windows[1].others == pytest.approx(0.4, abs=0.05) and disturbance(windows).startswith("1 of 11 (2), others took up to 0.")
    assert disturbance([replace(window, others=0.0) for window in windows]) == "none of 11"
    assert "not known" in disturbance([replace(window, others=None) for window in windows])


def test_what_this_process_does_is_not_the_work_of_others() -> None:
    watch = others.Watch()
    if watch.others() is None:
        pytest.skip("no /proc/stat here")
    before_own, before = watch._own(), watch.others()
    sum(i * i for i in range(2_000_000))
    assert watch._own() > before_own and watch.others() - before > -0.5  # type: ignore[operator]


@pytest.mark.parametrize("plan, short", [(PLAN, False), (TrialPlan(4, 10.0), True), (TrialPlan(5, 1.0), True), (TrialPlan(9, 30.0), False)])
def test_fewer_or_shorter_windows_are_marked(plan: TrialPlan, short: bool) -> None:
    assert bool(plan.short) == short and ("shorter than the protocol's" in plan.words) == short


# --- curves ------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=30), st.integers(2 * 10**6, 10**8))
def test_a_wrapped_counter_has_the_curve_of_one_that_never_wraps(steps: list[int], span: int) -> None:
    states = np.cumsum(steps)
    times = list(range(len(steps)))
    wrapped = counted(times, [(state % span,) for state in states.tolist()], 1e-6, [span])
    assert wrapped.joules[-1] == pytest.approx((states[-1] - states[0]) * 1e-6)


def test_a_counter_set_back_is_not_taken_for_one_that_started_again() -> None:
    with pytest.raises(NoReading, match="set back"):
        counted([0, 10], [(5e9,), (1e3,)], 1e-6, [262e9])  # 257 kJ in 10 s


@pytest.mark.parametrize("watts", [(1.0, -2.0, 1.0), (1.0, float("nan"), 1.0)])
def test_a_power_that_is_none_is_refused(watts: tuple[float, ...]) -> None:
    with pytest.raises(NoReading):
        sampled([0, 1, 2], [(power,) for power in watts])


def test_a_span_that_the_readings_do_not_cover_has_no_joules() -> None:
    curve = Curve(np.array([0.0, 5.0]), np.array([0.0, 50.0]))
    assert curve.between(1.0, 2.0) == pytest.approx(10.0)
    with pytest.raises(NoReading, match="a part of the window"):
        curve.between(1.0, 8.0)
    with pytest.raises(NoReading, match="only 2 times"):
        sampled([0.0, 4.0, 5.0, 9.0], [(1.0,)] * 4).between(3.5, 5.5)


# --- what is here, and why not -----------------------------------------------------------------------------------------------


def test_only_root_may_read_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    rapl_device = pytest.importorskip("pyJoules.device.rapl_device")
    with_rapl(machine)

    def refusing(path: str, mode: str = "r") -> object:  # root may read anything, so a mode would not refuse it
        if str(path).endswith("energy_uj"):
            raise PermissionError(13, "Permission denied", path)
        return open(path, mode)

    monkeypatch.setattr(rapl_device, "open", refusing, raising=False)
    found = rapl.find(machine.root)
    assert isinstance(found, NoMeter) and "chmod a+r" in found.reason


def test_a_package_that_pyjoules_does_not_know_is_no_half_figure(machine: Machine) -> None:
    pytest.importorskip("pyJoules")
    with_rapl(machine)
    RaplDomain(machine.root / POWERCAP / "intel-rapl:1", "package-0-die-1")
    found = rapl.find(machine.root)
    assert isinstance(found, NoMeter) and "knows 1 of the 2 packages" in found.reason


@pytest.mark.parametrize("flags, architecture, words", [
    ("fpu hypervisor", "x86_64", "virtual machine"), ("fpu", "x86_64", "intel_rapl_msr"), ("fp", "aarch64", "meter at the supply"),
])  # fmt: skip
def test_a_machine_without_rapl_says_why(machine: Machine, monkeypatch: pytest.MonkeyPatch, flags: str, architecture: str, words: str) -> None:
    (machine.root / "proc/cpuinfo").write_text(f"flags : {flags}\n")
    monkeypatch.setattr(rapl.platform, "machine", lambda: architecture)
    found = rapl.find(machine.root)
    assert isinstance(found, NoMeter) and words in found.reason


def test_without_pyjoules_rapl_is_absent(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with_rapl(machine)
    monkeypatch.setitem(sys.modules, "pyJoules.device", None)
    found = rapl.find(machine.root)
    assert isinstance(found, NoMeter) and "vcompress[energy]" in found.reason


@pytest.mark.parametrize("library, words", [
    (fake_nvml(nvmlInit=refuse), "no NVIDIA GPU or driver (Not Supported)"),
    (fake_nvml(nvmlDeviceGetCount=lambda: 0), "sees no GPU"),
    (fake_nvml(nvmlDeviceGetTotalEnergyConsumption=refuse, nvmlDeviceGetPowerUsage=refuse), "does not tell its"),
    (None, "vcompress[energy]"),
], ids=["no driver", "no GPU", "an old GPU", "no package"])  # fmt: skip
@pytest.mark.parametrize("source", [nvml_counter, nvml_power], ids=["counter", "power"])
def test_a_gpu_without_a_meter_says_why(monkeypatch: pytest.MonkeyPatch, library: object, words: str, source: object) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library)
    found = source.find()  # type: ignore[attr-defined]
    assert isinstance(found, NoMeter) and words in found.reason


def test_the_counter_of_a_gpu_is_in_millijoules(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(machine))
    meter = nvml_counter.find(machine.clock)
    assert isinstance(meter, PolledMeter) and meter.covers == "Example GPU, its energy counter by NVML"
    assert metered(meter, trial_of(machine, meter)).raw == pytest.approx([300.0] * 5, rel=1e-4)


def _telling(states: range):
    """A counter with these states, after which the GPU falls off the bus."""
    left = iter(states)
    return lambda handle: next(left, None) or refuse()


@pytest.mark.parametrize("counter, words", [
    (lambda handle: 5, "stood still"),
    (_telling(range(10**9, 0, -(10**6))), "went back"),
    (_telling(range(1000, 6000, 1000)), "the meter failed (NvmlError: Not Supported)"),
], ids=["still", "back", "lost"])  # fmt: skip
def test_a_counter_of_a_gpu_that_is_no_good_is_no_figure(machine: Machine, monkeypatch: pytest.MonkeyPatch, counter: object, words: str) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(machine))
    meter = nvml_counter.find(machine.clock)
    assert isinstance(meter, PolledMeter)
    monkeypatch.setattr(sys.modules["pynvml"], "nvmlDeviceGetTotalEnergyConsumption", counter)
    with pytest.raises(NoReading, match=re.escape(words)):
        metered(meter, trial_of(machine, meter))


def test_the_power_of_a_gpu_is_integrated(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(machine))
    meter = nvml_power.find(machine.clock)
    assert isinstance(meter, PolledMeter)
    machine.watchers.append(lambda seconds, watts: meter.poll())
    monkeypatch.setattr(machine, "sleep", lambda seconds: [machine.advance(0.5, machine.idle) for _ in range(round(2 * seconds))])
    said = metered(meter, trial_of(machine, meter))
    assert said.raw == pytest.approx([300.0] * 5, rel=0.05) and said.net == pytest.approx([200.0] * 5, rel=0.05)


def test_the_gpu_is_the_one_that_cuda_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    library = fake_nvml(nvmlDeviceGetHandleByIndex=asked.append, nvmlDeviceGetHandleByUUID=asked.append)
    monkeypatch.setitem(sys.modules, "pynvml", library)
    for visible in ("2,3", "GPU-abc", ""):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        nvml_counter.find()
    assert asked == [2, "GPU-abc", 0]


@pytest.mark.parametrize("text", [PMIC, "VDD_CORE_V=0.75V\nVDD_CORE_A=2.0A\n3V7_WL_SW_A=0.1A\n3V7_WL_SW_V=3.7V\nBATT_V=0V"])
def test_rails_of_a_raspberry_pi_5_add_up(tmp_path: Path, text: str) -> None:
    assert pmic.power(text) == pytest.approx(0.1 * 3.7 + 2.0 * 0.75)
    found = pmic.find(fake_vcgencmd(tmp_path, text))
    assert isinstance(found, PolledMeter) and found.covers.startswith("2 rails")


@pytest.mark.parametrize("text, code", [("Command not registered", 0), ("error=1", 1), ("", 0), ("VDD_CORE_V volt(15)=0.75V", 0)])
def test_a_board_without_currents_says_so(tmp_path: Path, text: str, code: int) -> None:
    found = pmic.find(fake_vcgencmd(tmp_path, text, code))
    assert isinstance(found, NoMeter) and "only a Raspberry Pi 5" in found.reason
    assert "not here" in pmic.find(str(tmp_path / "nowhere")).reason  # type: ignore[union-attr]


# --- the log of a meter at the supply ----------------------------------------------------------------------------------------

SPANS = [Span(100.0 + 11 * i, 110.0 + 11 * i, i % 2 == 1) for i in range(11)]


def log_text(shift: float, form: str = "csv", base: float = 0.0) -> str:
    """Readings ten times a second of 10 W, 30 W in the busy spans, on a clock that shows the meters' time less `shift`."""
    lines = ["time,power_w"] if form == "csv" else []
    for moment in np.arange(90.0, 230.0, 0.1):
        watts = 30.0 if any(span.busy and span.begin <= moment <= span.end for span in SPANS) else 10.0
        told = f"{moment - shift + base:.2f}"
        lines.append(f"{told},{watts}" if form == "csv" else f"{told} 5.00V {watts / 5:.3f}A")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("form", ["csv", "serial"])
@pytest.mark.parametrize("shift", [0.0, 2.3, 88.0])
def test_the_clock_of_a_meter_is_found_by_the_windows(tmp_path: Path, shift: float, form: str) -> None:
    (tmp_path / "meter.log").write_text(log_text(shift, form))
    meter = LogMeter(tmp_path / "meter.log")
    with meter.running():
        curve = meter.curve(SPANS)
    assert curve.between(SPANS[1].begin, SPANS[1].end) == pytest.approx(300.0, rel=0.05)
    assert curve.between(SPANS[2].begin, SPANS[2].end) == pytest.approx(100.0, rel=0.1)
    assert float(meter.covers.split("moved by ")[1].split()[0]) == pytest.approx(shift, abs=0.2)


def test_a_shift_that_is_given_is_taken(tmp_path: Path) -> None:
    (tmp_path / "meter.log").write_text(log_text(5.0))
    meter = LogMeter(tmp_path / "meter.log", offset=5.0)
    with meter.running():
        assert meter.curve(SPANS).between(111.0, 121.0) == pytest.approx(300.0, rel=0.05)
    assert "given" in meter.covers


def test_times_of_a_calendar_and_units_are_read(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text("Timestamp,Voltage_mV,Current_mA\n2026-01-01T12:00:00Z,5000,600\n2026-01-01T12:00:01.5,5000,610\nhalf a li")
    readings = read_log(path)
    assert readings.unix and np.diff(readings.times).tolist() == [1.5] and readings.watts == pytest.approx([3.0, 3.05])


@pytest.mark.parametrize("text", ["", "time,power_w\n", "hello\nworld\n", "time,power_w\n1,x\n2,y\n3,nan\n4,-1\n", "\0\1\2" * 50])
def test_a_log_without_readings_is_said_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "meter.log").write_text(text)
    with pytest.raises(VcompressError, match="time,power_w"):
        read_log(tmp_path / "meter.log")
    with pytest.raises(VcompressError, match="cannot be read"):
        read_log(tmp_path)


def test_a_bench_does_not_begin_without_the_log_that_it_is_given(tmp_path: Path, vcompress: CommandLine) -> None:
    arguments = ("bench", gan(tmp_path / "a").folder, "--workspace", tmp_path, "--measure", "energy", "--windows", 1, "--window", 0.01, "--meter-log")
    answer = vcompress(*arguments, tmp_path / "none.log")
    assert (answer.code, answer.out) == (2, "") and "no meter's log" in answer.err
    (tmp_path / "meter.log").write_text("hello\n")
    assert vcompress(*arguments, tmp_path / "meter.log").code == 0
    found = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert {record["value"] for record in found} == {None} and str(tmp_path) not in (tmp_path / "records.jsonl").read_text()
    assert all("The meter's log has 0 readings" in record["reason"] and "of 3" in record["environment"]["energy_disturbed_windows"] for record in found)


def test_a_log_of_another_machine_or_another_day_is_no_figure(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    readings = read_log_of(tmp_path, "".join(f"{t / 10},{draw.uniform(5, 6):.3f}\n" for t in range(600, 2600)))
    with pytest.raises(NoReading, match="cannot be seen"):
        align(readings, SPANS, None)
    with pytest.raises(NoReading, match="does not cover"):
        align(read_log_of(tmp_path, "1,5\n2,5\n3,5\n"), SPANS, None)


def read_log_of(folder: Path, body: str):
    (folder / "meter.csv").write_text("time,power_w\n" + body)
    return read_log(folder / "meter.csv")


# --- records -----------------------------------------------------------------------------------------------------------------

QUICK = BenchSettings(seconds=0.1, repeats=3, warmup=1, families=("energy",), windows=2, window_seconds=0.05)


def on(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    """The bench runs on a machine that is made up."""
    pytest.importorskip("pyJoules")
    monkeypatch.setattr(figures, "all_sources", lambda where: [rapl.find(machine.root, machine.clock)])
    monkeypatch.setattr(figures, "run_trial", lambda run, meters, plan: trial_of(machine, *meters, plan=replace(plan, seconds=10.0)))


def test_records_hold_energy_with_and_without_idle_and_the_carbon_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    with_rapl(machine)
    on(monkeypatch, machine)
    found = {record.metric: record for record in bench([gan(tmp_path / "a")], [], QUICK, tmp_path / "records.jsonl")}
    audio = 6 * 256 / 16000  # seconds of a run, which takes a second
    assert found["energy"].value == pytest.approx(30 / audio, rel=1e-3) and found["energy"].known == "measured"
    assert found["energy_above_idle"].value == pytest.approx(20 / audio, rel=1e-3)
    assert found["energy_per_utterance"].value == pytest.approx(30.0, rel=1e-3) and found["idle_power"].value == pytest.approx(10.0, rel=1e-3)
    assert len(found["energy"].samples) == 2 and found["energy"].settings == {"threads": 1, "source": "rapl", "short": "2 windows of 0.05 s"}
    assert "shorter than the protocol's 5 of 10 s" in found["energy"].method
    assert found["energy"].environment["energy_covers"].startswith("CPU package and memory")
    grams = found["energy"].value * 3600 / 3.6e6 * 437  # J in an hour of audio -> kWh -> g
    assert found["co2e_per_hour"].value == pytest.approx(grams) and found["co2e_per_hour"].known == "modelled" and "2018" in found["co2e_per_hour"].method


def test_work_that_draws_no_more_than_idle_is_absent_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    with_rapl(machine)
    machine.busy = 9.0
    on(monkeypatch, machine)
    found = {record.metric: record for record in bench([gan(tmp_path / "a")], [], QUICK, tmp_path / "records.jsonl")}
    assert found["energy_above_idle"].value is None and "cannot be told from idle" in found["energy_above_idle"].reason


def test_without_a_meter_energy_is_absent_and_the_model_is_called_one(tmp_path: Path) -> None:
    if useful(all_sources(Where(tmp_path)), gpu=False):
        pytest.skip("this machine has a meter")
    settings = replace(QUICK, power_of="rpi-5")
    absent, modelled = bench([gan(tmp_path / "a")], [], settings, tmp_path / "records.jsonl")
    assert absent.value is None and "RAPL" in absent.reason and absent.known == "measured"
    assert modelled.known == "modelled" and modelled.value > 0 and "9.8 W" in modelled.method and modelled.settings["profile"] == "rpi-5"
    _, without = bench([gan(tmp_path / "a")], [], replace(QUICK, power_of="desktop-cpu"), tmp_path / "other.jsonl")
    assert without.value is None and "no energy counter" in without.reason


def test_the_environment_tells_of_every_source(vcompress: CommandLine) -> None:
    document = json.loads(vcompress("env", "--json").out)
    names = [sensor["name"] for sensor in document["sensors"]]
    assert any("RAPL" in name for name in names) and any("PMIC" in name for name in names) and any("log" in name for name in names)
    assert sum("NVML" in name for name in names) == 2


@pytest.mark.parametrize("arguments, words", [
    (("--protocol", "mine"), "no protocol 'mine'"), (("--window", "0"), "more than 0 s"), (("--window", "nan"), "more than 0 s"),
])  # fmt: skip
def test_mistakes_of_the_bench_end_with_a_sentence(vcompress: CommandLine, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    answer = vcompress("bench", gan(tmp_path / "a").folder, "--workspace", tmp_path, "--measure", "energy", *arguments)
    assert (answer.code, answer.out) == (2, "") and words in answer.err and len(answer.err.splitlines()) == 1
