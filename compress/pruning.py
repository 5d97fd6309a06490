"""Pruning on the way to a recipe: weights that become zero while the network trains on, or channels that are gone before it does.

Zeros are the masks: a weight that is exactly zero stays so, which needs nothing beside the weights to survive a kill, an export or
the next training. `torch.nn.utils.prune` keeps masks in hooks of modules, of which a traced graph has none.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from ..errors import VcompressError
from ..vocoders.training import Training
from .blocks import zero_smallest
from .channels import least_important, tied_channels
from .folded import FoldedVocoder
from .prepared import PreparedVocoder
from .quantizer import WEIGHTED_MODULES, below
from .recipes import Recipe
from .shrinking import without
from .sparsity import Block

RAMP = 0.75  # of the steps: the sparsity grows, then the rest of them heals
UPDATES = 50  # how often it grows on the way


def begin(vocoder: FoldedVocoder, recipe: Recipe) -> tuple[FoldedVocoder, Sequence[Callback]]:
    """What the training of a recipe starts from, and what takes care of its zeros. `vocoder`: where the recipe's source has got to.

    Raises VcompressError for a vocoder with nothing to prune.
    """
    pruning = recipe.pruning
    if pruning is None or recipe.control:
        return vocoder, ()
    growing = recipe.method == "fp32"
    if pruning.kind == "channels":
        return (shrunk(vocoder, pruning.sparsity) if growing else vocoder), ()
    return vocoder, (Zeros(prunable(vocoder, pruning.only), pruning.sparsity if growing else None, pruning.block),)


def shrunk(vocoder: FoldedVocoder, sparsity: float) -> FoldedVocoder:
    """The vocoder without the part `sparsity` of the channels that can go. Raises VcompressError where none can."""
    if not vocoder.family.narrows:
        raise VcompressError(f"Channels cannot be taken from {vocoder.family.title}, whose state goes from one graph to another; prune single weights.")
    tied = tied_channels(vocoder.family.forms(vocoder.network, vocoder.trained.config))
    gone = least_important(vocoder.network, tied, sparsity)
    if not gone:
        raise VcompressError(f"{vocoder.family.title} has no channels to take away at a sparsity of {sparsity:g}; give a higher one, or prune single weights.")
    return vocoder.with_weights(without(vocoder.network, gone))


def prunable(vocoder: FoldedVocoder, only: Sequence[str] = ()) -> dict[str, int]:
    """Keys of the weights that are pruned, and how many matrices lie in the rows of each. Raises VcompressError where there are none.

    Without `only`, the family's own choice, or every layer but those that it keeps in float, which touch the waveform and are small; with it, of all
    layers but the latter those with one of these words in their paths.
    """
    family, floats = vocoder.family, vocoder.family.floats(vocoder.trained.config)
    paths = [path for path, module in vocoder.network.named_modules() if isinstance(module, WEIGHTED_MODULES) and below(path, floats) is None]
    if not paths:
        raise VcompressError(f"{family.title} has no layers to prune; choose another family.")
    words = {word for path in paths for word in path.split(".") if word.isalnum() and not word.isdigit()}
    if unknown := next((word for word in only if word not in words), None):
        raise VcompressError(f"{family.title} has no layers called {unknown}; choose from {', '.join(sorted(words))}.")
    if only:
        paths = [path for path in paths if set(only) & set(path.split("."))]
    elif family.matrices:
        paths = [path for path in paths if path in family.matrices]
    return {f"{path}.weight": family.matrices.get(path, 1) for path in paths}


class Zeros(Callback):
    """Keeps what is zero at zero and, with a `sparsity`, makes the smallest blocks of each matrix zero along a cubic schedule.

    `keys`: of the weights, and how many matrices lie in the rows of each. Each matrix has the same part of zeros at any time: s (1 - (1 - t)^3) at the part t
    of the ramp (Zhu and Gupta 2018, eq. 1). A threshold over all would compare what cannot be compared, for a layer's scale is free where its neighbours' are.
    """

    def __init__(self, keys: Mapping[str, int], sparsity: float | None = None, block: Block = (1, 1)):
        self._keys, self._sparsity, self._block = keys, sparsity, block

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        training = cast(Training, module)
        weights = list(self._weights(training.network))
        kept = [weight != 0 for weight, _ in weights]

        @torch.no_grad()
        def after_step(*_: Any) -> None:
            part = self._due(training)
            for index, (weight, stacked) in enumerate(weights):
                weight.mul_(kept[index])
                if part is not None:
                    zero_smallest(weight, part, self._block, stacked)
                    kept[index] = weight != 0

        trainer.optimizers[0].register_step_post_hook(after_step)  # so that whatever is saved or validated has its zeros

    def _weights(self, network: nn.Module) -> Iterator[tuple[Tensor, int]]:
        """Weights, and how many matrices lie in their rows."""
        modules = [graph.module for graph in network.graphs.values()] if isinstance(network, PreparedVocoder) else [network]
        for module in modules:
            yield from ((parameter, self._keys[key]) for key, parameter in module.named_parameters() if key in self._keys)

    def _due(self, training: Training) -> float | None:
        """The part of zeros to reach with this step; None where the zeros stay as they are."""
        if self._sparsity is None:
            return None
        assert training.plan.steps  # a schedule needs an end
        ramp = max(1, round(RAMP * training.plan.steps))
        step, every = training.steps + 1, max(1, ramp // UPDATES)
        if step > ramp or (step % every and step != ramp):
            return None
        return self._sparsity * (1 - (1 - step / ramp) ** 3)
