"""A page of synthetic records, with everything that a page can hold."""

import json
from pathlib import Path

from synthetic_records import many, on_targets, record, three_vocoders, write_audio_of, write_run

from vcompress.benchmarks.records import Record
from vcompress.benchmarks.report import write_report

COMMAND = "vcompress bench && vcompress pareto"


def records_of_a_page() -> list[Record]:
    """Measured rows, three vocoders; one of them on four boards; a figure of a paper."""
    printed = record("fp32", "mos", 3.9, "hifigan-s", known="published", target="", settings={"source": "Table 7"}, artifact="")
    return [*three_vocoders(), *on_targets(), printed]


def write_page(folder: Path, vocoders: int = 0) -> Path:
    """The page's file; of many vocoders where a number is given, without sound."""
    records = many(vocoders) if vocoders else records_of_a_page()
    if not vocoders:
        write_audio_of(records, folder, seconds=2.0)
        for recipe in ("qat_w8a8", "control_qat_w8a8"):
            write_run(folder, "hifigan-s", recipe)
        write_sensitivity(folder)
    return write_report(records, folder, folder / "report", COMMAND).html


def write_sensitivity(folder: Path) -> Path:
    """An analysis of two tensors and a layer, in a run of its own."""
    from vcompress.runtime.workspace import Workspace

    run = Workspace(folder).new_run("hifigan", "S", "static_w8a8")
    run.update(complete=True)

    def damage(snr: float) -> dict[str, float]:
        return {"noise": 10 ** (-snr / 10), "snr": snr, "log_mel_l1": 1 / snr}

    kinds = [
        ("tensor", "conv_pre:conv1d", 21.5),
        ("tensor", "ups.0:add", 33.0),
        *((kind, "conv_pre", snr) for kind, snr in (("weights", 40.0), ("activations", 22.0), ("layer", 21.9))),
    ]
    rows = [
        {"kind": kind, "name": name, "graph": "network", "keys": [name], "now": "8 bits", "alone": damage(snr), "others": None} for kind, name, snr in kinds
    ]
    facts = {"name": "hifigan-s", "recipe": "static_w8a8", "clips": ["a", "b"], "seconds": 2.0, "log_mel_l1_fp32": 0.3}
    path = run.folder / "sensitivity.json"
    path.write_text(json.dumps({"facts": facts, "everything": damage(18.0), "chosen": damage(24.0), "rows": rows}), encoding="utf-8")
    return path
