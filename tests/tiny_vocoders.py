"""Tiny networks of the three families: every kind of layer that the real ones have, a few channels wide."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from tiny_bench import FRONT_END, babble
from torch import nn

from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.scale_table import ScaleTable
from vcompress.runtime.samplers import Sampler, make_sampler
from vcompress.vocoders.checkpoint import Checkpoint, TrainingFacts
from vcompress.vocoders.diffwave import DiffWaveConfig
from vcompress.vocoders.hifigan import HiFiGANConfig
from vcompress.vocoders.melgan import MelGANConfig
from vcompress.vocoders.registry import find_family
from vcompress.vocoders.vocos import VocosConfig
from vcompress.vocoders.waveflow import WaveFlowConfig
from vcompress.vocoders.waveglow import WaveGlowConfig
from vcompress.vocoders.wavegrad import WaveGradConfig

CONFIGS: dict[str, Any] = {
    "melgan": MelGANConfig(base_channels=4, residual_blocks=1, ratios=(16, 16)),
    "hifigan": HiFiGANConfig(channels=16, upsample_rates=(16, 16), upsample_kernels=(32, 32), residual_kernels=(3, 5), dilations=((1,), (3,))),
    "diffwave": DiffWaveConfig(channels=4, layers=2, dilation_cycle=2, upsample_strides=(256,)),
    "wavegrad": WaveGradConfig(up=(8, 8, 4), down=(4, 6), ratios=(4, 2), dilation_cycles=(4, 2)),
    "waveflow": WaveFlowConfig(channels=4, height=4, flows=2, layers=2, upsample_strides=(256,)),
    "waveglow": WaveGlowConfig(channels=4, layers=2, flows=3, early_every=2, upsample_kernel=512),
    "vocos": VocosConfig(channels=6, hidden=8, layers=2, stem=3, n_fft=512, causal=True),
}


def tiny_checkpoint(family: str, config: Any = None) -> Checkpoint:
    """Random weights; none at zero, where some layers start, for that would hide what they do."""
    torch.manual_seed(0)
    config = config or CONFIGS[family]
    network = find_family(family).network(config)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    weights = {key: value.detach() for key, value in network.state_dict().items()}
    return Checkpoint(family, "S", config, replace(FRONT_END, hop_length=config.hop_length), TrainingFacts(("babble",), 1, 1.0, "none"), weights)


def tiny_folded(family: str) -> FoldedVocoder:
    """The folded tiny network, anew: a test may change it."""
    return FoldedVocoder.of(tiny_checkpoint(family))


def tiny_mels(count: int = 2, seconds: float = 0.25) -> list[np.ndarray]:
    """Mels of babble: float32 (n_mels, F) each."""
    return [FRONT_END.mel(babble(seconds, seed)) for seed in range(count)]


def sampler_of(vocoder: FoldedVocoder) -> Sampler:
    """The loop that drives a tiny network."""
    return make_sampler(vocoder.sampler, vocoder.front_end.hop_length)


@cache
def calibrated(family: str) -> tuple[FoldedVocoder, PreparedVocoder, ScaleTable]:
    """A tiny network that went through calibration; made once, not to be changed but for `mode`."""
    vocoder = tiny_folded(family)
    prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config)
    calibrate(prepared, sampler_of(vocoder), tiny_mels())
    return vocoder, prepared, ScaleTable.of(prepared.graphs.values())
