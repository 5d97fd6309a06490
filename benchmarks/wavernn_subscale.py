"""What several samples a step bring in ONNX Runtime: `python -m vcompress.benchmarks.wavernn_subscale`.

WaveRNN, and Subscale WaveRNN of as many units with 8 and with 16 parts, through their samplers in Python; fp32 and int8, in turn in one process on one
thread. Weights are random where none come with the package: the time does not depend on them.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from ..runtime.artifact import Artifact
from ..runtime.synthesis import synthesize
from ..targets.calls import ShapeSession
from ..vocoders.catalogue import check_entry
from .environment import environment
from .figures.artifacts import FP32, INT8, Maker, configurations
from .speedup import Contestant, Race, interleaved
from .subject import BenchSettings
from .workload import frames_of, steady_mel

Key = tuple[str, int, str]  # size of the WaveRNN, samples a step, recipe


def contests(size: str) -> dict[int, tuple[str, str]]:
    """Samples a step -> family and size, of networks with as many units."""
    return {1: ("wavernn", size), 8: ("subscale", f"{size}8"), 16: ("subscale", size)}


def calls_a_second(artifact: Artifact, seconds: float) -> float:
    """Calls of ONNX Runtime for a second of audio, in a synthesis of so many seconds: the parts end one after the other."""
    front_end, session = artifact.manifest.front_end, ShapeSession(artifact)
    frames = frames_of(front_end, seconds)
    synthesize(artifact, session, steady_mel(front_end, frames))
    return sum(call.count for call in session.calls.values()) * front_end.sample_rate / (frames * front_end.hop_length)


def measure(artifacts: Mapping[Key, Artifact], seconds: float, rounds: int) -> Race:
    """Race of all, labelled by their keys."""
    contestants = [Contestant(_label(key), artifact) for key, artifact in artifacts.items()]
    return interleaved(contestants, BenchSettings(seconds=seconds, repeats=rounds, warmup=1, patience=float("inf")))


def table(artifacts: Mapping[Key, Artifact], race: Race, seconds: float) -> str:
    """Markdown: calls and seconds for a second of audio, and how many times as fast as WaveRNN of the same size and recipe."""
    lines = ["| size | recipe | samples a step | calls a second of audio | RTF | IQR | CPU s/s | faster than WaveRNN |", "|---|---|---|---|---|---|---|---|"]
    for (size, parts, recipe), artifact in artifacts.items():
        label = _label((size, parts, recipe))
        rtf, cpu = race.timings[label].rtf, race.timings[label].cpu_per_second.value or 0
        calls, ratio = calls_a_second(artifact, seconds), race.ratio(_label((size, 1, recipe)), label).value
        lines.append(f"| {size} | {recipe} | {parts} | {calls:,.0f} | {rtf.value:.3f} | {rtf.spread or 0:.3f} | {cpu:.3f} | {ratio:.2f} x |")
    return "\n".join(lines)


def _label(key: Key) -> str:
    return " ".join(map(str, key))


def main() -> None:
    """Time, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.wavernn_subscale", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--sizes", nargs="+", default=["S"], choices=["S", "M", "L"])
    parser.add_argument("--seconds", type=float, default=1.024, help="of audio a run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workspace", type=Path, default=Path("runs"), help="where artifacts without trained weights are kept")
    given = parser.parse_args()
    artifacts: dict[Key, Artifact] = {}
    for size in given.sizes:
        for parts, wanted in contests(size).items():
            found = check_entry(*wanted)
            maker = Maker(given.workspace, next(row for row in configurations() if (row.family, row.size) == found), lambda text: print(text, flush=True))
            artifacts |= {(size, parts, recipe): maker.artifact(recipe) for recipe in (FP32, INT8)}
    artifacts = dict(sorted(artifacts.items(), key=lambda item: (given.sizes.index(item[0][0]), item[0][2], item[0][1])))
    race = measure(artifacts, given.seconds, given.rounds)
    print(f"\nONNX Runtime, one thread of {environment()['machine']}; median of {given.rounds} interleaved runs of {given.seconds:g} s\n")
    print(table(artifacts, race, given.seconds))


if __name__ == "__main__":
    main()
