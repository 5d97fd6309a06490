"""WaveGrad of ivanvovk/WaveGrad: `checkpoint_N.pt` with the `config.json` of its log folder and a noise schedule to synthesize with."""

import numpy as np

from ...errors import VcompressError
from ...runtime.mel import FrontEnd
from ..wavegrad import WaveGradConfig
from .betas import check_betas, read_betas
from .mapping import without_prefix
from .public import Found, Importer, PublicFile, Said
from .settings import Settings

# Buffers of the three generations, whose weights have the same shapes and whose arithmetic differs.
CURRENT, SECOND, FIRST = "sqrt_alphas_cumprod_m1", "sqrt_recipm1_alphas_cumprod", ".positional_encoding.pe"


def mel_of(data: Settings) -> FrontEnd:
    """Powers of centred frames in HTK bands, logarithm to 10 without a floor: that of nothing is 0."""
    window = data.whole("win_length")
    shape = (data.whole("sample_rate"), data.whole("n_fft"), data.whole("hop_length"), data.whole("n_mels"), data.real("f_min"), data.real("f_max"))
    return FrontEnd(*shape, win_length=window, power=2, mel_scale="htk", mel_norm="none", logarithm="log10", log_floor=0.0)


def layers(config: WaveGradConfig) -> dict[str, str]:
    """Paths of the layers there, each with a level `conv1d` below -> here."""
    paths = {"ublock_preconv": "conditioner.stem", "ublock_postconv": "denoiser.output", "dblock_preconv": "denoiser.input"}
    for i in range(len(config.ratios)):
        entry, block, film = (f"denoiser.entries.{i - 1}" if i else "conditioner.entry"), f"denoiser.blocks.{i}.convolutions", f"denoiser.films.{i}"
        first, second = f"ublocks.{i}.first_block_main_branch", f"ublocks.{i}.second_block_main_branch"
        paths |= {f"{first}.upsampling.2": f"{entry}.main", f"ublocks.{i}.first_block_residual_branch.0": f"{entry}.shortcut.convolution"}
        paths[f"{first}.modulation.convolution"] = f"{block}.0"
        paths |= {f"{second}.modulation_{j}.convolution": f"{block}.{j + 1}" for j in range(2)}
        paths |= {f"films.{i}.signal_conv.0": f"{film}.input", f"films.{i}.scale_conv": f"{film}.scale", f"films.{i}.shift_conv": f"{film}.shift"}
    for i in range(len(config.ratios) - 1):
        down = f"denoiser.downs.{i}"
        paths[f"dblocks.{i}.residual_branch.0"] = f"{down}.shortcut"
        paths |= {f"dblocks.{i}.main_branch.{j + 1}.convolution": f"{down}.convolutions.{j}" for j in range(len(config.down_dilations))}
    return {f"{there}.conv1d": here for there, here in paths.items()}


def _cycles(model: Settings) -> tuple[int, ...]:
    """For each block up the cycle that its dilations follow. Raises VcompressError where they follow none."""
    cycles = []
    for dilations in model.lists("upsampling_dilations"):
        cycle = next((c for c in range(1, 5) if dilations == tuple(2 ** (j % c) for j in range(4))), None)
        if cycle is None:
            raise VcompressError(f"{model.source} has upsampling_dilations {list(dilations)}; only powers of two that begin again can be imported.")
        cycles.append(cycle)
    return tuple(cycles)


def _config(model: Settings, n_mels: int) -> WaveGradConfig:
    downs = set(model.lists("downsampling_dilations"))
    if len(downs) != 1:
        raise VcompressError(f"{model.source} has downsampling_dilations that differ from block to block; it cannot be imported.")
    return WaveGradConfig(
        up=(model.whole("upsampling_preconv_out_channels"), *model.wholes("upsampling_out_channels")),
        down=(model.whole("downsampling_preconv_out_channels"), *model.wholes("downsampling_out_channels")),
        ratios=model.wholes("factors"),
        dilation_cycles=_cycles(model),
        n_mels=n_mels,
        slope=0.2,
        down_dilations=downs.pop(),
        film="input",
        code_closed=False,
    )


def _check_generation(file: PublicFile) -> None:
    if SECOND in file.state or any(key.endswith(FIRST) for key in file.state):
        raise VcompressError(f"{file.path} is of ivanvovk/WaveGrad before 2020-11-20, which computed otherwise; only later checkpoints can be imported.")
    if CURRENT not in file.state:
        raise VcompressError(
            f"{file.path} has weights without schedule buffers, from which its generation cannot be told; give the checkpoint as it was trained."
        )


def _read(file: PublicFile, said: Said) -> Found:
    _check_generation(file)
    if said.config is None:
        raise VcompressError(f"{file.path} does not hold its configuration; give the config.json of its log folder with --config.")
    if said.schedule is None:
        raise VcompressError(f"{file.path} does not hold the noise schedule to synthesize with; give one of those that come with its code with --schedule.")
    front_end = mel_of(said.config.part("data_config"))
    config = _config(said.config.part("model_config"), front_end.n_mels)
    if config.hop_length != front_end.hop_length:
        raise VcompressError(f"{said.config.source} has factors that multiply to {config.hop_length} and a hop of {front_end.hop_length}; correct it.")
    training = said.config.part("training_config").part("training_noise_schedule")
    ends = training.reals("betas_range")
    betas = np.linspace(ends[0], ends[-1], training.whole("n_iter"))
    steps = file.fact("iteration")
    found = (config, front_end, layers(config), steps if isinstance(steps, int) else 0, without_prefix(file.state, "nn."))
    return Found(*found, {"betas": list(read_betas(said.schedule))}, check_betas(betas, training.source))


IMPORTERS = (Importer("ivanvovk/WaveGrad", "wavegrad", lambda file: file.has("nn.ublock_preconv."), _read, ("config", "size", "schedule")),)
