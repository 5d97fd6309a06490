"""MelGAN and HiFi-GAN of kan-bayashi/ParallelWaveGAN: `checkpoint-NNNsteps.pkl` with its `config.yml` and the statistics of its mel bands."""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import VcompressError
from ...runtime.mel import FrontEnd
from ..hifigan import HiFiGANConfig
from ..melgan import MelGANConfig
from .descript import BLOCK, check_hop
from .descript import layers as melgan_layers
from .jik876 import check_upsampling
from .public import Found, Importer, PublicFile, Said
from .settings import Settings

FRONT_END = FrontEnd(22050, 1024, 256, 80, 80.0, 7600.0, power=1, logarithm="log10", log_floor=1e-10)
# Those that change nothing here, or are looked at one by one.
SHARED = ("in_channels", "out_channels", "channels", "kernel_size", "upsample_scales", "bias", "use_weight_norm", "use_causal_conv")
MELGAN = (*SHARED, "stack_kernel_size", "stacks", "pad", "pad_params", "use_final_nonlinear_activation", "nonlinear_activation", "nonlinear_activation_params")
HIFIGAN = (
    *SHARED,
    *("upsample_kernel_sizes", "upsample_kernal_sizes", "resblock_kernel_sizes", "resblock_dilations", "use_additional_convs"),
    *("nonlinear_activation", "nonlinear_activation_params"),
)


def _settings(file: PublicFile, said: Said, kind: str) -> tuple[Settings, Settings]:
    """The configuration and its generator's part."""
    if said.config is None:
        raise VcompressError(f"{file.path} does not hold its configuration; give the config.yml beside it with --config.")
    if said.config.get("generator_type", "ParallelWaveGANGenerator") != kind:
        raise VcompressError(f"{said.config.source} is of a {said.config.get('generator_type')}, {file.path} holds a {kind}; give its own config.yml.")
    generator = said.config.part("generator_params")
    generator.must("out_channels", 1, "bands that are put together by a filter bank are not here")
    generator.must("use_causal_conv", False, "causal convolutions are not here")
    generator.must("kernel_size", 7, "the first and last convolution here have 7 taps")
    generator.must("bias", True, "the layers here have a bias")
    generator.must("nonlinear_activation", "LeakyReLU", "other activations are not here")
    return said.config, generator


def _slope(generator: Settings, default: float) -> float:
    return generator.part("nonlinear_activation_params").real("negative_slope", default) if "nonlinear_activation_params" in generator else default


def _front_end(settings: Settings, said: Said, file: PublicFile) -> FrontEnd:
    if said.statistics is None:
        raise VcompressError(f"{file.path} does not hold the statistics of its mel bands; give the stats.npy or stats.h5 of its training with --stats.")
    settings.must("window", "hann", "the window here is Hann's")
    settings.must("global_gain_scale", 1.0, "its waveforms have another level than its mels")
    rate = settings.whole("sampling_rate")
    settings.must("sampling_rate_for_feats", rate, "its mels are of another rate than its waveforms")
    base = settings.get("log_base", 10.0)
    if base not in (None, 10.0):
        raise VcompressError(f"{settings.source} has logarithms to the base {base}, only 10 and e are here; it cannot be imported.")
    bands = settings.whole("num_mels")
    means, deviations = _statistics(said.statistics, bands)
    n_fft = settings.whole("fft_size")
    return FrontEnd(
        sample_rate=rate,
        n_fft=n_fft,
        hop_length=settings.whole("hop_size"),
        n_mels=bands,
        fmin=settings.real("fmin", 0.0),
        fmax=settings.real("fmax", rate / 2),
        win_length=settings.whole("win_length", n_fft),
        power=1,
        logarithm="ln" if base is None else "log10",
        log_floor=FRONT_END.log_floor,
        band_means=means,
        band_deviations=deviations,
    )


def _statistics(path: Path, bands: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each band, from stats.npy (two rows) or stats.h5 (mean, scale)."""
    try:
        rows: list[Any] = _hdf5(path) if path.suffix.lower() in (".h5", ".hdf5") else list(np.load(path, allow_pickle=False))
        means, deviations = (np.asarray(row, np.float64).reshape(-1) for row in rows)
    except OSError as error:
        raise VcompressError(f"The statistics {path} cannot be read ({error.strerror or 'damaged'}); check the path.") from None
    except (ValueError, KeyError, TypeError, EOFError):
        raise VcompressError(f"{path} holds no mean and scale of mel bands; give the stats.npy or stats.h5 of the training.") from None
    if len(means) != bands or len(deviations) != bands or not np.isfinite([*means, *deviations]).all():
        raise VcompressError(f"{path} is of {len(means)} mel bands, the configuration has {bands}; give the statistics of the same training.")
    return tuple(map(float, means)), tuple(map(float, deviations))


def _hdf5(path: Path) -> list[Any]:
    try:
        import h5py
    except ImportError:
        raise VcompressError(
            f"{path} needs h5py, which is not installed; run pip install h5py, or save its mean and scale as the two rows of a stats.npy."
        ) from None
    with h5py.File(path, "r") as file:
        return [file["mean"][()], file["scale"][()]]


def _steps(file: PublicFile) -> int:
    steps = file.fact("steps")
    return steps if isinstance(steps, int) else 0


def _read_melgan(file: PublicFile, said: Said) -> Found:
    settings, generator = _settings(file, said, "MelGANGenerator")
    generator.only(MELGAN)
    generator.must("use_final_nonlinear_activation", True, "a waveform without a tanh at its end is not here")
    generator.must("pad", "ReflectionPad1d", "other padding is not here")
    ratios, channels = generator.wholes("upsample_scales"), generator.whole("channels", 512)
    if channels % 2 ** len(ratios):
        raise VcompressError(f"{generator.source} has {channels} channels, which cannot be halved {len(ratios)} times; give the configuration of that model.")
    config = MelGANConfig(
        base_channels=channels // 2 ** len(ratios),
        residual_blocks=generator.whole("stacks", 3),
        ratios=ratios,
        n_mels=generator.whole("in_channels", 80),
        block_kernel=generator.whole("stack_kernel_size", 3),
        slope=_slope(generator, 0.2),
    )
    front_end = _front_end(settings, said, file)
    check_hop(config, front_end, str(file.path))
    block = {part.replace("block", "stack").replace("shortcut", "skip_layer"): name for part, name in BLOCK.items()}
    return Found(config, front_end, melgan_layers(config, "melgan", block), _steps(file))


def _hifigan_layers(config: HiFiGANConfig) -> dict[str, str]:
    paths, count = {"input_conv": "stem", "output_conv.1": "head"}, len(config.residual_kernels)
    for i in range(len(config.upsample_rates)):
        paths[f"upsamples.{i}.1"] = f"stages.{i}.upsample"
        for j, dilations in enumerate(config.dilations):
            there, here = f"blocks.{i * count + j}", f"stages.{i}.blocks.{j}"
            paths |= {f"{there}.convs1.{k}.1": f"{here}.dilated.{k}" for k in range(len(dilations))}
            if config.block == 1:
                paths |= {f"{there}.convs2.{k}.1": f"{here}.undilated.{k}" for k in range(len(dilations))}
    return paths


def _read_hifigan(file: PublicFile, said: Said) -> Found:
    settings, generator = _settings(file, said, "HiFiGANGenerator")
    generator.only(HIFIGAN)
    kernels = "upsample_kernal_sizes" if "upsample_kernal_sizes" in generator else "upsample_kernel_sizes"  # as older ones spell it
    config = HiFiGANConfig(
        channels=generator.whole("channels", 512),
        block=1 if generator.get("use_additional_convs", True) else 2,
        upsample_rates=generator.wholes("upsample_scales"),
        upsample_kernels=generator.wholes(kernels),
        residual_kernels=generator.wholes("resblock_kernel_sizes"),
        dilations=generator.lists("resblock_dilations"),
        n_mels=generator.whole("in_channels", 80),
        slope=_slope(generator, 0.1),
    )
    front_end = _front_end(settings, said, file)
    check_upsampling(config, front_end.hop_length, generator.source)
    for rate, kernel in zip(config.upsample_rates, config.upsample_kernels, strict=True):
        if kernel != 2 * rate:
            raise VcompressError(f"{generator.source} has an upsampling by {rate} with a kernel of {kernel}, not {2 * rate}; it cannot be imported.")
    return Found(config, front_end, _hifigan_layers(config), _steps(file))


IMPORTERS = (
    Importer("kan-bayashi/ParallelWaveGAN", "melgan", lambda file: file.has("melgan.1."), _read_melgan, ("config", "size", "statistics")),
    Importer("kan-bayashi/ParallelWaveGAN", "hifigan", lambda file: file.has("input_conv.", "blocks."), _read_hifigan, ("config", "size", "statistics")),
)
