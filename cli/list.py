"""`vcompress list`: the vocoders there are, and what each costs before anything is compressed."""

from dataclasses import asdict
from typing import Annotated

import typer

from .options import JsonOption
from .output import print_json, print_table

RateOption = Annotated[
    int | None, typer.Option("--sample-rate", metavar="HZ", min=1, help="What they cost as trained for another rate than 16000.", show_default=False)
]


def list_vocoders(sample_rate: RateOption = None, json: JsonOption = False) -> None:
    """List every family and size, and what it costs.

    Parameters as the papers count them, GFLOPs for the whole synthesis of one second of audio, calls of the network in one
    synthesis, and the bytes of the fp32 weights. All are for 16 kHz; `vcompress train --sample-rate` trains them for another rate.

    \b
    Examples: vcompress list
              vcompress list --sample-rate 24000
              vcompress list --json
    """
    from ..vocoders.catalogue import at_rate, catalogue
    from ..vocoders.registry import given_notes

    rows = catalogue() if sample_rate is None else tuple(at_rate(row, sample_rate) for row in catalogue() if not given_notes(row.family))
    if json:
        print_json([asdict(row) for row in rows])
        return
    headers = ("family", "size", "parameters", "GFLOPs per second", "network calls", "fp32 bytes")
    table = [(r.family, r.size, f"{r.parameters:,}", f"{r.gflops_per_second:.2f}", f"{r.network_calls}", f"{r.fp32_bytes:,}") for r in rows]
    print_table(headers, table, words=2)
