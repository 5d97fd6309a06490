"""`vcompress list`: the vocoders there are, and what each costs before anything is compressed."""

from dataclasses import asdict

from .options import JsonOption
from .output import print_json, print_table


def list_vocoders(json: JsonOption = False) -> None:
    """List every family and size, and what it costs.

    Parameters as the papers count them, GFLOPs for the whole synthesis of one second of audio, calls of the network in one
    synthesis, and the bytes of the fp32 weights.

    \b
    Examples: vcompress list
              vcompress list --json
    """
    from ..vocoders.catalogue import catalogue

    rows = catalogue()
    if json:
        print_json([asdict(row) for row in rows])
        return
    headers = ("family", "size", "parameters", "GFLOPs per second", "network calls", "fp32 bytes")
    table = [(r.family, r.size, f"{r.parameters:,}", f"{r.gflops_per_second:.2f}", f"{r.network_calls}", f"{r.fp32_bytes:,}") for r in rows]
    print_table(headers, table, words=2)
