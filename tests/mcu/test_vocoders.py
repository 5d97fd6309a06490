"""Vocoders on every simulated board: each sample that of the integer reference, AVRs cycle for cycle in two simulators."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_bench import babble
from tiny_vocoders import tiny_checkpoint

from vcompress.benchmarks.simulated.measured import vocoder_bytes
from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.samplers import make_sampler
from vcompress.targets.firmware.boards import boards, find_board
from vcompress.targets.firmware.simulation import simulate_artifact
from vcompress.targets.fit import fit
from vcompress.targets.profile import find_profile
from vcompress.targets.workload import workload_of
from vcompress.vocoders.checkpoint import Checkpoint, read_checkpoint, shipped_checkpoint
from vcompress.vocoders.melgan import MelGANConfig

pytestmark = pytest.mark.mcu
FRAMES = 12
WITHIN = 0.02  # of what the linker and the painted stack say


def quantized(checkpoint: Checkpoint, name: str, folder: Path) -> Artifact:
    """The artifact of a vocoder after static quantization, calibrated on babble."""
    vocoder, front_end = FoldedVocoder.of(checkpoint), checkpoint.front_end
    prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config)
    calibrate(prepared, make_sampler(vocoder.sampler, front_end.hop_length), [front_end.mel(babble(0.5, seed)) for seed in range(2)])
    return write_artifact(FoldedVocoder.of(checkpoint), Recipe("static"), name, folder, ScaleTable.of(prepared.graphs.values()))


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Artifact]:
    """`artifact("nano")`: vocos nano with the weights of the package; "melgan": a narrow MelGAN with zero padding."""
    made: dict[str, Artifact] = {}

    def make(name: str) -> Artifact:
        if name not in made:
            narrow = MelGANConfig(base_channels=2, residual_blocks=2, ratios=(8, 8, 2, 2), padding="zeros")
            checkpoint = read_checkpoint(shipped_checkpoint("vocos", "nano")) if name == "nano" else tiny_checkpoint("melgan", narrow)
            made[name] = quantized(checkpoint, name, tmp_path_factory.mktemp(name) / "artifact")
        return made[name]

    return make


@pytest.mark.parametrize("name", ["nano", "melgan"])
@pytest.mark.parametrize("target", sorted(boards()))
def test_a_vocoder_speaks_as_the_reference(artifact: Callable[[str], Artifact], name: str, target: str, tmp_path: Path) -> None:
    opened, profile = artifact(name), find_profile(target)
    mel = opened.manifest.front_end.mel(babble(FRAMES * opened.manifest.front_end.hop_length / 16000))[:, :FRAMES]
    result = simulate_artifact(opened, profile, mel, tmp_path, second_opinion=True)  # raises where a sample differs, or cycles do
    assert len(result.outcome.samples) == FRAMES * opened.manifest.front_end.hop_length
    assert result.agreed == ((find_board(target).second_opinion,) if find_board(target).second_opinion else ())
    assert sum(result.image.flash.values()) <= profile.flash and result.ram_used <= profile.ram
    assert 0 < result.rtf.least <= result.rtf.most
    predicted = fit(profile, workload_of(opened, 1.0))
    for memory, measured in zip(("flash", "RAM"), vocoder_bytes(result, opened), strict=True):
        budget = predicted.budget(memory)
        assert budget is not None and all(part.bytes is not None for part in budget.parts)
        assert budget.needed == pytest.approx(measured, rel=WITHIN), memory


def test_a_vocoder_that_is_too_large_ends_in_the_linker(artifact: Callable[[str], Artifact], tmp_path: Path) -> None:
    frames = 700  # of mel in flash beside nano's weights
    mel = np.zeros((artifact("nano").manifest.front_end.n_mels, frames), np.float32)
    with pytest.raises(VcompressError, match=r"does not fit: it needs [\d,]+ bytes of flash where atmega1280 has 126,976 \([\d,]+ too many\)"):
        simulate_artifact(artifact("nano"), find_profile("atmega1280"), mel, tmp_path)
