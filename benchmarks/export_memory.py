"""Peak memory of the way from weights to artifacts: `python -m vcompress.benchmarks.export_memory waveglow --size L`.

Each command of that way runs as a process of its own, as a user would give it, and the kernel says how much of it was resident at most (what GNU time
prints as %M). Memory does not depend on what the weights are: where none come with the package they are random, from a fixed seed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import VcompressError
from ..vocoders.catalogue import check_entry
from .environment import environment
from .table import markdown_table

CALIBRATION_CLIPS = 8  # as `vcompress quantize` takes
# A small process between, for a child's peak starts from what its parent holds at that moment.
PARENT = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime + usage.ru_stime]))
"""
WEIGHTS = """
import sys
from pathlib import Path
from vcompress.benchmarks.figures.artifacts import Maker, configurations
from vcompress.vocoders.checkpoint import save_checkpoint
family, size, path = sys.argv[1:]
row = next(c for c in configurations() if (c.family, c.size) == (family, size))
save_checkpoint(Path(path), Maker(Path(path).parent, row).checkpoint())
"""


@dataclass(frozen=True)
class Peak:
    """A command, the most bytes of it that were resident, and its CPU seconds."""

    command: str
    bytes: int
    seconds: float


def peak_of(command: str, arguments: Sequence[str]) -> Peak:
    """Run Python with these arguments. Raises VcompressError when it fails: what it says is on stderr."""
    answer = subprocess.run([sys.executable, "-c", PARENT, sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    code, kilobytes, seconds = json.loads(answer.stdout)
    if code:
        raise VcompressError(f"{command} ended with {code}; mend what it says above and measure again.")
    return Peak(command, kilobytes * 1024, seconds)


def measure(family: str, size: str, data: Sequence[Path] = (), clips: int = CALIBRATION_CLIPS) -> list[Peak]:
    """Quantize, export fp32, export int8. Raises VcompressError for an unknown vocoder, or where a command fails."""
    check_entry(family, size)
    with tempfile.TemporaryDirectory() as folder:
        workspace, weights = ["--workspace", str(Path(folder) / "runs")], str(Path(folder) / "weights.safetensors")
        corpora = [word for place in data for word in ("--data", str(place))]
        peak_of("making the weights", ["-c", WEIGHTS, family, size, weights])

        def command(*words: str) -> Peak:
            shown = " ".join(("vcompress", *(word for word in words if word != weights and word != "--weights")))
            return peak_of(shown, ["-m", "vcompress", *words, *(corpora if words[0] == "quantize" else ()), *workspace])

        entry = ("--family", family, "--size", size)
        return [
            command("quantize", family, "--size", size, "--weights", weights, "--calibration-clips", str(clips)),
            command("export", *entry),
            command("export", "--int8", *entry),
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table or JSON. 2: a VcompressError, as one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.export_memory", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("family")
    parser.add_argument("--size", default="S")
    parser.add_argument("--data", action="append", type=Path, metavar="DIR", help="clips of the calibration; may be given again (default: the demo corpus)")
    parser.add_argument("--calibration-clips", type=int, default=CALIBRATION_CLIPS, metavar="N")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        peaks = measure(given.family, given.size, given.data or (), given.calibration_clips)
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps({"machine": environment()["machine"], "rows": [asdict(peak) for peak in peaks]}, indent=1))
    else:
        cells = [(f"`{peak.command}`", f"{peak.bytes / 1e9:.2f}", f"{peak.seconds:.0f}") for peak in peaks]
        print(markdown_table([("command", "peak, GB", "CPU s"), *cells]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
