"""`vcompress layers`: what each layer of an artifact computes."""

from .options import ArtifactArgument, JsonOption
from .output import print_json, print_table, working

SECONDS = 1.0


def layers(artifact: ArtifactArgument, json: JsonOption = False) -> None:
    """Multiply-accumulates of each layer of an artifact, read from its graphs; nothing runs.

    One line a weight layer: graph, name, operator, bits (8 where data and weights have 8), how often a synthesis of one second calls it,
    MACs for that second and their share, bytes of weights.

    \b
    Examples: vcompress layers runs/hifigan-s/static_w8a8/20260101-120000-000000/artifact
              vcompress layers ARTIFACT --json
    """
    with working():
        from ..runtime.artifact import Artifact
        from ..targets.workload import workload_of

        workload = workload_of(Artifact.open(artifact), SECONDS)
    total = workload.macs_per_second
    figures = [(layer, layer.macs * layer.calls / workload.seconds) for layer in workload.layers]
    if json:
        names = ("graph", "name", "kind", "bits", "calls", "weight_bytes")
        rows = [{**{name: getattr(layer, name) for name in names}, "macs_per_second": macs} for layer, macs in figures]
        print_json({"name": workload.name, "recipe": workload.recipe, "macs_per_second": total, "int8_share": workload.int8_share, "layers": rows})
        return
    cells = [
        (
            x.graph,
            x.name,
            x.kind,
            str(x.bits),
            str(x.calls),
            f"{macs / 1e6:,.2f}",
            f"{100 * macs / total if total else 0:.1f} %",
            f"{x.weight_bytes / 1e3:,.1f}",
        )
        for x, macs in figures
    ]
    print_table(("graph", "layer", "operator", "bits", "calls", "MMAC/s", "share", "weights, kB"), cells, words=3)
    print(f"{workload.name} {workload.recipe}: {total / 1e6:,.1f} MMAC for a second of audio, {100 * workload.int8_share:.1f} % of them in int8")
