"""Checkpoints of public code bases, made into checkpoints here. A new code base is its file and its line here."""

from collections.abc import Mapping
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path

from ...errors import VcompressError
from ..checkpoint import Checkpoint, TrainingFacts, expected_shapes
from ..registry import IMPORTED, OWN, family_names, find_family, find_size
from .mapping import find_state, fold_weight_norm, rename
from .pickles import StandIn, module_state, read_pickle
from .public import Importer, PublicFile, Said
from .settings import read_settings as read_settings

_CODE_BASES = {
    "thesis": ".thesis",  # first: its names are those of others below a prefix
    "jik876": ".jik876",
    "descript": ".descript",
    "seungwonpark": ".seungwonpark",
    "kan-bayashi": ".kan_bayashi",
    "lmnt": ".lmnt",
    "lmnt-wavegrad": ".lmnt_wavegrad",
    "ivanvovk": ".ivanvovk",
    "nvidia": ".nvidia",
    "l0sg": ".l0sg",
    "facebook": ".facebook",
    "fatchord": ".fatchord",
}

OPTIONS = {
    "config": "--config",
    "size": "--size",
    "statistics": "--stats",
    "sample_rate": "--sample-rate",
    "mel_maximum": "--mel-maximum",
    "schedule": "--schedule",
    "public_defaults": "--public-defaults",
}

# Names that tell what else a file can be.
OTHERS = {
    "rnn1.": "a WaveRNN of an unknown kind",
    "upsample_net.": "a Parallel WaveGAN",
    "flows.": "a WaveFlow",
    "model.flows.": "a WaveFlow",
    "upnet.": "a WaveGrad of the thesis without its Lightning checkpoint",
}


def importers() -> tuple[Importer, ...]:
    """Those whose family is here."""
    found = (importer for place in _CODE_BASES.values() for importer in import_module(place, __package__).IMPORTERS)
    return tuple(importer for importer in found if importer.family in (*family_names(), *IMPORTED))


def import_checkpoint(path: str | Path, family: str, said: Said | None = None) -> tuple[Checkpoint, Importer]:
    """The checkpoint that a public file becomes, folded, with its own front end; and what read it.

    Never executes what a file holds. Raises VcompressError when the file is damaged, of another family or unknown, when
    something has to be said that its tensors do not tell, or names the first thing in which it differs from what is said.
    """
    path, said = Path(path), said or Said()
    wanted = find_family(family)
    file = read_public(path)
    importer = _recognise(file, wanted.name)
    for field in fields(Said):
        if getattr(said, field.name) is not None and field.name not in importer.takes:
            raise VcompressError(f"A checkpoint of {importer.code_base} does not depend on {OPTIONS[field.name]}; leave it out.")
    if said.size is not None:
        said = replace(said, size=find_size(wanted, said.size))
    found = importer.read(file, said)
    try:
        shapes = expected_shapes(wanted.name, found.config, True)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, AttributeError):
        raise VcompressError(f"No {wanted.title} can be built as {path} is configured; give the configuration of that model.") from None
    weights = rename(file.state if found.state is None else found.state, found.layers, shapes, str(path))
    size = next((name for name, config in wanted.sizes.items() if config == found.config), OWN)
    if said.size not in (None, size):
        raise VcompressError(f"{path} holds a {wanted.title} {size}, not {said.size}; leave out --size, or give another checkpoint.")
    facts = TrainingFacts(steps=found.steps, objective=wanted.objective_name, source=f"{importer.code_base} ({path.name})", betas=found.betas)
    return Checkpoint(wanted.name, size, found.config, found.front_end, facts, weights, dict(found.sampler) if found.sampler else None), importer


def read_public(path: Path) -> PublicFile:
    """A file of whatever code base. Raises VcompressError when it is damaged or holds what would have to be run."""
    content = read_pickle(path)
    module = content.get("model") if isinstance(content, Mapping) else content
    state = module_state(module) if isinstance(module, StandIn) else find_state(content)
    if isinstance(content, Mapping) and "mpd" in content and "msd" in content and not state:
        raise VcompressError(f"{path} holds the discriminators of a HiFi-GAN, not its generator; give the g_ file beside it.")
    return PublicFile(path, content, fold_weight_norm(state, str(path)))


def _recognise(file: PublicFile, family: str) -> Importer:
    known = importers()
    found = next((importer for importer in known if importer.recognises(file)), None)
    can = ", ".join(f"{find_family(i.family).title} of {i.code_base}" for i in known)
    if found is None:
        other = next((what for prefix, what in OTHERS.items() if file.has(prefix)), None)
        first = next(iter(file.state), None)
        what = other or ("no tensors of a generator" if first is None else f"tensors of no known vocoder (such as {first})")
        raise VcompressError(f"{file.path} holds {what}, which cannot be imported; what can is {can}.")
    if found.family != family:
        holds = f"{find_family(found.family).title} of {found.code_base}"
        raise VcompressError(f"{file.path} holds a {holds}, not a {find_family(family).title}; import it with: vcompress import {found.family}.")
    return found


def default_name(importer: Importer) -> str:
    """How runs of an import are called where nothing else is said."""
    return f"{importer.family}-{importer.code_base.partition('/')[0].lower()}"
