"""How well a machine is used: multiply-accumulates a second that are reached, their share of the machine's peak, and what is alive at once."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec

from ..errors import VcompressError
from ..runtime.backends import elsewhere, on_a_gpu
from ..targets.workload import Workload, workload_of
from .energy.others import MUCH
from .figure import Figure, Planned, absent
from .peak import machine_peaks
from .rtf import timing
from .subject import Subject


def plan(subject: Subject) -> Iterator[Planned]:
    """`peak_activation_bytes`, `int8_mac_share`; `macs_reached` and `peak_share` for each number of threads."""
    settings = subject.settings
    missing = "" if find_spec("onnx") else "onnx is not installed; run: pip install onnx"

    @cache
    def workload() -> Workload:
        return workload_of(subject.artifact, settings.seconds)

    def planned(metric: str, unit: str, method: str, make: Callable[[], Figure], threads: int = 0, why: str = "") -> Planned:
        def measure() -> Figure:
            try:
                return make()
            except VcompressError as error:
                return absent(str(error).rstrip("."), 1)

        settled = {"threads": threads, **subject.special} if threads else {"protocol": settings.protocol} if settings.protocol else {}
        return Planned(metric, unit, method, measure, settled, window=settings.seconds, missing=missing or why)

    alive = "tensors alive at once at the worst place of the graphs' own order, weights not among them; from their shapes"
    yield planned("peak_activation_bytes", "bytes", alive, lambda: Figure(float(workload().peak_bytes or 0)))
    yield planned("int8_mac_share", "", "MACs whose data and weights have 8 bits, over all", lambda: Figure(workload().int8_share))
    no_peak = elsewhere(settings.backend) or ("the peak of the machine is that of its CPU" if on_a_gpu(settings.backend) else "")
    for threads in settings.threads:
        reached = "MACs of the graphs for a second of audio over the RTF"
        yield planned("macs_reached", "MAC/s", reached, lambda threads=threads: _reached(subject, workload(), threads), threads)  # type: ignore[misc]
        share = "time at the machine's peaks of int8 and fp32 (convolutions in ONNX Runtime, benchmarks/peak.py) over the time taken"
        yield planned("peak_share", "", share, lambda threads=threads: _share(subject, workload(), threads), threads, no_peak)  # type: ignore[misc]


def _reached(subject: Subject, workload: Workload, threads: int) -> Figure:
    taken = timing(subject, threads)
    figure = Figure.median_of([workload.macs_per_second * taken.audio / seconds for seconds in taken.wall])
    return replace(figure, environment=taken.conditions)


def _share(subject: Subject, workload: Workload, threads: int) -> Figure:
    peaks, taken = machine_peaks(threads), timing(subject, threads)
    macs, share = workload.macs_per_second, workload.int8_share
    least = macs * share / peaks.int8 + macs * (1 - share) / peaks.fp32  # seconds for a second of audio
    figure = Figure.median_of([least * taken.audio / seconds for seconds in taken.wall])
    known = {"peak_int8_macs_per_second": f"{peaks.int8:.4g}", "peak_fp32_macs_per_second": f"{peaks.fp32:.4g}"}
    if peaks.others > MUCH:
        known["peak_disturbed"] = f"other processes took {peaks.others:.2f} CPU s/s while it was measured: it is too low, and the share too high"
    return replace(figure, environment={**taken.conditions, **known})
