"""What a machine lets be seen, on made-up trees of /sys and /proc."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import CommandLine

from vcompress.benchmarks import sensors as module
from vcompress.benchmarks.sensors import clock, governor, is_virtual, nvml, rapl, temperature

PHYSICAL, VIRTUAL = "flags\t\t: fpu avx2\ncpu MHz\t\t: 2400.5\n", "flags\t\t: fpu hypervisor avx2\ncpu MHz\t\t: 2400.5\n"
RAPL = "sys/class/powercap/intel-rapl:0"
CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"


def tree(root: Path, **files: str) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_everything_there_is_shown(tmp_path: Path) -> None:
    files = {f"{RAPL}/energy_uj": "123456\n", f"{RAPL}/name": "package-0\n", f"{RAPL}:0/energy_uj": "1\n", f"{RAPL}:0/name": "dram\n"}
    files |= {"sys/class/thermal/thermal_zone0/temp": "45123\n", "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n"}
    files |= {"sys/class/hwmon/hwmon1/temp1_input": "38000\n", "sys/class/hwmon/hwmon1/name": "nvme\n"}
    files |= {f"{CPUFREQ}/scaling_cur_freq": "3600000\n", f"{CPUFREQ}/scaling_governor": "performance\n", "proc/cpuinfo": PHYSICAL}
    root = tree(tmp_path, **files)
    assert rapl(root).value == "package-0, dram"
    assert temperature(root).value == "x86_pkg_temp 45.1 °C, nvme 38.0 °C"
    assert (clock(root).value, governor(root).value) == ("3600 MHz", "performance")
    assert all(sensor.reason == "" for sensor in (rapl(root), temperature(root), clock(root), governor(root)))


def test_a_virtual_machine_is_the_reason(tmp_path: Path) -> None:
    root = tree(tmp_path, **{"proc/cpuinfo": VIRTUAL})
    assert is_virtual(root)
    for sensor in (rapl(root), temperature(root), governor(root)):
        assert sensor.value is None and "virtual machine" in sensor.reason
    assert "2400 MHz" in str(clock(root).value) and "may not follow" in str(clock(root).value)


def test_a_machine_without_sensors_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    root = tree(tmp_path, **{"proc/cpuinfo": "flags\t: fpu\n"})
    assert "powercap" in rapl(root).reason and "thermal sensor" in temperature(root).reason
    assert clock(root).value is None and "frequency driver" in clock(root).reason
    monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
    assert "aarch64" in rapl(root).reason and "meter" in rapl(root).reason


def test_a_missing_permission_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, **{f"{RAPL}/energy_uj": "1\n", f"{RAPL}/name": "package-0\n", "proc/cpuinfo": VIRTUAL})
    read = Path.read_text

    def refuse(path: Path, *arguments: object, **named: object) -> str:  # root may read anything, so a mode would not refuse it
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", refuse)
    assert rapl(root).value is None and "chmod a+r" in rapl(root).reason


class FakeError(Exception):
    pass


def fake_nvml(**changes: object) -> SimpleNamespace:
    calls = {
        "NVMLError": FakeError,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: b"Example GPU",
        "nvmlDeviceGetTotalEnergyConsumption": lambda handle: 5,
        "nvmlDeviceGetPowerUsage": lambda handle: 70_400,
    }
    return SimpleNamespace(**{**calls, **changes})


def _raise(*arguments: object) -> None:
    raise FakeError("Not Supported")


@pytest.mark.parametrize("library, value, words", [
    (fake_nvml(), "Example GPU, 70 W now", ""),
    (fake_nvml(nvmlInit=_raise), None, "no NVIDIA GPU or driver (Not Supported)"),
    (fake_nvml(nvmlDeviceGetCount=lambda: 0), None, "sees no GPU"),
    (fake_nvml(nvmlDeviceGetTotalEnergyConsumption=_raise), None, "GPU 0 does not tell"),
    (None, None, "vcompress[energy]"),
], ids=["a GPU", "no driver", "no GPU", "an old GPU", "no package"])  # fmt: skip
def test_a_gpu_is_seen_or_the_reason_told(monkeypatch: pytest.MonkeyPatch, library: object, value: str | None, words: str) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library)
    assert nvml().value == value and words in nvml().reason


def test_the_command_gives_each_sensor_a_value_or_a_reason(vcompress: CommandLine) -> None:
    document = json.loads(vcompress("env", "--json").out)
    assert len(document["sensors"]) == 5
    assert all((sensor["value"] is None) == bool(sensor["reason"]) for sensor in document["sensors"])
    assert document["environment"]["machine"] and (document["energy"] is None or document["energy"])
    text = vcompress("env").out
    assert document["environment"]["machine"] in text and "RAPL" in text
