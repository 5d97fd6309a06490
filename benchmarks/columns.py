"""What each metric is called, which way is better and how its figures are written."""

from dataclasses import dataclass, replace
from typing import Literal

from .metrics import METRICS
from .pareto import Objective, Sense

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"

Kind = Literal["size", "speed", "energy", "quality", "fidelity", "other"]


def signed(number: str) -> str:
    """A formatted number with the typographic minus, which is as wide as a plus."""
    return number.replace("-", MINUS)


@dataclass(frozen=True)
class Column:
    """One metric; its sense is None where neither way is better.

    `kind` "fidelity" compares with the fp32 output, which fp32 itself lacks; "quality" with the reference recording.

    scale: what a value is divided by before it is written with `digits` decimals, for example 1e6 for MB.
    """

    metric: str
    label: str
    kind: Kind
    sense: Sense | None
    unit: str = ""
    digits: int = 2
    scale: float = 1.0
    meaning: str = ""

    @property
    def objective(self) -> Objective:
        """The metric as an axis of a front, for those that have a better end."""
        assert self.sense is not None
        return Objective(self.metric, self.sense)

    @property
    def better(self) -> str:
        """Which way is better, in words; empty where neither is."""
        return {"min": "lower is better", "max": "higher is better", None: ""}[self.sense]

    def text(self, value: float) -> str:
        """The value as written in a table, without its unit."""
        value = value / self.scale
        return f"{value:.{self.digits}f}" if abs(value) >= 10.0**-self.digits or value == 0 else f"{value:.2g}"


COLUMNS = (
    Column("file_bytes", "File size", "size", "min", "MB", 2, 1e6, "bytes of all ONNX graphs of the artifact"),
    Column("deflated_bytes", "Deflated", "size", "min", "MB", 2, 1e6, "bytes of all ONNX graphs, each deflated: zeros take almost nothing"),
    Column("weight_bytes", "Weights", "size", "min", "kB", 0, 1e3, "bytes of the weights"),
    Column("scale_bytes", "Scales", "size", "min", "kB", 1, 1e3, "bytes of scales and zero points"),
    Column("bias_bytes", "Biases", "size", "min", "kB", 1, 1e3, "bytes of the biases"),
    Column("graph_bytes", "Graph", "size", "min", "kB", 1, 1e3, "the rest of the files: operators and shapes"),
    Column("rtf", "RTF", "speed", "min", "", 3, meaning="seconds of synthesis per second of audio"),
    Column("cpu_seconds_per_second", "CPU time", "speed", "min", "s/s", 3, meaning="CPU seconds of all threads per second of audio"),
    Column("peak_memory", "Peak memory", "size", "min", "MB", 0, 1e6, "largest resident memory of the process that synthesizes"),
    Column("energy", "Energy", "energy", "min", "J/s", 2, meaning="joules per second of audio"),
    Column("pesq_wb", "PESQ wb", "quality", "max", "", 2, meaning="ITU-T P.862.2, wide band, against the recording"),
    Column("log_mel_l1", "Log-mel L1", "quality", "min", "", 3, meaning="mean absolute difference of log mel spectrograms"),
    Column("mr_stft", "MR-STFT", "quality", "min", "", 3, meaning="multi-resolution STFT distance"),
    Column("d_stft", "D_STFT", "quality", "min", "", 3, meaning="mean |ln(1 + |X|²) - ln(1 + |Y|²)|, frame 1024, hop 256"),
    Column("pesq_nb", "PESQ nb", "quality", "max", "", 2, meaning="ITU-T P.862, narrow band, against the recording"),
    Column("stoi", "STOI", "quality", "max", "", 3, meaning="short-time objective intelligibility, 0 to 1"),
    Column("dnsmos_ovrl", "DNSMOS OVRL", "quality", "max", "", 2, meaning="a network's estimate without a reference; not a MOS"),
    Column("dnsmos_p808", "DNSMOS P808", "quality", "max", "", 2, meaning="a network's estimate without a reference; not a MOS"),
    Column("frechet_dnsmos", "Fréchet", "quality", "min", "", 2, meaning="Fréchet distance of DNSMOS features (64-d) to those of recordings"),
    Column("snr_fp32", "SNR to fp32", "fidelity", "max", "dB", 1, meaning="against the fp32 output from the same noise"),
    Column("parameter_bytes", "Weights, scales, biases", "size", "min", "kB", 0, 1e3, "what the graphs hold, without their structure"),
    Column("speedup", "Speed-up", "speed", "max", "x", 2, meaning="time of fp32 (folded alike) over the row's, runs interleaved"),
    Column("thread_speedup", "Speed-up by threads", "speed", "max", "x", 2, meaning="time with the fewest threads over that with more, runs interleaved"),
    Column("core_hour_ratio", "Core-hours", "speed", "min", "h/h", 3, meaning="hours that cores are held for an hour of audio"),
    Column("peak_device_memory", "Peak GPU memory", "size", "min", "MB", 0, 1e6, "the most that was allocated on the GPU at once"),
    Column("peak_activation_bytes", "Activations", "size", "min", "MB", 2, 1e6, "tensors alive at once, weights not among them"),
    Column("energy_above_idle", "Energy above idle", "energy", "min", "J/s", 2, meaning="joules per second of audio less what the idle machine draws"),
    Column("energy_per_utterance", "Energy an utterance", "energy", "min", "J", 2, meaning="joules of one utterance"),
    Column("synthesis_energy_100s", "Energy of ten clips", "energy", "min", "J", 1, meaning="joules of the papers' ten clips of ten seconds"),
    Column("synthesis_time_100s", "Time of ten clips", "speed", "min", "s", 2, meaning="seconds of the papers' ten clips of ten seconds"),
    Column("idle_power", "Idle", "other", None, "W", 2, meaning="power of the machine at rest, between the windows of work"),
    Column("macs_reached", "MACs reached", "speed", "max", "GMAC/s", 2, 1e9, "multiply-accumulates a second"),
    Column("peak_share", "Share of peak", "speed", "max", "%", 0, 0.01, "time at the machine's measured peaks over the time taken"),
    Column("int8_mac_share", "MACs in int8", "other", None, "%", 0, 0.01, "part of the multiply-accumulates whose data and weights have 8 bits"),
    Column("call_ms", "Call", "speed", "min", "ms", 2, meaning="wall clock of one call of one graph"),
    Column("cycles_per_second", "Cycles", "other", None, "million/s", 0, 1e6, "of a simulated processor, for a second of audio"),
    Column("instructions_per_second", "Instructions", "other", None, "million/s", 0, 1e6, "counted for a second of audio"),
    Column("cycles_per_mac", "Cycles a MAC", "other", None, "", 1, meaning="all cycles of a synthesis over its multiply-accumulates"),
    Column("instructions_per_mac", "Instructions a MAC", "other", None, "", 2, meaning="all instructions of a synthesis over its multiply-accumulates"),
    Column("flash_bytes", "Flash", "size", "min", "kB", 0, 1e3, "what has to lie in the flash of a microcontroller"),
    Column("ram_bytes", "RAM", "size", "min", "kB", 1, 1e3, "what has to be held in RAM at once"),
    Column("executed_gflops_per_second", "Executed", "other", "min", "GFLOP/s", 2, meaning="what the artifact really computes per second of audio"),
)

BY_METRIC = {column.metric: column for column in COLUMNS}
# A metric that is in the registry of metrics only has no words of its own yet, and is shown all the same.
BY_METRIC |= {
    metric.name: Column(metric.name, metric.name, "quality", "min" if metric.sense == "lower" else "max", metric.unit, 3, meaning=metric.method)
    for metric in METRICS.values()
    if metric.name not in BY_METRIC
}
QUALITY = tuple(column for column in BY_METRIC.values() if column.kind == "quality")
COSTS = tuple(BY_METRIC[metric] for metric in ("file_bytes", "rtf", "energy"))
STEP = "snr_step_"
STEP_SNR = Column(STEP, "SNR after each step", "fidelity", "max", "dB", 1, meaning="the state that is fed back, against fp32's from the same noise")


def column_of(metric: str, unit: str = "") -> Column:
    """The column of a metric; of one graph's share (`file_bytes_step`) that of the whole with the graph's name; else a plain one."""
    if metric.startswith(STEP):
        return STEP_SNR
    whole = max((known for known in BY_METRIC if metric == known or metric.startswith(f"{known}_")), key=len, default="")
    if not whole:
        return Column(metric, metric, "other", None, unit, 3)
    column = BY_METRIC[whole]
    return column if metric == whole else replace(column, metric=metric, label=f"{column.label} of {metric.removeprefix(whole + '_')}")
