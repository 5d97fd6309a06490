"""HiFi-GAN of jik876/hifi-gan: `g_NNNNNNNN` with its `config.json`."""

import re

from ...errors import VcompressError
from ...runtime.mel import FrontEnd
from ..hifigan import SIZES, HiFiGANConfig
from .public import Found, Importer, PublicFile, Said
from .settings import Settings

FRONT_END = FrontEnd(22050, 1024, 256, 80, 0.0, 8000.0, padding="hop", power=1, magnitude_floor=1e-9, logarithm="ln", log_floor=1e-5, peak=0.95)


def layers(config: HiFiGANConfig) -> dict[str, str]:
    """Paths of the layers there -> here."""
    paths = {"conv_pre": "stem", "conv_post": "head"}
    count = len(config.residual_kernels)
    for i in range(len(config.upsample_rates)):
        paths[f"ups.{i}"] = f"stages.{i}.upsample"
        for j, dilations in enumerate(config.dilations):
            for k in range(len(dilations)):
                there, here = f"resblocks.{i * count + j}", f"stages.{i}.blocks.{j}"
                if config.block == 1:
                    paths |= {f"{there}.convs1.{k}": f"{here}.dilated.{k}", f"{there}.convs2.{k}": f"{here}.undilated.{k}"}
                else:
                    paths[f"{there}.convs.{k}"] = f"{here}.dilated.{k}"
    return paths


def check_upsampling(config: HiFiGANConfig, hop_length: int, source: str) -> None:
    """Raises VcompressError where the network does not make one hop of samples of each frame."""
    if config.hop_length != hop_length:
        raise VcompressError(f"{source} has rates that multiply to {config.hop_length} and a hop of {hop_length}; give the configuration of that model.")
    if len(config.upsample_rates) != len(config.upsample_kernels) or len(config.residual_kernels) != len(config.dilations):
        raise VcompressError(f"{source} has not as many kernels as rates or dilations; give the configuration of that model.")


def _read(file: PublicFile, said: Said) -> Found:
    name = re.fullmatch(r"g_(\d+)", file.path.name)
    steps = int(name[1]) if name else 0
    if said.config is not None:
        config, front_end = _configured(file, said.config)
    elif said.size is not None:
        config, front_end = SIZES[said.size], FRONT_END
    else:
        raise VcompressError(
            f"{file.path} does not hold its upsampling rates, dilations and mel; give its config.json with --config, "
            "or for the published V2, V3 or V1 at 22050 Hz --size S, M or L."
        )
    return Found(config, front_end, layers(config), steps)


def _configured(file: PublicFile, settings: Settings) -> tuple[HiFiGANConfig, FrontEnd]:
    said = 1 if settings.get("resblock") == "1" else 2  # as the original reads it: a number 1 is its second kind
    block = 1 if file.has("resblocks.0.convs1.") else 2
    if "resblock" in settings and said != block:
        raise VcompressError(f"{settings.source} has resblock {settings.get('resblock')!r}, {file.path} has blocks of kind {block}; give its own config.json.")
    config = HiFiGANConfig(
        channels=settings.whole("upsample_initial_channel"),
        block=block,
        upsample_rates=settings.wholes("upsample_rates"),
        upsample_kernels=settings.wholes("upsample_kernel_sizes"),
        residual_kernels=settings.wholes("resblock_kernel_sizes"),
        dilations=settings.lists("resblock_dilation_sizes"),
        n_mels=settings.whole("num_mels"),
    )
    check_upsampling(config, settings.whole("hop_size"), settings.source)
    for rate, kernel in zip(config.upsample_rates, config.upsample_kernels, strict=True):
        if kernel < rate or (kernel - rate) % 2:
            raise VcompressError(
                f"{settings.source} has an upsampling by {rate} with a kernel of {kernel}, which gives no whole frames; it cannot be imported."
            )
    rate = settings.whole("sampling_rate")
    fmin, fmax = settings.real("fmin"), settings.real("fmax", rate / 2)
    level = {"power": 1, "magnitude_floor": 1e-9, "logarithm": "ln", "log_floor": 1e-5, "peak": 0.95}
    shape = (rate, settings.whole("n_fft"), config.hop_length, config.n_mels, fmin, fmax)
    return config, FrontEnd(*shape, win_length=settings.whole("win_size"), padding="hop", **level)  # type: ignore[arg-type]


IMPORTERS = (Importer("jik876/hifi-gan", "hifigan", lambda file: file.has("conv_pre.", "resblocks."), _read, ("config", "size")),)
