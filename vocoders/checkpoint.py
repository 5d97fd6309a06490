"""A checkpoint: one safetensors file with a trained network's folded weights and everything that is needed to use them."""

import json
import math
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import VcompressError
from ..runtime.files import replacing
from ..runtime.front_ends import AnyFrontEnd, read_front_end
from .family import Family
from .folding import State, fold, is_folded, load_folded
from .objectives import DenoisingObjective, Objective
from .registry import check_family, find_family, find_size

FORMAT = 1
SHIPPED = Path(__file__).parent / "weights"
LIGHTNING_KEY = "vcompress"  # where a Lightning checkpoint of this project keeps the metadata
LIGHTNING_PREFIX = "network."
DISCRIMINATOR_PREFIX = "adversary."


@dataclass(frozen=True)
class TrainingFacts:
    """How weights came to be. `objective`: "spectral", "denoising" or "adversarial"; `seconds` of wall time, over all resumptions.

    Of imported weights: `source`, whose they are (`steps` has theirs, as far as they are known); `betas`, the noise schedule of their
    training where it is not the family's.
    """

    data: tuple[str, ...] = ()
    steps: int = 0
    seconds: float = 0.0
    objective: str = ""
    validation_loss: float | None = None
    seed: int = 0
    source: str = ""
    betas: tuple[float, ...] = ()

    def __str__(self) -> str:
        loss = "" if self.validation_loss is None else f", validation loss {self.validation_loss:.4f}"
        if self.source:
            steps = f" after {self.steps} steps" if self.steps else ""
            return f"imported from {self.source}{steps}{f', trained on for {self.seconds:.0f} s' if self.seconds else ''}{loss}"
        return f"{self.steps} steps in {self.seconds:.0f} s, {self.objective} objective, seed {self.seed}{loss}"


@dataclass(frozen=True)
class Checkpoint:
    """A family in one size, its front end with the normalisation of its training data, and its weights.

    `weights`: float32, either folded (keys such as `stem.weight`) or as the network with weight norm keeps them. `sampler`: settings
    that an imported model has otherwise than its family, None for none.
    """

    family: str
    size: str
    config: Any
    front_end: AnyFrontEnd
    training: TrainingFacts
    weights: State
    sampler: dict[str, Any] | None = None

    @property
    def sampler_settings(self) -> dict[str, Any]:
        """Those of the family with the model's own in their place."""
        return {**find_family(self.family).sampler(self.config), **(self.sampler or {})}

    def objective(self) -> Objective:
        """What the quick recipe and QAT minimise: the family's, on the noise schedule of this model's training."""
        objective = find_family(self.family).objective(self.config, self.front_end)
        return type(objective)(self.training.betas) if self.training.betas and isinstance(objective, DenoisingObjective) else objective

    def build(self, folded: bool = False) -> nn.Module:
        """The network with its weights, in evaluation mode: with weight norm, to be trained on, or `folded` into plain weights."""
        network = find_family(self.family).network(self.config)
        if is_folded(self.weights):
            if folded:
                fold(network)
            load_folded(network, self.weights)
        else:
            network.load_state_dict(self.weights)
            if folded:
                fold(network)
        return network.eval()

    def metadata(self) -> dict[str, str]:
        """All but the weights, as the file's metadata holds it."""
        parts = {"config": asdict(self.config), "front_end": asdict(self.front_end), "training": asdict(self.training)}
        if self.sampler is not None:
            parts["sampler"] = self.sampler
        return {"format": str(FORMAT), "family": self.family, "size": self.size, **{key: json.dumps(value) for key, value in parts.items()}}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "Checkpoint":
        """The checkpoint that `metadata` describes, without weights. Raises KeyError, TypeError or ValueError where it describes none."""
        family = find_family(metadata["family"])
        config, front_end, training = (json.loads(metadata[key], object_hook=_tuples) for key in ("config", "front_end", "training"))
        sampler = dict(json.loads(metadata["sampler"])) if "sampler" in metadata else None
        return cls(family.name, metadata["size"], family.config(**config), read_front_end(front_end), TrainingFacts(**training), {}, sampler)


def new_checkpoint(family: Family, size: str, front_end: AnyFrontEnd, training: TrainingFacts | None = None, weights: State | None = None) -> Checkpoint:
    """A checkpoint of one of the family's sizes, its configuration fitted to the front end."""
    size = find_size(family, size)
    return Checkpoint(family.name, size, family.fitted(family.sizes[size], front_end), front_end, training or TrainingFacts(), weights or {})


def shipped_checkpoint(family: str, size: str) -> Path | None:
    """The trained weights that come with the package, or None where there are none for that size."""
    path = SHIPPED / f"{check_family(family)}-{size.lower()}.safetensors"
    return path if path.is_file() else None


def save_checkpoint(path: str | Path, checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> Path:
    """Write the checkpoint folded, in float32 or float16, whole or not at all. Gives the path.

    Raises VcompressError when weights are not finite in that type or the place cannot be written.
    """
    from safetensors.torch import save

    path = Path(path)
    weights = {key: value.to(dtype).contiguous() for key, value in checkpoint.build(folded=True).state_dict().items()}
    _check_finite(weights, f"The network to be saved as {path}", "train it again with a lower --learning-rate")
    with replacing(path) as part:
        part.write_bytes(save(weights, checkpoint.metadata()))
    return path


def read_checkpoint(path: str | Path, family: str | None = None, size: str | None = None) -> Checkpoint:
    """A checkpoint file, or the `last.ckpt` of a training run; `family` and `size` are what it must be, where given.

    Never executes what a file holds. Raises VcompressError when the file is missing, empty, truncated, no checkpoint,
    of another family or size, or when its weights do not match the network or are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise VcompressError(f"There is no checkpoint {path}; check the path.")
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise VcompressError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    if not start:
        raise VcompressError(f"{path} is empty; copy or train the checkpoint again.")
    if start[8:] == b"{":
        metadata, weights = _read_safetensors(path)
    else:
        metadata, state = _read_lightning(path)
        weights = _part(state, LIGHTNING_PREFIX)
    checkpoint = _parse(path, metadata, weights)
    _check_wanted(path, checkpoint, family, size)
    _check_shapes(path, checkpoint)
    checkpoint = replace(checkpoint, weights={key: value.float() for key, value in weights.items()})
    _check_finite(checkpoint.weights, str(path), "train it again or take an older checkpoint")
    return checkpoint


def read_discriminators(path: str | Path) -> State:
    """The adversary's state in the `last.ckpt` of an adversarial training; nothing for any other checkpoint."""
    path = Path(path)
    return _part(_read_lightning(path)[1], DISCRIMINATOR_PREFIX) if zipfile.is_zipfile(path) else {}


def _part(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _read_safetensors(path: Path) -> tuple[dict[str, str], State]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise VcompressError(f"{path} is truncated or damaged ({error}); copy or train the checkpoint again.") from None


def _read_lightning(path: Path) -> tuple[dict[str, str], State]:
    try:
        raw = torch.load(path, weights_only=True, map_location="cpu")  # weights_only: code in a pickle is refused, not run
    except Exception:  # the many ways in which a file is no archive of tensors
        raise VcompressError(f"{path} is not a checkpoint, is damaged, or holds code, which is never run; give a .safetensors file or a last.ckpt.") from None
    if not isinstance(raw, dict) or not isinstance(raw.get(LIGHTNING_KEY), dict) or not isinstance(raw.get("state_dict"), dict):
        raise VcompressError(f"{path} is not a checkpoint of vcompress; give a .safetensors file or a last.ckpt that vcompress train wrote.")
    return raw[LIGHTNING_KEY], raw["state_dict"]


def _parse(path: Path, metadata: dict[str, str], weights: State) -> Checkpoint:
    if "format" not in metadata or "family" not in metadata:
        raise VcompressError(f"{path} does not say which vocoder it is; give a checkpoint that vcompress wrote.")
    if not metadata["format"].isdigit() or int(metadata["format"]) > FORMAT:
        raise VcompressError(f"{path} has checkpoint format {metadata['format']}, this vcompress reads up to {FORMAT}; upgrade vcompress.")
    try:
        return replace(Checkpoint.from_metadata(metadata), weights=weights)
    except (KeyError, TypeError, ValueError):
        raise VcompressError(f"{path} has damaged metadata; copy or train the checkpoint again.") from None


def _tuples(value: Any) -> Any:
    """JSON has no tuples: every list in a config is one."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _check_wanted(path: Path, checkpoint: Checkpoint, family: str | None, size: str | None) -> None:
    wanted = find_family(family if family is not None else checkpoint.family)
    if wanted.name != checkpoint.family:
        title = find_family(checkpoint.family).title
        raise VcompressError(f"{path} holds {title} {checkpoint.size}, not {wanted.title}; give a checkpoint of {wanted.title}.")
    asked = find_size(wanted, size, own=True) if size is not None else checkpoint.size
    if asked != checkpoint.size:
        raise VcompressError(
            f"{path} holds {wanted.title} {checkpoint.size}, not {wanted.title} {asked}; give a checkpoint of that size or --size {checkpoint.size}."
        )


def _check_shapes(path: Path, checkpoint: Checkpoint) -> None:
    title = f"{find_family(checkpoint.family).title} {checkpoint.size}"
    try:
        expected = expected_shapes(checkpoint.family, checkpoint.config, is_folded(checkpoint.weights))
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, AttributeError):
        raise VcompressError(f"{path} has a configuration that is no {title}; copy or train the checkpoint again.") from None
    found = {key: tuple(value.shape) for key, value in checkpoint.weights.items()}
    differing = _first(key for key in (*expected, *found) if expected.get(key) != found.get(key))
    if differing is not None:
        has, needs = (str(list(shapes[differing])) if differing in shapes else "nothing" for shapes in (found, expected))
        raise VcompressError(f"{path} does not fit {title}: {differing} is {has} where the network has {needs}; give the checkpoint that belongs to it.")
    integer = _first(key for key, value in checkpoint.weights.items() if not value.is_floating_point())
    if integer is not None:
        raise VcompressError(f"{path} holds {integer} as {checkpoint.weights[integer].dtype}, not as a float; give the float checkpoint.")


def _first(keys: Iterable[str]) -> str | None:
    return next(iter(keys), None)


@lru_cache
def expected_shapes(family: str, config: Any, folded: bool) -> dict[str, tuple[int, ...]]:
    """Shape of every weight of a network, without building it in memory."""
    network: Callable[[Any], nn.Module] = find_family(family).network
    with torch.device("meta"):
        module = network(config)
        state: dict[str, Tensor] = (fold(module) if folded else module).state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}


def _check_finite(weights: State, what: str, remedy: str) -> None:
    for key, value in weights.items():
        if not math.isfinite(float(value.float().abs().max() if value.numel() else 0.0)):
            raise VcompressError(f"{what} has NaN or infinite weights ({key}); {remedy}.")
