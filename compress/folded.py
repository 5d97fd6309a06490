"""A folded vocoder: what every recipe starts from and every export is made of. Kept as one safetensors file."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import VcompressError
from ..runtime.files import replacing
from ..runtime.front_ends import AnyFrontEnd
from ..vocoders.checkpoint import Checkpoint
from ..vocoders.family import Family
from ..vocoders.registry import find_family
from .fold import fold
from .shrinking import fit

WEIGHTS = "folded.safetensors"


@dataclass(frozen=True)
class FoldedVocoder:
    """The folded float network of a checkpoint with its sampler settings. `trained`: the checkpoint without its weights."""

    trained: Checkpoint
    network: nn.Module
    sampler: dict[str, Any]

    @property
    def family(self) -> Family:
        """The family of the checkpoint."""
        return find_family(self.trained.family)

    @property
    def front_end(self) -> AnyFrontEnd:
        """The front end, with the normalisation of the training data."""
        return self.trained.front_end

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "FoldedVocoder":
        """Fold a checkpoint."""
        network = fold(checkpoint.build(folded=True))
        return cls(replace(checkpoint, weights={}), network, checkpoint.sampler_settings)

    def with_schedule_folded(self) -> "FoldedVocoder":
        """What the schedule fixes as constants. Raises VcompressError where there is no schedule."""
        if self.family.fold_schedule is None:
            raise VcompressError(f"{self.family.title} has no schedule to fold; leave out --fold-schedule.")
        network, sampler = self.family.fold_schedule(self.network, self.sampler)
        return FoldedVocoder(self.trained, network, sampler)

    def with_weights(self, weights: dict[str, Tensor]) -> "FoldedVocoder":
        """The same network with other weights (by the paths of the folded network); layers are as narrow as these."""
        return FoldedVocoder(self.trained, fit(fold(self.family.network(self.trained.config)), weights), self.sampler)

    def save(self, folder: Path) -> None:
        """Write `folded.safetensors` into a run's folder."""
        from safetensors.torch import save

        weights = {key: value.detach().float().contiguous() for key, value in self.network.state_dict().items()}
        with replacing(folder / WEIGHTS) as part:
            part.write_bytes(save(weights, {**self.trained.metadata(), "folded": "1"}))

    def _check_widths(self) -> None:
        """Raises RuntimeError where one layer gives more or fewer channels than the next takes. Nothing is computed."""
        network = copy.deepcopy(self.network).to("meta")
        network(*(tensor.to("meta") for tensor in self.family.inputs(self.trained.config, 4)))

    @classmethod
    def read(cls, folder: Path) -> "FoldedVocoder":
        """Raises VcompressError when the file is missing, damaged, or does not fit its own configuration."""
        from safetensors import SafetensorError, safe_open

        path = folder / WEIGHTS
        if not path.is_file():
            raise VcompressError(f"{folder} holds no {WEIGHTS}; quantize the network again.")
        try:
            with safe_open(path, framework="pt") as file:
                metadata, weights = file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            trained = Checkpoint.from_metadata(metadata)
            network = fold(find_family(trained.family).network(trained.config))
            whole = {key: value.shape for key, value in network.state_dict().items()}
            folded = cls(trained, fit(network, weights), trained.sampler_settings)
            if any(weights[key].shape != shape for key, shape in whole.items()):
                folded._check_widths()
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError):
            raise VcompressError(f"{path} is damaged; quantize the network again.") from None
        if not all(torch.isfinite(value).all() for value in weights.values()):
            raise VcompressError(f"{path} holds NaN or infinite weights; quantize the network again.")
        return folded
