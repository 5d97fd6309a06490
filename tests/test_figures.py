"""The figures of the README: what is measured once, what the page says of it, what it says where nothing is known."""

from pathlib import Path

import pytest
from synthetic_records import record, three_vocoders, write_run
from tiny_bench import diffusion, gan

from vcompress.benchmarks.columns import signed
from vcompress.benchmarks.figures import __main__ as figures
from vcompress.benchmarks.figures import artifacts, quality, size, speed, steps
from vcompress.benchmarks.figures.artifacts import FP32, INT8, PLACE, Maker, configurations, name_of
from vcompress.benchmarks.figures.others import OtherLoad
from vcompress.benchmarks.records import append_record, read_records
from vcompress.benchmarks.workload import graph_inputs
from vcompress.errors import VcompressError
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.vocoders.plan import QAT_BATCH


def lines(markdown: str, word: str) -> list[str]:
    """The table rows that begin with a word, without the padding."""
    rows = [" | ".join(cell.strip() for cell in line.strip("|").split("|")) for line in markdown.splitlines() if line.startswith("|")]
    return [row for row in rows if row.startswith(word)]


@pytest.fixture
def tiny_artifacts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Artifacts of a few kilobytes in place of the real ones; HiFi-GAN L cannot be made. Gives the names of those asked for."""
    asked: list[str] = []

    def artifact(maker: Maker, recipe: str) -> Artifact:
        name = name_of(maker.configuration)
        asked.append(f"{name} {recipe}")
        if name == "hifigan-l":
            raise VcompressError("The artifact is too large for this disk; free some space.")
        folder = maker.root / "tiny" / name / recipe
        made = diffusion(folder, recipe) if maker.configuration.family == "diffwave" else gan(folder, recipe)
        text = (folder / "manifest.json").read_text(encoding="utf-8")
        (folder / "manifest.json").write_text(text.replace(f'"name": "{made.manifest.name}"', f'"name": "{name}"'), encoding="utf-8")
        return Artifact.open(folder)

    monkeypatch.setattr(Maker, "artifact", artifact)
    monkeypatch.setattr(Maker, "weights", artifacts.RANDOM)
    return asked


def test_folded_schedules_are_rows_of_diffusion_alone() -> None:
    recipes = {name_of(c): artifacts.recipes_of(c) for c in configurations()}
    assert len(recipes) == len(configurations()) and recipes["wavegrad-m"][-1] == "folded_static_w8a8"
    assert recipes["diffwave-s"] == (FP32, INT8, "folded_fp32", INT8.join(("folded_", "")))
    assert recipes["melgan-l"] == (FP32, INT8)


def test_an_artifact_is_made_once_and_quantized_with_its_schedule_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from dataclasses import replace

    from vcompress.vocoders import registry
    from vcompress.vocoders.diffwave import FAMILY, DiffWaveConfig

    torch.set_num_threads(1)
    tiny = replace(FAMILY, sizes={"S": DiffWaveConfig(channels=8, layers=2)})
    monkeypatch.setattr(registry, "find_family", lambda name: tiny)
    for module in ("vcompress.compress.folded", "vcompress.vocoders.checkpoint"):
        monkeypatch.setattr(f"{module}.find_family", lambda name: tiny)
    monkeypatch.setattr("vcompress.vocoders.checkpoint.shipped_checkpoint", lambda family, size: None)
    written, said = [], []

    def write(vocoder, recipe, name, folder, table, bits) -> Artifact:
        written.append((recipe, name, table))
        return diffusion(folder, recipe.name)

    monkeypatch.setattr("vcompress.export.artifact_writer.write_artifact", write)
    configuration = next(c for c in configurations() if name_of(c) == "diffwave-s")
    folded = Maker(tmp_path, configuration, said.append).artifact(f"folded_{INT8}")
    recipe, name, table = written[0]
    assert recipe.folded and recipe.method == "static" and name == "diffwave-s" and "input:audio" not in table.entries and table.entries
    assert said == ["calibrating diffwave-s", f"exporting diffwave-s folded_{INT8}"]
    assert Maker(tmp_path, configuration, said.append).artifact(f"folded_{INT8}").identity == folded.identity and len(said) == 2
    assert not list(tmp_path.glob("*/*/*/run.json")), "no command may take these for runs of the workspace"


def test_sizes_are_counted_and_what_could_not_be_made_is_named(tmp_path: Path, tiny_artifacts: list[str]) -> None:
    said: list[str] = []
    size.measure(tmp_path, say=said.append)
    assert said == [f"hifigan-l {recipe} cannot be made: The artifact is too large for this disk; free some space." for recipe in (FP32, INT8)]
    page = size.write(tmp_path).markdown()
    plain, folded = lines(page, "DiffWave S")
    assert "≤" in plain and "≤" not in folded and len(lines(page, "MelGAN")) == 3
    assert "not measured yet" in lines(page, "HiFi-GAN L")[0]


def test_size_ratios_are_those_of_the_bytes(tmp_path: Path) -> None:
    for recipe, weights, scales, biases, file in ((FP32, 1000.0, 0.0, 90.0, 1200.0), (INT8, 250.0, 10.0, 9.0, 372.0)):
        for metric, value in {"weight": weights, "scale": scales, "bias": biases, "file": file}.items():
            append_record(tmp_path / PLACE / size.RECORDS, record(recipe, f"{metric}_bytes", value))
    row = lines(size.write(tmp_path).markdown(), "HiFi-GAN S")[0]
    assert "0.2690 | ≤ 0.27 | met" in row and "0.3100 | ≤ 0.30 | **missed**" in row


def test_races_are_run_once_and_again_only_when_asked(tmp_path: Path, tiny_artifacts: list[str]) -> None:
    only, said = ("hifigan-s", "diffwave-m"), []
    speed.measure(tmp_path, only, say=said.append, quick=True)
    records = read_records(tmp_path / PLACE / speed.RECORDS)
    metrics = {(found.name, found.recipe, found.metric, found.settings["threads"]) for found in records}
    assert ("hifigan-s", INT8, "speedup", 1) in metrics and ("diffwave-m", INT8, "speedup_step", 1) in metrics
    assert all(found.value and found.environment["weights"] == artifacts.RANDOM for found in records)
    assert [text for text in said if text.startswith("timing")] == ["timing hifigan-s", "timing diffwave-m"]
    said.clear()
    speed.measure(tmp_path, only, say=said.append, quick=True)
    assert not [text for text in said if text.startswith("timing")]
    speed.measure(tmp_path, only[:1], again=True, say=said.append, quick=True)
    assert "timing hifigan-s" in said
    page = speed.write(tmp_path).markdown()
    assert lines(page, "DiffWave M")[0].split(" | ")[1] == "`step`, 0.2 s"
    assert "not measured yet" in lines(page, "MelGAN L")[0]


def test_targets_are_met_or_missed(tmp_path: Path) -> None:
    path = tmp_path / PLACE / speed.RECORDS
    append_record(path, record(INT8, "speedup", 1.9, settings={"threads": 1}, spread=0.2))
    append_record(path, record(INT8, "speedup", 3.1, name="melgan-m", settings={"threads": 1}))
    append_record(path, record(FP32, "thread_speedup", 1.75, name="melgan-m", settings={"threads": 2}))
    page = speed.write(tmp_path).markdown()
    assert "1.90 ± 0.10 | ≥ 2 | **missed**" in lines(page, "HiFi-GAN S")[0]
    assert "3.10 | ≥ 3 | met" in lines(page, "MelGAN M")[0] and "1.75 | ≥ 1.7 | met" in lines(page, "MelGAN M")[1]


def test_a_step_is_called_with_what_the_sampler_gives_it_and_run_once(tmp_path: Path) -> None:
    artifact = diffusion(tmp_path)
    session, calls = load("onnxruntime", artifact, 1), []

    class Counting:
        environment = session.environment

        def run(self, graph: str, inputs: dict) -> dict:
            calls.append(graph)
            return session.run(graph, inputs)

    inputs = graph_inputs(artifact, Counting(), 4)
    assert calls == ["conditioner", "step"] and set(inputs["step"]) == {"audio", "condition", "code"}


def test_steps_of_each_arm_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from dataclasses import replace

    from vcompress.vocoders import registry
    from vcompress.vocoders.melgan import FAMILY, MelGANConfig

    torch.set_num_threads(1)
    tiny = replace(FAMILY, sizes={"S": MelGANConfig(base_channels=2, residual_blocks=1)}, plan=replace(FAMILY.plan, frames=8, accelerator="cpu"))
    monkeypatch.setattr(registry, "find_family", lambda name: tiny)
    for module in ("vcompress.compress.folded", "vcompress.vocoders.checkpoint"):
        monkeypatch.setattr(f"{module}.find_family", lambda name: tiny)
    monkeypatch.setattr("vcompress.vocoders.checkpoint.shipped_checkpoint", lambda family, size: None)
    said: list[str] = []
    for _ in range(2):
        steps.measure(tmp_path, ("melgan-s",), say=said.append, quick=True)
    assert said == ["training of melgan-s", "QAT of melgan-s", "control of melgan-s"]
    records = read_records(tmp_path / PLACE / steps.RECORDS)
    assert [found.recipe for found in records] == list(steps.ARMS) and all(found.value > 0 for found in records)
    assert records[0].settings == {"threads": 1, "batch_size": QAT_BATCH} and records[0].environment["accelerator"] == "1 cpu"
    assert not list(tmp_path.rglob(".steps*"))


def test_what_is_too_slow_is_named_with_its_steps_a_second(tmp_path: Path) -> None:
    for recipe, value in (("qat_w8a8", 0.1), ("control_qat_w8a8", 0.2), (FP32, 0.25)):
        append_record(tmp_path / PLACE / steps.RECORDS, record(recipe, steps.METRIC, value, name="diffwave-l"))
    assert lines(steps.write(tmp_path).markdown(), "DiffWave L") == ["DiffWave L | 0.25 | 0.1 | 0.2 | 4.2 h | too slow here"]


def test_quality_comes_from_the_workspace(tmp_path: Path) -> None:
    for found in three_vocoders():
        append_record(tmp_path / "records.jsonl", found)
    for recipe in ("qat_w8a8", "control_qat_w8a8"):
        write_run(tmp_path, "hifigan-s", recipe)
    write_run(tmp_path, "melgan-s", "qat_w8a8", steps=500)
    write_run(tmp_path, "melgan-s", "control_qat_w8a8", steps=500)
    page = quality.write(tmp_path).markdown()
    assert lines(page, "melgan-s | static_w8a8")[0].endswith("not trained enough to judge")
    assert signed("-0.040 ± 0.041 | ≥ -0.10") in lines(page, "hifigan-s | static_w8a8 | fp32")[0]
    assert lines(page, "hifigan-s | static_w8a8 | 20.5") == ["hifigan-s | static_w8a8 | 20.5 | ≥ 20 | met"]
    assert lines(page, "diffwave-s | qat_w8a8 | 33.2")
    assert "diffwave-s qat_w8a8 against control_qat_w8a8: PESQ nb" in page
    assert lines(page, "hifigan-s | qat_w8a8 | 1,200")[0].endswith("1.017 | met")
    assert lines(page, "melgan-s | qat_w8a8 | 500")[0].endswith("**missed**: fewer than 1,000 steps")


def test_the_page_is_written_where_nothing_is_known_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "docs" / "figures.md"
    assert figures.main(["--part", "quality", "--workspace", str(tmp_path / "runs"), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## Quality", "## Speed", "## Size", "## Training speed"]
    assert page.count("Nothing is measured yet") == 4
    assert capsys.readouterr().out.endswith(f"{out}\n")


def test_a_workspace_that_cannot_be_written_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert figures.main(["--part", "size", "--workspace", str(tmp_path / "file" / "runs"), "--out", str(tmp_path / "figures.md")]) == 2
    assert "cannot be written" in capsys.readouterr().err and not (tmp_path / "figures.md").exists()


def test_the_load_of_others_is_no_more_than_the_cores() -> None:
    import os
    import time

    load = OtherLoad()
    assert load.cores() is None  # nothing can be said of a moment
    time.sleep(0.5)
    cores = load.cores()
    assert cores is None or 0 <= cores <= (os.cpu_count() or 1) + 0.5
