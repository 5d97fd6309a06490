"""The machine that measured, in words that name neither its host nor its user nor any path."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("vcompress", "numpy", "onnxruntime", "onnx", "soxr", "pesq", "pystoi", "speechmos", "pyJoules")
# What int8 and float kernels are chosen by: x86, then Arm
INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "sve")


@cache
def environment() -> dict[str, str]:
    """Machine, cores, instruction sets, memory, system, versions; key "machine" is the CPU and its cores. Treat it as read-only."""
    cpu, flags, cores = _cpu()
    found = {
        "machine": f"{cpu}, {cores} core{'s' * (cores > 1)}",
        "cpu": cpu,
        "cores": str(cores),
        "architecture": platform.machine(),
        "instruction_sets": " ".join(name for name in INSTRUCTION_SETS if name in flags),
        "memory": _memory(),
        "system": _system(),
        "python": platform.python_version(),
    }
    return found | {package: found_version for package in PACKAGES if (found_version := version_of(package))}


def _cpu() -> tuple[str, set[str], int]:
    lines = [line.split(":", 1) for line in _read("/proc/cpuinfo").splitlines() if ":" in line]
    fields = {key.strip().lower(): value.strip() for key, value in reversed(lines)}
    board = _read("/proc/device-tree/model").strip("\0\n ")  # on Arm, /proc/cpuinfo has no model name
    name = fields.get("model name") or board or fields.get("model") or platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return " ".join(name.split()), set((fields.get("flags") or fields.get("features") or "").split()), cores


def _memory() -> str:
    total = next((line.split()[1] for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal:")), "")
    return f"{int(total) / 2**20:.1f} GiB" if total else ""


def _system() -> str:
    try:
        distribution = f" ({platform.freedesktop_os_release().get('PRETTY_NAME', '')})"
    except OSError:
        distribution = ""
    return f"{platform.system()} {platform.release()}{distribution}"


def version_of(package: str) -> str:
    """Version of an installed package, empty where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
