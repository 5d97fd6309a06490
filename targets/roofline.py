"""How long a synthesis takes on a target, reckoned: each layer by its arithmetic or by its memory, whichever takes longer.

Williams, Waterman and Patterson, Roofline, 2009. A modelled figure: it ranks and it bounds, it does not replace a stopwatch.
"""

from dataclasses import dataclass

from .firmware.code_size import code_sizes
from .profile import Profile, Quantity
from .workload import INT8, Workload

METHOD = "roofline on one core: layer by layer, the longer of MACs over rate and bytes over bandwidth"
METHOD_MCU = "MACs x cycles per MAC / clock, one core"
METHOD_CODE = "products, outputs, rows and transforms of the C code x cycles of each, from simulated runs / clock"


@dataclass(frozen=True)
class Speed:
    """Real-time factor as a range from `fast` to `slow`, both None with the `reason` where it cannot be told."""

    fast: float | None = None
    slow: float | None = None
    method: str = ""
    reason: str = ""

    @property
    def words(self) -> str:
        """What the range says of real time."""
        if self.fast is None or self.slow is None:
            return "speed not known"
        if self.slow <= 1:
            return "real time"
        return "real time in doubt" if self.fast <= 1 else "slower than real time"


def speed(profile: Profile, workload: Workload) -> Speed:
    """The real-time factor of a workload on a target.

    On a computer the fast end takes the high rates and lets only weights come from memory, the slow end takes the low rates and moves
    every input and output; on a microcontroller the ends are those of its cycles per MAC.
    """
    return _on_mcu(profile, workload) if profile.is_mcu else _on_computer(profile, workload)


def _on_mcu(profile: Profile, workload: Workload) -> Speed:
    if (known := _of_code(profile, workload)) is not None:
        return known
    cycles, clock = profile.cycles_per_mac, profile.clock_hz
    assert cycles is not None and clock.value is not None
    if cycles.value is None:
        return Speed(method=METHOD_MCU, reason=f"cycles per MAC of {profile.name}: {cycles.reason}")
    if not workload.int8_share:
        return Speed(method=METHOD_MCU, reason=f"no layer of {workload.name} {workload.recipe} is int8, and cycles per MAC are those of int8; quantize it")
    macs = workload.macs_per_second
    return Speed(macs * cycles.least / clock.value, macs * cycles.most / clock.value, METHOD_MCU)


def _of_code(profile: Profile, workload: Workload) -> Speed | None:
    """By the work of the C code; None where there is none, or nothing was measured on this target."""
    program, sizes = workload.code.program if workload.code is not None else "", code_sizes(profile.name)
    clock = profile.clock_hz.value
    if isinstance(program, str) or sizes is None or clock is None:
        return None
    frames = program.sample_rate / program.hop
    least, most = sizes.frame_cycles(program)
    return Speed(frames * least / clock, frames * most / clock, METHOD_CODE)


def _on_computer(profile: Profile, workload: Workload) -> Speed:
    rates = {bits: _rate(profile, bits) for bits in {layer.bits for layer in workload.layers}}
    for bits, rate in rates.items():
        if rate.value is None:
            return Speed(method=METHOD, reason=f"{'int8' if bits == INT8 else 'fp32'} rate of {profile.name}: {rate.reason}")
    narrow, wide = _bandwidths(profile)
    fast = slow = 0.0
    for layer in workload.layers:
        rate = rates[layer.bits]
        fast += layer.calls * max(layer.macs / rate.most, layer.weight_bytes / wide)
        slow += layer.calls * max(layer.macs / rate.least, (layer.weight_bytes + layer.moved_bytes) / narrow)
    return Speed(fast / workload.seconds, (slow + workload.other_bytes / narrow) / workload.seconds, METHOD)


def _rate(profile: Profile, bits: int) -> Quantity:
    rate = profile.int8_macs_per_second if bits == INT8 else profile.fp32_macs_per_second
    assert rate is not None
    return rate


def _bandwidths(profile: Profile) -> tuple[float, float]:
    """Slow and fast end of the bandwidth; without one, memory takes no time."""
    bandwidth = profile.bandwidth
    if bandwidth is None or bandwidth.value is None:
        return float("inf"), float("inf")
    return bandwidth.least, bandwidth.most
