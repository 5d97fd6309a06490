"""MelGAN of descriptinc/melgan-neurips: `netG.pt`, `best_netG.pt`. Its tensors tell all but the sample rate, which its code fixes."""

from ...errors import VcompressError
from ...runtime.mel import FrontEnd
from ..folding import State
from ..melgan import MelGANConfig
from .public import Found, Importer, PublicFile, Said, with_rate

FRONT_END = FrontEnd(22050, 1024, 256, 80, 0.0, 11025.0, padding="hop", power=1, logarithm="log10", log_floor=1e-5)
BLOCK = {"block.2": "dilated", "block.4": "pointwise", "shortcut": "shortcut"}


def layers(config: MelGANConfig, root: str = "model", block: dict[str, str] | None = None) -> dict[str, str]:
    """Paths of the layers there -> here. In the list `root` lie padding, stem, then for each stage a LeakyReLU, the
    transposed convolution and its blocks, then LeakyReLU, padding, head."""
    paths, depth = {f"{root}.1": "stem"}, config.residual_blocks + 2
    for i in range(len(config.ratios)):
        paths[f"{root}.{3 + i * depth}"] = f"stages.{i}.upsample"
        for j in range(config.residual_blocks):
            there, here = f"{root}.{4 + i * depth + j}", f"stages.{i}.blocks.{j}"
            paths |= {f"{there}.{part}": f"{here}.{name}" for part, name in (block or BLOCK).items()}
    return {**paths, f"{root}.{4 + len(config.ratios) * depth}": "head"}


def config_of(state: State, source: str, root: str = "model", shortcut: str = "shortcut") -> MelGANConfig:
    """Sizes from shapes: mel bands, channels, ratios (half a kernel each), blocks a stage. Raises VcompressError where they make no MelGAN."""
    plain = sorted(int(index) for index in (_index(key, root, "weight") for key in state) if index)
    blocks = {index for index in (_index(key, root, f"{shortcut}.weight") for key in state) if index}
    ups = [state[f"{root}.{index}.weight"] for index in plain[1:-1]]
    stem = state.get(f"{root}.1.weight")
    if stem is None or stem.ndim != 3 or not ups or any(up.ndim != 3 or up.shape[2] % 2 for up in ups) or len(blocks) % len(ups):
        raise VcompressError(f"{source} has layers of no MelGAN that can be imported; its convolutions have to be those of the paper.")
    channels, n_mels = stem.shape[:2]
    if channels % 2 ** len(ups):
        raise VcompressError(f"{source} has {channels} channels, which cannot be halved {len(ups)} times; it is no MelGAN that can be imported.")
    return MelGANConfig(
        base_channels=channels // 2 ** len(ups), residual_blocks=len(blocks) // len(ups), ratios=tuple(up.shape[2] // 2 for up in ups), n_mels=n_mels
    )


def _index(key: str, root: str, ending: str) -> str:
    index = key.removeprefix(f"{root}.").removesuffix(f".{ending}")
    return index if key == f"{root}.{index}.{ending}" and index.isdigit() else ""


def check_hop(config: MelGANConfig, front_end: FrontEnd, source: str) -> None:
    """Raises VcompressError where the network does not make one hop of samples of each frame, or takes other bands."""
    if config.hop_length != front_end.hop_length:
        raise VcompressError(f"{source} makes {config.hop_length} samples of a frame, and its mel has a hop of {front_end.hop_length}; it cannot be imported.")
    if config.n_mels != front_end.n_mels:
        raise VcompressError(f"{source} takes {config.n_mels} mel bands, and its mel has {front_end.n_mels}; it cannot be imported.")


def _read(file: PublicFile, said: Said) -> Found:
    config, front_end = config_of(file.state, str(file.path)), with_rate(FRONT_END, said.sample_rate)
    check_hop(config, front_end, str(file.path))
    if said.config is not None:
        for key, value in (("n_mel_channels", config.n_mels), ("ngf", config.base_channels), ("n_residual_layers", config.residual_blocks)):
            said.config.must(key, value, f"{file.path} has {value}")
    return Found(config, front_end, layers(config))


def _recognises(file: PublicFile) -> bool:
    return file.has("model.1.") and any(".shortcut." in key for key in file.state)


IMPORTERS = (Importer("descriptinc/melgan-neurips", "melgan", _recognises, _read, ("config", "size", "sample_rate")),)
