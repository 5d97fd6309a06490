"""WaveFlow of L0SG/WaveFlow: `waveflow_N` with its JSON, without which neither height nor permutation can be told."""

from ...errors import VcompressError
from ..waveflow import WaveFlowConfig
from .nvidia import mel_of_data_config
from .public import Found, Importer, PublicFile, Said
from .settings import Settings

STRIDES = (16, 16)  # of its upsampler, fixed in its code
IGNORED = "h_cache"  # a tensor of a synthesis that some versions left in the module


def layers(config: WaveFlowConfig) -> dict[str, str]:
    """Paths of the layers there -> here."""
    paths = {f"upsample_conv.{2 * i}": f"upsampler.convolutions.{i}" for i in range(len(config.upsample_strides))}
    for k in range(config.flows):
        there, here = f"flows.{k}.coupling", f"flows.{k}"
        paths |= {f"{there}.net.front_conv.0.conv": f"{here}.input", f"{there}.proj_log_s_t.conv": f"{here}.projection"}
        for i in range(config.layers):
            block, layer = f"{there}.net.res_blocks.{i}", f"{here}.layers.{i}"
            paths |= {f"{block}.filter_gate_conv.conv": f"{layer}.dilated", f"{block}.filter_gate_conv_c": f"{layer}.condition"}
            paths[f"{block}.res_skip_conv"] = f"{layer}.output"
    return paths


def _config(settings: Settings) -> WaveFlowConfig:
    settings.must("n_layer_per_cycle", 1, "convolutions that are dilated in height are not here")
    settings.must("coupling_type", "waveflow", "permutations of half the rows are not here")
    sizes = {"channels": settings.whole("res_channels"), "height": settings.whole("n_height"), "flows": settings.whole("n_flow")}
    config = WaveFlowConfig(**sizes, layers=settings.whole("n_layer"), n_mels=settings.whole("cin_channels"), upsample_strides=STRIDES)
    if config.hop_length % config.height:
        raise VcompressError(f"{settings.source} has a height of {config.height}, which does not divide a hop of {config.hop_length}; it cannot be imported.")
    return config


def _read(file: PublicFile, said: Said) -> Found:
    if said.config is None:
        raise VcompressError(f"{file.path} does not hold its height and mel, nor its shapes tell them; give the JSON it was trained with, with --config.")
    config = _config(said.config.part("waveflow_config"))
    data = said.config.part("data_config")
    for key in ("rescale", "use_dbmel"):
        data.must(key, False, "its mel is another then")
    front_end = mel_of_data_config(data, config.n_mels)
    if front_end.hop_length != config.hop_length:
        raise VcompressError(f"{data.source} has a hop of {front_end.hop_length}, and its code always makes {config.hop_length} samples; correct it.")
    if any(".fused_filter_gate_conv_c." in key for key in file.state):
        raise VcompressError(f"{file.path} has its conditions fused for synthesis; give the checkpoint as it was trained.")
    state = {key: value for key, value in file.state.items() if not key.endswith(IGNORED)}
    steps = file.fact("iteration")
    return Found(config, front_end, layers(config), steps if isinstance(steps, int) else 0, state)


IMPORTERS = (Importer("L0SG/WaveFlow", "waveflow", lambda file: file.has("flows.0.coupling.", "upsample_conv."), _read, ("config", "size")),)
