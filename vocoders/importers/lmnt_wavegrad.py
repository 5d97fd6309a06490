"""WaveGrad of lmnt-com/wavegrad: `weights-N.pt`, which holds its own parameters. Its network is fixed in its code but for the mel bands."""

import math

from ...errors import VcompressError
from ..folding import State
from ..wavegrad import WaveGradConfig
from .betas import check_betas, read_betas
from .lmnt import mel_of, params
from .public import Found, Importer, PublicFile, Said

RATIOS = (5, 5, 3, 2, 2)
CYCLES = (2, 2, 4, 4, 4)


def layers(config: WaveGradConfig) -> dict[str, str]:
    """Paths of the layers there -> here; the two outputs of a FiLM are one there, and parted before."""
    paths = {
        "first_conv": "conditioner.stem",
        "last_conv": "denoiser.output",
        "downsample.0": "denoiser.input",
        "upsample.0.block1": "conditioner.entry.shortcut.convolution",
        "upsample.0.block2.0": "conditioner.entry.main",
    }
    for i in range(len(config.ratios)):
        if i:
            paths |= {f"upsample.{i}.block1": f"denoiser.entries.{i - 1}.shortcut.convolution", f"upsample.{i}.block2.0": f"denoiser.entries.{i - 1}.main"}
            down = f"denoiser.downs.{i - 1}"
            paths[f"downsample.{i}.residual_dense"] = f"{down}.shortcut"
            paths |= {f"downsample.{i}.conv.{j}": f"{down}.convolutions.{j}" for j in range(len(config.down_dilations))}
        block = f"denoiser.blocks.{i}.convolutions"
        paths |= {f"upsample.{i}.block2.1": f"{block}.0", f"upsample.{i}.block3.0": f"{block}.1", f"upsample.{i}.block3.1": f"{block}.2"}
        film = f"denoiser.films.{i}"
        paths |= {f"film.{i}.input_conv": f"{film}.input", f"film.{i}.scale": f"{film}.scale", f"film.{i}.shift": f"{film}.shift"}
    return paths


def parted(state: State) -> State:
    """FiLM's output as two layers: shift first, scale second."""
    found: State = {}
    for key, value in state.items():
        before, joined, name = key.rpartition(".output_conv.")
        if joined and before.startswith("film.") and len(value) % 2 == 0:
            found[f"{before}.shift.{name}"], found[f"{before}.scale.{name}"] = value.chunk(2)
        else:
            found[key] = value
    return found


def _read(file: PublicFile, said: Said) -> Found:
    settings, blocks = params(file, said), len(RATIOS)
    config = WaveGradConfig(
        up=(file.shape("first_conv.weight")[0], *(file.shape(f"upsample.{i}.block1.weight")[0] for i in range(blocks))),
        down=(file.shape("downsample.0.weight")[0], *(file.shape(f"downsample.{i}.residual_dense.weight")[0] for i in range(1, blocks))),
        ratios=RATIOS,
        dilation_cycles=CYCLES,
        n_mels=file.shape("first_conv.weight")[1],
        slope=0.2,
        resampling="nearest",
        down_dilations=(1, 2, 4),
        film="input",
        code_speed=1.0,
        code_closed=False,
    )
    hop_length = settings.whole("hop_samples")
    if hop_length != math.prod(RATIOS):
        raise VcompressError(f"{settings.source} has a hop of {hop_length}, and its code always makes {math.prod(RATIOS)} samples; it cannot be imported.")
    n_fft = 1 << (4 * hop_length - 1).bit_length()  # there: the least power of two that has room for the window
    front_end = mel_of(settings.whole("sample_rate"), n_fft, hop_length, config.n_mels)
    training = check_betas(settings.reals("noise_schedule"), settings.source)
    betas = read_betas(said.schedule) if said.schedule is not None else training
    step = file.fact("step")
    steps = step if isinstance(step, int) else 0
    return Found(config, front_end, layers(config), steps, parted(file.state), {"betas": list(betas)}, training)


IMPORTERS = (Importer("lmnt-com/wavegrad", "wavegrad", lambda file: file.has("downsample.0.", "film.0."), _read, ("config", "size", "schedule")),)
