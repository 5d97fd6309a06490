"""The loops around the networks, one a file, found by the name that a manifest gives."""

from importlib import import_module
from typing import Any

from ...errors import VcompressError
from .sampler import OnStep as OnStep
from .sampler import Run as Run
from .sampler import Sampler as Sampler
from .sampler import Tensors as Tensors

_SAMPLERS = {
    "feed_forward": ".feed_forward",
    "diffusion": ".diffusion",
    "noise_level": ".noise_level",
    "waveflow": ".waveflow",
    "waveglow": ".waveglow",
    "istft": ".istft",
    "wavernn": ".wavernn",
    "wavernn_subscale": ".wavernn_subscale",
    "sing": ".sing",
    "sample_by_sample": ".sample_by_sample",
}


def make_sampler(settings: dict[str, Any], hop_length: int) -> Sampler:
    """The sampler that a manifest describes. Raises VcompressError for one that is unknown or whose settings are damaged."""
    name = settings.get("name")
    if not isinstance(name, str) or name not in _SAMPLERS:
        raise VcompressError(f"This vcompress knows no sampler {name!r}; upgrade vcompress, or export the artifact again.")
    try:
        return import_module(_SAMPLERS[name], __package__).make(settings, hop_length)
    except (KeyError, TypeError, ValueError):
        raise VcompressError(f"The settings of the {name} sampler are damaged; export the artifact again.") from None
