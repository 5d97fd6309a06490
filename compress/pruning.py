"""Pruning on the way to a recipe: weights that become zero while the network trains on, or channels that are gone before it does.

Zeros are the masks: a weight that is exactly zero stays so, which needs nothing beside the weights to survive a kill, an export or
the next training. `torch.nn.utils.prune` keeps masks in hooks of modules, of which a traced graph has none.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from ..errors import VcompressError
from ..vocoders.training import Training
from .channels import least_important, tied_channels
from .folded import FoldedVocoder
from .prepared import PreparedVocoder
from .quantizer import WEIGHTED_MODULES, below
from .recipes import Recipe
from .shrinking import without

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
    return vocoder, (Zeros(prunable(vocoder), pruning.sparsity if growing else None),)


def shrunk(vocoder: FoldedVocoder, sparsity: float) -> FoldedVocoder:
    """The vocoder without the part `sparsity` of the channels that can go. Raises VcompressError where none can."""
    tied = tied_channels(vocoder.family.forms(vocoder.network, vocoder.trained.config))
    gone = least_important(vocoder.network, tied, sparsity)
    if not gone:
        raise VcompressError(f"{vocoder.family.title} has no channels to take away at a sparsity of {sparsity:g}; give a higher one, or prune single weights.")
    return vocoder.with_weights(without(vocoder.network, gone))


def prunable(vocoder: FoldedVocoder) -> list[str]:
    """Keys of the weights that are pruned: of every layer but those that the family keeps in float, which touch the waveform and are small."""
    layers = {path: module for path, module in vocoder.network.named_modules() if isinstance(module, WEIGHTED_MODULES)}
    keys = [f"{path}.weight" for path in layers if below(path, vocoder.family.floats) is None]
    if not keys:
        raise VcompressError(f"{vocoder.family.title} has no layers to prune; choose another family.")
    return keys


class Zeros(Callback):
    """Keeps what is zero at zero and, with a `sparsity`, makes the smallest weights of each layer zero along a cubic schedule.

    Each layer has the same part of zeros at any time: s (1 - (1 - t)^3) at the part t of the ramp (Zhu and Gupta 2018, eq. 1). A threshold
    over all layers would compare what cannot be compared, for a layer's scale is free where its neighbours' are.
    """

    def __init__(self, keys: Sequence[str], sparsity: float | None = None):
        self._keys, self._sparsity = frozenset(keys), sparsity

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        training = cast(Training, module)
        weights = list(self._weights(training))
        kept = [weight != 0 for weight in weights]

        @torch.no_grad()
        def after_step(*_: Any) -> None:
            part = self._due(training)
            for index, weight in enumerate(weights):
                weight.mul_(kept[index])
                if part is not None:
                    _zero_smallest(weight, part)
                    kept[index] = weight != 0

        trainer.optimizers[0].register_step_post_hook(after_step)  # so that whatever is saved or validated has its zeros

    def _weights(self, training: Training) -> Iterator[Tensor]:
        assert isinstance(training.network, PreparedVocoder)
        for graph in training.network.graphs.values():
            yield from (parameter for key, parameter in graph.module.named_parameters() if key in self._keys)

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


def _zero_smallest(weight: Tensor, part: float) -> None:
    """Zeros among them already are the smallest, so none comes back."""
    flat = weight.view(-1)
    flat[flat.abs().topk(round(part * flat.numel()), largest=False, sorted=False).indices] = 0
