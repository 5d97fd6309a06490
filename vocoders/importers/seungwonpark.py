"""MelGAN of seungwonpark/melgan: `NAME_COMMIT_EPOCH.pt`, which holds the text of its own configuration."""

from dataclasses import replace

from ...errors import VcompressError
from ..melgan import MelGANConfig
from .descript import check_hop, config_of
from .nvidia import mel_of
from .public import Found, Importer, PublicFile, Said
from .settings import parse_settings

# The generator takes (mel + 5) / 5: that is part of the mel here.
FRONT_END = replace(mel_of(), minimum=-5.0, maximum=0.0)


def layers(config: MelGANConfig) -> dict[str, str]:
    """Paths of the layers there -> here; the blocks of a stage lie in one stack."""
    paths = {"generator.1": "stem"}
    for i in range(len(config.ratios)):
        paths[f"generator.{3 + 3 * i}"] = f"stages.{i}.upsample"
        for j in range(config.residual_blocks):
            there, here = f"generator.{4 + 3 * i}", f"stages.{i}.blocks.{j}"
            paths |= {f"{there}.blocks.{j}.2": f"{here}.dilated", f"{there}.blocks.{j}.4": f"{here}.pointwise", f"{there}.shortcuts.{j}": f"{here}.shortcut"}
    return {**paths, f"generator.{4 + 3 * len(config.ratios)}": "head"}


def _read(file: PublicFile, said: Said) -> Found:
    text = file.fact("hp_str")
    settings = said.config or (parse_settings(text, f"hp_str in {file.path}") if isinstance(text, str) else None)
    if settings is None:
        raise VcompressError(f"{file.path} does not hold its configuration (hp_str); give the YAML that it was trained with, with --config.")
    if not file.has("generator.1.") or not any(".shortcuts." in key for key in file.state):
        raise VcompressError(
            f"{file.path} is of an early seungwonpark/melgan, whose blocks have no shortcuts of their own; only the later kind can be imported."
        )
    # the stacks count as one block each there: their own blocks are counted below
    config = config_of(file.state, str(file.path), "generator", "shortcuts.0")
    blocks = len([key for key in file.state if key.startswith("generator.4.shortcuts.") and key.endswith(".weight")])
    config = replace(config, residual_blocks=blocks)
    audio = settings.part("audio")
    front_end = mel_of(
        audio.whole("sampling_rate"),
        audio.whole("filter_length"),
        audio.whole("hop_length"),
        audio.whole("win_length"),
        audio.whole("n_mel_channels"),
        audio.real("mel_fmin"),
        audio.real("mel_fmax", audio.whole("sampling_rate") / 2),
    )
    front_end = replace(front_end, minimum=FRONT_END.minimum, maximum=FRONT_END.maximum)
    check_hop(config, front_end, str(file.path))
    step = file.fact("step")
    return Found(config, front_end, layers(config), step if isinstance(step, int) else 0)


def _recognises(file: PublicFile) -> bool:
    return file.has("generator.") and any(".shortcuts." in key or ".layers." in key for key in file.state)


IMPORTERS = (Importer("seungwonpark/melgan", "melgan", _recognises, _read, ("config", "size")),)
