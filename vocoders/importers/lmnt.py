"""DiffWave of lmnt-com/diffwave: `weights-N.pt`, which holds its own parameters."""

import math
from typing import Any

from ...errors import VcompressError
from ...runtime.mel import FrontEnd
from ...runtime.schedule import FAST_BETAS, TRAINING_BETAS, align
from ..diffwave import DiffWaveConfig
from .betas import check_betas
from .public import Found, Importer, PublicFile, Said
from .settings import Settings

STRIDES = (16, 16)  # of its upsampler; they are not in the file


def mel_of(sample_rate: int, n_fft: int, hop_length: int, n_mels: int) -> FrontEnd:
    """Normalised magnitudes in HTK bands from 20 Hz, in dB from -80 to 20 mapped to [0, 1]; the window is four hops."""
    bands = (sample_rate, n_fft, hop_length, n_mels, 20.0, sample_rate / 2, -4.0, 1.0)  # 20 dB = 1 in the logarithm to 10
    return FrontEnd(*bands, win_length=4 * hop_length, power=1, normalized=True, mel_scale="htk", mel_norm="none", logarithm="log10", log_floor=1e-5, clip=True)


FRONT_END = mel_of(22050, 1024, 256, 80)


def layers(config: DiffWaveConfig) -> dict[str, str]:
    """Paths of the layers there -> here."""
    paths = {
        "input_projection": "denoiser.input",
        "skip_projection": "denoiser.skip",
        "output_projection": "denoiser.output",
        "diffusion_embedding.projection1": "shifts.embedding.first",
        "diffusion_embedding.projection2": "shifts.embedding.second",
    }
    paths |= {f"spectrogram_upsampler.conv{i + 1}": f"conditioner.upsampler.convolutions.{i}" for i in range(len(config.upsample_strides))}
    for i in range(config.layers):
        paths |= {
            f"residual_layers.{i}.dilated_conv": f"denoiser.layers.{i}.dilated",
            f"residual_layers.{i}.output_projection": f"denoiser.layers.{i}.output",
            f"residual_layers.{i}.diffusion_projection": f"shifts.projections.{i}",
            f"residual_layers.{i}.conditioner_projection": f"conditioner.projections.{i}",
        }
    return paths


def config_of(file: PublicFile, dilation_cycle: int) -> DiffWaveConfig:
    """Channels, layers and mel bands from shapes. Raises VcompressError for networks of another make."""
    if len(file.shape("diffusion_embedding.projection1.weight")) != 2:
        raise VcompressError(f"{file.path} is of the first days of lmnt-com/diffwave, whose network was another; it cannot be imported.")
    if not file.has("spectrogram_upsampler."):
        raise VcompressError(f"{file.path} is an unconditional DiffWave, which makes sounds of no mel; it is no vocoder and cannot be imported.")
    count = len([key for key in file.state if key.startswith("residual_layers.") and key.endswith(".dilated_conv.weight")])
    return DiffWaveConfig(
        channels=file.shape("input_projection.weight")[0],
        layers=count,
        dilation_cycle=dilation_cycle,
        upsample_strides=STRIDES,
        n_mels=file.shape("residual_layers.0.conditioner_projection.weight")[1],
    )


def params(file: PublicFile, said: Said) -> Settings:
    """What the file says of itself, or the user of it."""
    inside = file.fact("params")
    if isinstance(inside, dict):
        return Settings(inside, f"params in {file.path}")
    if said.config is None:
        raise VcompressError(f"{file.path} does not hold the params of its training; give them as JSON or YAML with --config.")
    return said.config


def schedules(settings: Settings) -> tuple[dict[str, Any], tuple[float, ...]]:
    """Settings of the sampler, whose schedule is aligned to that of the training and which clamps at every step, as the code base
    does; and the betas of the training where they are not the paper's."""
    training = check_betas(settings.reals("noise_schedule"), settings.source) if "noise_schedule" in settings else TRAINING_BETAS
    own = len(training) != len(TRAINING_BETAS) or not all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(training, TRAINING_BETAS, strict=True))
    betas = check_betas(settings.reals("inference_noise_schedule"), settings.source) if "inference_noise_schedule" in settings else FAST_BETAS
    schedule = align(betas, training)
    return {"betas": list(schedule.betas), "steps": list(schedule.steps), "clamp": True}, training if own else ()


def _read(file: PublicFile, said: Said) -> Found:
    settings = params(file, said)
    config = config_of(file, settings.whole("dilation_cycle_length"))
    settings.must("unconditional", False, "this is no vocoder of mels")
    settings.must("residual_channels", config.channels, f"{file.path} has {config.channels}")
    settings.must("residual_layers", config.layers, f"{file.path} has {config.layers}")
    settings.must("n_mels", config.n_mels, f"{file.path} has {config.n_mels}")
    hop_length = settings.whole("hop_samples")
    if hop_length != config.hop_length:
        raise VcompressError(f"{settings.source} has a hop of {hop_length}, and its code always makes {config.hop_length} samples; it cannot be imported.")
    front_end = mel_of(settings.whole("sample_rate"), settings.whole("n_fft", 1024), hop_length, config.n_mels)
    step = file.fact("step")
    sampler, betas = schedules(settings)
    return Found(config, front_end, layers(config), step if isinstance(step, int) else 0, sampler=sampler, betas=betas)


IMPORTERS = (Importer("lmnt-com/diffwave", "diffwave", lambda file: file.has("diffusion_embedding.", "residual_layers."), _read, ("config", "size")),)
