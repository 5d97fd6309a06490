"""What a configuration costs, counted on the network itself: `python -m vcompress.vocoders.counting` writes `catalogue.json`."""

import json
from dataclasses import asdict

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..runtime.files import write_text
from ..runtime.mel import FrontEnd
from ..runtime.samplers import make_sampler
from .catalogue import CATALOGUE, CatalogueRow
from .folding import fold
from .papers_count import papers_gflops, saved_bytes
from .registry import family_names, find_family


def count(family_name: str, size: str) -> CatalogueRow:
    """Count one configuration. Weights are not allocated, so any size takes a moment.

    FLOPs are 2 x MAC of every convolution and matrix product of the paper's network, over all calls of one synthesis.
    """
    family = find_family(family_name)
    config, sample_rate, frames = family.sizes[size], FrontEnd().sample_rate, family.counted_frames
    with torch.device("meta"):
        network = family.network(config)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            (family.paper_synthesis(network) if family.paper_synthesis else network)(*family.inputs(config, frames))
        parameters = sum(p.numel() for p in network.parameters())
        printed = papers_gflops(family, config, network), saved_bytes(family, network)
        folded = sum(p.numel() for p in fold(network).parameters())
    calls = family.paper_calls or max(make_sampler(family.sampler(config), config.hop_length).calls.values())
    seconds = frames * config.hop_length / sample_rate
    gflops = counter.get_total_flops() * calls / seconds / 1e9
    return CatalogueRow(family.name, family.title, size, parameters, folded, round(gflops, 4), calls, 4 * folded, config.hop_length, sample_rate, *printed)


def main() -> None:
    """Count every configuration and write the catalogue."""
    rows = [count(name, size) for name in family_names() for size in find_family(name).sizes]
    write_text(CATALOGUE, "[\n" + ",\n".join(" " + json.dumps(asdict(row)) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
