"""Records as a benchmark would write them, without running one: fixed values with seeded noise between the clips."""

import random
from pathlib import Path

from vcompress.benchmarks.records import Record

ENVIRONMENT = {"machine": "bench-1", "cpu": "Example CPU", "onnxruntime": "1.25.0"}
CLIPS = "c0ffee00"
NO_ENERGY = "no RAPL and no NVML on this machine"


def record(recipe: str, metric: str, value: float | None, name: str = "hifigan-s", **changes) -> Record:
    """One figure; `changes` override any other field."""
    family, size = name.split("-")
    fields = dict(
        artifact=f"{name}-{recipe}", name=name, family=family, size=size.upper(), recipe=recipe, backend="onnxruntime", target="host", metric=metric,
        value=value, unit="", environment=ENVIRONMENT, time="2025-01-01T00:00:00",
    )  # fmt: skip
    return Record(**{**fields, **changes})


def quality(recipe: str, metric: str, mean: float, name: str = "hifigan-s", clips: str = CLIPS, noise: float = 0.02, count: int = 8) -> Record:
    """A quality figure with its single clips: the clips differ much, two recipes on one clip little."""
    clip, own = random.Random(f"{metric}{name}"), random.Random(f"{metric}{name}{recipe}")
    samples = [clip.gauss(0, 0.2 * mean) + own.gauss(0, noise * mean) for _ in range(count)]
    centre = sum(samples) / count
    samples = [mean + sample - centre for sample in samples]
    return record(recipe, metric, sum(samples) / count, name, clips=clips, samples=tuple(samples), repeats=count)


def vocoder(name: str, file_bytes: float, rtf: float, pesq: float, mel: float, folded: bool = False) -> list[Record]:
    """All figures of one vocoder under fp32, static, QAT and its control."""
    kinds = {"fp32": (1, 1, 0), "static_w8a8": (0.27, 0.4, -0.04), "qat_w8a8": (0.27, 0.4, 0.02), "control_qat_w8a8": (1, 1, 0.03)}
    if folded:
        kinds |= {f"folded_{recipe}": (0.4 * size, 0.97 * time, gain) for recipe, (size, time, gain) in kinds.items()}
    found: list[Record] = []
    for recipe, (size, time, gain) in kinds.items():
        total, threads = file_bytes * size, [(1, rtf * time), (2, rtf * time / 1.6)]
        found += [record(recipe, metric, total * share, name, unit="byte") for metric, share in
                  (("file_bytes", 1), ("weight_bytes", 0.97), ("scale_bytes", 0.005), ("bias_bytes", 0.005), ("graph_bytes", 0.02))]  # fmt: skip
        found += [record(recipe, "rtf", value, name, unit="s/s", settings={"threads": n}, repeats=20, spread=value / 50) for n, value in threads]
        found.append(record(recipe, "energy", None, name, reason=NO_ENERGY))
        found += [
            quality(recipe, "pesq_wb", pesq + gain, name),
            quality(recipe, "pesq_nb", pesq + gain + 0.6, name),
            quality(recipe, "stoi", 0.85 + gain / 10, name),
        ]
        found.append(quality(recipe, "log_mel_l1", mel * (1 - gain / 2), name))
        if not recipe.endswith("fp32"):
            found.append(record(recipe, "snr_fp32", 24.5 + 100 * gain, name, unit="dB", clips=CLIPS))
            if name.startswith("diffwave"):
                found += [record(recipe, f"snr_step_{n}", 21 + 2.2 * n + 60 * gain, name, unit="dB", clips=CLIPS) for n in range(6)]
    return found


def three_vocoders() -> list[Record]:
    """MelGAN not trained enough, HiFi-GAN and DiffWave judged, DiffWave also folded."""
    return [
        *vocoder("melgan-s", 4.4e6, 0.021, 1.6, 0.42),
        *vocoder("hifigan-s", 3.8e6, 0.048, 2.4, 0.31),
        *vocoder("diffwave-s", 4.9e6, 1.9, 2.2, 0.38, folded=True),
    ]


def on_targets(name: str = "hifigan-s", recipes: tuple[str, ...] = ("fp32", "static_w8a8", "qat_w8a8")) -> list[Record]:
    """What is reckoned, simulated and measured of one vocoder on a board each."""
    found: list[Record] = []
    for recipe in recipes:
        less = 1.0 if recipe == "fp32" else 0.4
        for target, fast, slow in (("rpi-4b", 0.5, 0.7), ("rpi-2b", 8.0, 8.2), ("pico", 90.0, 120.0)):
            ends = (("fast", fast * less), ("slow", slow * less))
            found += [record(recipe, "rtf", value, name, known="modelled", target=target, backend="model", settings={"end": end}) for end, value in ends]
            held = {"ram_bytes": 9e6 * less, "ram_budget_bytes": 4e9} if target != "pico" else {"flash_bytes": 4e6 * less, "flash_budget_bytes": 2e6}
            found += [record(recipe, metric, value, name, known="modelled", target=target, backend="model", unit="byte") for metric, value in held.items()]
        found.append(record(recipe, "instructions_per_second", 2.5e9 * less, name, known="simulated", target="rpi-2b", unit="instruction/s"))
        found.append(record(recipe, "rtf", 0.9 * less, name, target="rpi-5", environment={"machine": "Raspberry Pi 5"}, time="2024-12-01T00:00:00"))
    return found


def many(vocoders: int) -> list[Record]:
    """Records of so many vocoders, 51 of each, in four rows."""
    draw = random.Random(7)
    found: list[Record] = []
    for i in range(vocoders):
        size = draw.lognormvariate(15, 1)
        found += vocoder(f"v{i}-s", size, size / 1e8 * draw.uniform(0.5, 2), draw.uniform(2.0, 3.6), draw.uniform(0.2, 0.5))
    return found


def write_audio_of(records: list[Record], workspace: Path, seconds: float = 0.5) -> None:
    """A sweep for the recording and for every artifact, with noise for those that are not fp32."""
    import numpy as np

    from vcompress.runtime.audio import write_audio

    time = np.arange(int(16000 * seconds)) / 16000
    sweep = 0.5 * np.sin(2 * np.pi * (100 * time + 3500 * time**2 / (2 * seconds) * 2))
    folders = {f"reference-{CLIPS}": 0.0} | {r.artifact: 0.0 if r.recipe == "fp32" else 0.01 for r in records}
    for folder, noise in folders.items():
        write_audio(workspace / "audio" / folder / "clip_1.wav", sweep + noise * np.random.default_rng(1).standard_normal(len(time)), 16000)


def write_run(workspace: Path, name: str, recipe: str, steps: int = 1200) -> None:
    """A finished run with its curve."""
    import json
    import math

    from vcompress.runtime.workspace import Workspace

    family, size = name.split("-")
    run = Workspace(workspace).new_run(family, size.upper(), recipe, steps=steps)
    extra = 0.01 if recipe == "qat_w8a8" else 0.0
    points = [{"step": s, "seconds": s * 0.4, "validation_loss": 0.6 + 0.05 * math.exp(-s / 300) + extra} for s in range(0, steps + 1, 100)]
    (run.folder / "curve.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points) + '{"step": 13', encoding="utf-8")
    run.update(complete=True)
