"""A wide sparse WaveRNN against a narrow dense one with as many weights that are not zero: `python -m vcompress.benchmarks.wavernn_sparsity --data DIR`.

A claim of Kalchbrenner et al. 2018. Both networks are trained alike from each seed: the same segments in the same order, for the same steps at
the same rate. The wide one is pruned while it trains, in blocks, to the sparsity at which it has the weights of the narrow one: all of R, O_1, O_2 and the
projections of the mel to the gates, each matrix by the same part; the input matrix stays whole. The part of the conditioning network before its
projections is the same in both and not counted. What is compared is the negative log-likelihood of the held-out part, in nats a sample.
What was trained is kept in a folder, and the same command goes on there.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compress.sparsity import parse_block
from ..errors import VcompressError
from ..runtime.files import write_text
from .environment import environment
from .paired import mean_difference

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from torch import nn

    from ..vocoders.plan import TrainingPlan
    from ..vocoders.segments import Segments
    from ..vocoders.wavernn import WaveRNNConfig

DENSE, SPARSE = "dense", "sparse"
RESULT = "result.json"
HELD_OUT = 16  # batches on which the trained networks are judged


@dataclass(frozen=True)
class Contest:
    """Units of the wide network and of the narrow one, and the block in which the wide one is pruned. Raises VcompressError where that makes no contest."""

    wide: int = 256
    narrow: int = 32
    block: str = "16x1"

    def __post_init__(self) -> None:
        if self.wide % 2 or self.narrow % 2 or not 0 < self.narrow < self.wide:
            raise VcompressError(f"{self.wide} units against {self.narrow} are no contest; give even numbers, the larger as --wide.")
        parse_block(self.block)

    def config(self, arm: str) -> "WaveRNNConfig":
        """Of one of the networks: half as many units behind each half as in the recurrent layer, as in the shipped sizes."""
        from ..vocoders.wavernn import WaveRNNConfig

        units = self.wide if arm == SPARSE else self.narrow
        return WaveRNNConfig(units=units, hidden=units // 2)

    @property
    def sparsity(self) -> float:
        """Part of the pruned matrices of the wide network that has to go."""
        wide, narrow = (_network(self.config(arm)) for arm in (SPARSE, DENSE))
        pruned = sum(wide.get_parameter(key).numel() for key in matrices(wide))
        return 1 - (count(narrow) - (count(wide) - pruned)) / pruned


def _network(config: "WaveRNNConfig") -> "nn.Module":
    from ..vocoders.wavernn import WaveRNN

    return WaveRNN(config)


def matrices(network: "nn.Module") -> dict[str, int]:
    """Keys of the weights that the wide network is pruned in, and how many matrices lie in the rows of each."""
    stacked = {"recurrent": 3, "projections": 3, "hidden": 1, "logits": 1}
    weights = [key for key, _ in network.named_parameters() if key.endswith(".weight")]
    return {key: number for key in weights for name, number in stacked.items() if name in key.split(".")}


def count(network: "nn.Module") -> int:
    """Weights that are not zero in all matrices whose size depends on the units."""
    weights = {key: value for key, value in network.named_parameters() if key.endswith(".weight")}
    return sum(int(value.count_nonzero()) for key, value in weights.items() if not key.startswith(("conditioner.input", "conditioner.layers")))


def train_arm(
    contest: Contest, arm: str, plan: "TrainingPlan", training: "Segments", validation: "Segments", folder: Path, *reports: "Callback"
) -> dict[str, Any]:
    """Train one network in `folder`, or go on there, and judge it: weights that are not zero, and nats a sample. {} after Ctrl-C."""
    import torch

    from ..compress.pruning import Zeros
    from ..vocoders.training import Training, train, validation_batches
    from ..vocoders.wavernn import FAMILY

    torch.manual_seed(plan.seed)
    network = _network(contest.config(arm))
    keepers = (Zeros(matrices(network), contest.sparsity, parse_block(contest.block)),) if arm == SPARSE else ()
    objective = FAMILY.objective(contest.config(arm), None)
    trainer = Training(network, objective, plan, validation_batches(validation, plan, 2))
    if not train(trainer, training, folder, *keepers, *reports):
        return {}
    with torch.no_grad():
        nats = [float(objective.loss(network, batch)) for batch in validation_batches(validation, plan, HELD_OUT)]
    return {"nats": sum(nats) / len(nats), "weights": count(network), "seconds": round(trainer.spent, 1), "steps": trainer.steps}


def measure(contest: Contest, plan: "TrainingPlan", seeds: Sequence[int], training: "Segments", validation: "Segments", folder: Path) -> dict[str, list[dict]]:
    """Results of both networks, seed by seed, as far as they got; what `folder` has of the same contest and plan is not trained again."""
    from ..vocoders.progress import TrainingProgress

    results: dict[str, list[dict]] = {DENSE: [], SPARSE: []}
    for seed in seeds:
        for arm, done in results.items():
            asked = {"contest": asdict(contest), "arm": arm, "plan": {**asdict(plan), "seed": seed, "time": None}}
            place = folder / f"{arm}-{seed}"
            result = _known(place / RESULT, asked)
            if result is None:
                result = train_arm(contest, arm, replace(plan, seed=seed), training, validation, place, TrainingProgress(f"{arm}, seed {seed}"))
                if not result:
                    return results
                write_text(place / RESULT, json.dumps({**asked, "result": result}) + "\n")
            done.append(result)
    return results


def _known(path: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """What another call found. Raises VcompressError where the folder is of another contest."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        result = dict(found.pop("result"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise VcompressError(f"{path} is damaged; remove its folder, and it is trained again.") from None
    if found != json.loads(json.dumps(asked)):
        raise VcompressError(f"{path.parent} is of other widths or another plan; give another --folder.")
    return result


def summary(contest: Contest, results: dict[str, list[dict]]) -> str:
    """Markdown: nats a sample of each seed, and the mean difference with its 95 % interval."""
    lines = ["| network | weights that are not zero | nats a sample, seed by seed | mean |", "|---|---|---|---|"]
    names = {DENSE: f"{contest.narrow} units, dense", SPARSE: f"{contest.wide} units, {100 * contest.sparsity:.1f} % zero in blocks of {contest.block}"}
    for arm, found in results.items():
        if found:
            nats = [one["nats"] for one in found]
            lines.append(f"| {names[arm]} | {found[0]['weights']:,} | {', '.join(f'{n:.4f}' for n in nats)} | {sum(nats) / len(nats):.4f} |")
    pairs = min(map(len, results.values()))
    if pairs:
        mean, half = mean_difference(*([one["nats"] for one in results[arm][:pairs]] for arm in (SPARSE, DENSE)))
        interval = "no interval from one seed" if half is None else f"+- {half:.4f} (95 %, {pairs} seeds)"
        lines.append(f"\nSparse less dense: {mean:+.4f} nats a sample, {interval}.")
    return "\n".join(lines)


def main() -> int:
    """Train what is missing, and print a table. 2: a VcompressError, as one sentence on stderr."""
    from rich.console import Console

    from ..runtime.mel import FrontEnd
    from ..vocoders.corpus import Split, fit_normalisation, read_corpus
    from ..vocoders.segments import Segments
    from ..vocoders.trainer import LEVEL_DB, read_clips
    from ..vocoders.wavernn import FAMILY

    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.wavernn_sparsity", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of recordings; may be given again")
    parser.add_argument("--validation", help="regular expression of the prompts held out")
    parser.add_argument("--wide", type=int, default=Contest.wide, help="units of the sparse network")
    parser.add_argument("--narrow", type=int, default=Contest.narrow, help="units of the dense network")
    parser.add_argument("--block", default=Contest.block)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--frames", type=int, default=FAMILY.plan.frames, help="of a segment, seven of which at either end are heard and not judged")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=Path("runs/wavernn-sparsity"))
    given = parser.parse_args()
    try:
        contest, console = Contest(given.wide, given.narrow, given.block), Console(stderr=True)
        plan = replace(FAMILY.plan, steps=given.steps, batch_size=given.batch_size, frames=given.frames, learning_rate=given.learning_rate)
        plan = replace(plan, precision=given.precision, accelerator="cpu", every=max(1, given.steps // 4), warmup=min(100, given.steps // 10))
        corpus, front_end = read_corpus(given.data, Split(validation=given.validation) if given.validation else None), FrontEnd(level_db=LEVEL_DB)
        recordings = [read_clips(part, front_end, "Reading the corpus", console) for part in (corpus.training, corpus.validation)]
        front_end = fit_normalisation(front_end, [recording.waveform for recording in recordings[0]])
        training, validation = (Segments.of(part, front_end, plan.frames) for part in recordings)
        results = measure(contest, plan, given.seeds, training, validation, given.folder)
        print(f"{plan.steps} steps of {plan.batch_size} segments of {plan.frames} frames, {environment()['machine']}\n")
        print(summary(contest, results))
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
