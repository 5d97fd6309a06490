"""The seed vocoders' own checkpoints (Douwes 2023): Lightning `.ckpt` files. The maximum of the mels is in none of them: the user says it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import VcompressError
from ...runtime.mel import FrontEnd
from ..checkpoint import expected_shapes
from ..folding import State
from ..registry import find_family
from ..wavegrad import WaveGradConfig
from . import descript, jik876, l0sg, lmnt, nvidia
from .mapping import without_prefix
from .public import Found, Importer, PublicFile, Said

LIGHTNING = "pytorch-lightning_version"


@dataclass(frozen=True)
class _Seed:
    """How the thesis calls the layers of a family: `prefix` before all of them, `marks` in some, `infix` at the end of each path, `layers(config)`
    there -> here; `constant`: the end of names of tensors that are no weights."""

    prefix: str
    marks: tuple[str, ...]
    layers: Callable[[Any], Mapping[str, str]]
    infix: str = ""
    constant: str = ".exponents"


def wavegrad_layers(config: WaveGradConfig) -> dict[str, str]:
    """Paths of the layers there -> here."""
    paths = {"first_conv": "conditioner.stem", "last_conv": "denoiser.output", "dnet.0": "denoiser.input"}
    for i in range(len(config.ratios)):
        entry, block, film = (f"denoiser.entries.{i - 1}" if i else "conditioner.entry"), f"denoiser.blocks.{i}.convolutions", f"denoiser.films.{i}"
        paths |= {f"upnet.{i}.block1.2": f"{entry}.main", f"upnet.{i}.block2.1": f"{entry}.shortcut.convolution"}
        paths |= {f"upnet.{i}.block1.5": f"{block}.0", f"upnet.{i}.block3.2": f"{block}.1", f"upnet.{i}.block3.5": f"{block}.2"}
        paths |= {f"films.{i}.convs.{j}": f"{film}.{name}" for j, name in enumerate(("input", "scale", "shift"))}
    for i in range(1, len(config.ratios)):
        paths |= {f"dnet.{i}.block1.{2 * j + 2}": f"denoiser.downs.{i - 1}.convolutions.{j}" for j in range(len(config.down_dilations))}
        paths[f"dnet.{i}.block2.1"] = f"denoiser.downs.{i - 1}.shortcut"
    return paths


SEEDS = {
    "hifigan": _Seed("generator.", ("generator.conv_pre.", "generator.resblocks."), jik876.layers),
    "melgan": _Seed("generator.", ("generator.model.1.",), descript.layers, ".conv"),
    "diffwave": _Seed("model.", ("model.diffusion_embedding.", "model.residual_layers."), lmnt.layers),
    "wavegrad": _Seed("net.", ("net.upnet.", "net.dnet."), wavegrad_layers),
    "waveflow": _Seed("model.", ("model.flows.0.coupling.", "model.upsample_conv."), l0sg.layers),
    "waveglow": _Seed("model.", ("model.convinv.", "model.WN."), nvidia.layers),
}


def _read(family: str, file: PublicFile, said: Said) -> Found:
    seed, title = SEEDS[family], find_family(family).title
    state = _plain({key: value for key, value in without_prefix(file.state, seed.prefix).items() if not key.endswith(seed.constant)}, seed.infix)
    if said.mel_maximum is None:
        raise VcompressError(f"{file.path} does not hold the largest log(1 + S) of its data set, which its mels are divided by; give it with --mel-maximum.")
    for size, config in find_family(family).sizes.items():
        layers = seed.layers(config)
        shapes = expected_shapes(family, config, True)
        theirs = {here: there for there, here in layers.items()}
        wanted = {f"{theirs[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": shape for key, shape in shapes.items()}
        if wanted == {key: tuple(value.shape) for key, value in state.items()} and said.size in (None, size):
            front_end = FrontEnd(hop_length=config.hop_length, n_mels=config.n_mels, maximum=said.mel_maximum)
            step = file.fact("global_step")
            return Found(config, front_end, layers, step if isinstance(step, int) else 0, state)
    wanted_size = f"the {title} {said.size}" if said.size else f"a {title} of one of the sizes {', '.join(find_family(family).sizes)}"
    raise VcompressError(f"{file.path} is not {wanted_size} of the thesis; its rates and dilations cannot be told from its shapes.")


def _plain(state: State, infix: str) -> State:
    """Names without the level that the thesis puts around convolutions."""
    return {f"{key.rpartition('.')[0].removesuffix(infix)}.{key.rpartition('.')[2]}": value for key, value in state.items()} if infix else state


def _importer(family: str) -> Importer:
    def recognises(file: PublicFile) -> bool:
        return isinstance(file.content, Mapping) and LIGHTNING in file.content and file.has(*SEEDS[family].marks)

    return Importer("Douwes 2023", family, recognises, lambda file, said: _read(family, file, said), ("size", "mel_maximum"))


IMPORTERS = tuple(_importer(family) for family in SEEDS)
