"""What a machine lets be seen, on made-up trees of /sys and /proc."""

import json
from pathlib import Path

from conftest import CommandLine

from vcompress.benchmarks.sensors import clock, governor, is_virtual, temperature

PHYSICAL, VIRTUAL = "flags\t\t: fpu avx2\ncpu MHz\t\t: 2400.5\n", "flags\t\t: fpu hypervisor avx2\ncpu MHz\t\t: 2400.5\n"
CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"


def tree(root: Path, **files: str) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_everything_there_is_shown(tmp_path: Path) -> None:
    files = {"sys/class/thermal/thermal_zone0/temp": "45123\n", "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n"}
    files |= {"sys/class/hwmon/hwmon1/temp1_input": "38000\n", "sys/class/hwmon/hwmon1/name": "nvme\n"}
    files |= {f"{CPUFREQ}/scaling_cur_freq": "3600000\n", f"{CPUFREQ}/scaling_governor": "performance\n", "proc/cpuinfo": PHYSICAL}
    root = tree(tmp_path, **files)
    assert temperature(root).value == "x86_pkg_temp 45.1 °C, nvme 38.0 °C"
    assert (clock(root).value, governor(root).value) == ("3600 MHz", "performance")
    assert all(sensor.reason == "" for sensor in (temperature(root), clock(root), governor(root)))


def test_a_virtual_machine_is_the_reason(tmp_path: Path) -> None:
    root = tree(tmp_path, **{"proc/cpuinfo": VIRTUAL})
    assert is_virtual(root)
    for sensor in (temperature(root), governor(root)):
        assert sensor.value is None and "virtual machine" in sensor.reason
    assert "2400 MHz" in str(clock(root).value) and "may not follow" in str(clock(root).value)


def test_a_machine_without_sensors_says_so(tmp_path: Path) -> None:
    root = tree(tmp_path, **{"proc/cpuinfo": "flags\t: fpu\n"})
    assert "thermal sensor" in temperature(root).reason
    assert clock(root).value is None and "frequency driver" in clock(root).reason


def test_the_command_gives_each_sensor_a_value_or_a_reason(vcompress: CommandLine) -> None:
    document = json.loads(vcompress("env", "--json").out)
    assert all((sensor["value"] is None) == bool(sensor["reason"]) for sensor in document["sensors"])
    assert document["environment"]["machine"] and (document["energy"] is None or document["energy"])
    text = vcompress("env").out
    assert document["environment"]["machine"] in text and "RAPL" in text
