"""WaveGlow of NVIDIA/waveglow: `waveglow_N`, a whole pickled module, of which the tensors are read. And the mel of NVIDIA's
Tacotron 2, which several code bases took over."""

from collections.abc import Mapping

import torch

from ...errors import VcompressError
from ...runtime.mel import FrontEnd
from ..folding import State
from ..waveglow import WaveGlowConfig
from .pickles import StandIn
from .public import Found, Importer, PublicFile, Said, with_rate
from .settings import Settings

HOP_LENGTH = 256  # stride of its upsampler; it is not in the file


def mel_of(
    sample_rate: int = 22050, n_fft: int = 1024, hop_length: int = 256, win_length: int = 1024, n_mels: int = 80, fmin: float = 0.0, fmax: float = 8000.0
) -> FrontEnd:
    """Magnitudes of centred frames, Slaney bands, natural logarithm with a floor of 1e-5."""
    return FrontEnd(sample_rate, n_fft, hop_length, n_mels, fmin, fmax, win_length=win_length, power=1, logarithm="ln", log_floor=1e-5)


FRONT_END = mel_of()


def mel_of_data_config(settings: Settings, n_mels: int) -> FrontEnd:
    """The mel that a `data_config` section describes; its band edges are of later versions, the number of bands is the network's."""
    rate = settings.whole("sampling_rate")
    sizes = (settings.whole("filter_length"), settings.whole("hop_length"), settings.whole("win_length"))
    return mel_of(rate, *sizes, n_mels, settings.real("mel_fmin", 0.0), settings.real("mel_fmax", 8000.0))


def layers(config: WaveGlowConfig) -> dict[str, str]:
    """Paths of the layers there -> here."""
    paths = {"upsample": "upsampler.transposed"}
    for k in range(config.flows):
        there, here = f"WN.{k}", f"flows.{k}.wavenet"
        paths |= {f"convinv.{k}.conv": f"flows.{k}.mix", f"{there}.start": f"{here}.start", f"{there}.end": f"{here}.end"}
        paths[f"{there}.cond_layer"] = f"{here}.condition"
        for i in range(config.layers):
            paths |= {f"{there}.in_layers.{i}": f"{here}.dilated.{i}", f"{there}.res_skip_layers.{i}": f"{here}.output.{i}"}
    return paths


def merged(state: State) -> State:
    """Layers that older versions had apart, as the newer have them: residual and skip in one, and the conditions of all layers."""
    state = dict(state)
    for key in [key for key in state if ".skip_layers." in key]:
        residual, joined = (key.replace(".skip_layers.", f".{name}.") for name in ("res_layers", "res_skip_layers"))
        parts = [state.pop(part) for part in (residual, key) if part in state]
        state[joined] = torch.cat(parts)
    for first in [key for key in state if ".cond_layers.0." in key]:
        before, after = first.split(".cond_layers.0.")
        indices = sorted(int(key.removeprefix(f"{before}.cond_layers.").partition(".")[0]) for key in state if _of(key, before, after))
        state[f"{before}.cond_layer.{after}"] = torch.cat([state.pop(f"{before}.cond_layers.{index}.{after}") for index in indices])
    return state


def _of(key: str, before: str, after: str) -> bool:
    return key.startswith(f"{before}.cond_layers.") and key.endswith(f".{after}")


def config_of(file: PublicFile) -> WaveGlowConfig:
    """Everything follows from shapes but the upsampler's stride. Raises VcompressError where they make no WaveGlow."""
    flows = len([key for key in file.state if key.startswith("convinv.") and key.endswith(".conv.weight")])
    widths = [file.shape(f"convinv.{k}.conv.weight")[0] for k in range(flows)]
    change = next((k for k in range(1, flows) if widths[k] != widths[k - 1]), None)
    config = WaveGlowConfig(
        channels=file.shape("WN.0.in_layers.0.weight")[1],
        layers=len([key for key in file.state if key.startswith("WN.0.in_layers.") and key.endswith(".weight")]),
        flows=flows,
        group=widths[0],
        early_every=change or flows,
        early_size=widths[0] - widths[change] if change else 2,
        upsample_kernel=file.shape("upsample.weight")[2],
        hop_length=HOP_LENGTH,
        n_mels=file.shape("upsample.weight")[0],
    )
    if [config.width(k) for k in range(flows)] != widths:
        raise VcompressError(f"{file.path} has flows of {widths} channels, which do not grow fewer by equal steps; it cannot be imported.")
    return config


def _read(file: PublicFile, said: Said) -> Found:
    module = file.content.get("model") if isinstance(file.content, Mapping) else file.content
    named = module.stands_for if isinstance(module, StandIn) else None
    if named == "glow_old.WaveGlow":
        raise VcompressError(f"{file.path} is a WaveGlow of the class glow_old, whose halves change places at every other flow; it cannot be imported.")
    if named is None and file.fact("config") is None:
        raise VcompressError(
            f"{file.path} does not say whether it is of the class glow or of glow_old, whose halves change places; give the checkpoint as it was trained."
        )
    config = config_of(file)
    if said.config is None and said.sample_rate is None:
        raise VcompressError(
            f"{file.path} does not hold its mel; give its config.json with --config, or --sample-rate 22050 where it was trained as the code base is."
        )
    if said.config is not None:
        front_end = mel_of_data_config(said.config.part("data_config"), config.n_mels)
        if said.sample_rate not in (None, front_end.sample_rate):
            raise VcompressError(f"{said.config.source} has a sample rate of {front_end.sample_rate}, not {said.sample_rate}; leave out --sample-rate.")
    else:
        front_end = with_rate(FRONT_END, said.sample_rate)
    if front_end.hop_length != config.hop_length or front_end.n_mels != config.n_mels:
        raise VcompressError(f"{file.path} makes {HOP_LENGTH} samples of a frame of {config.n_mels} bands, and its mel is another; it cannot be imported.")
    steps = file.fact("iteration")
    return Found(config, front_end, layers(config), steps if isinstance(steps, int) else 0, merged(file.state))


IMPORTERS = (Importer("NVIDIA/waveglow", "waveglow", lambda file: file.has("convinv.", "WN."), _read, ("config", "size", "sample_rate")),)
