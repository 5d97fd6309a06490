"""A tiny WaveRNN, quantized and exported once for the tests of its network and of its loop."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tiny_vocoders import sampler_of, tiny_checkpoint, tiny_mels

from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.vocoders.wavernn import WaveRNNConfig

CONFIG = WaveRNNConfig(units=24, hidden=12, channels=8, layers=2, hop_length=8)  # halves of 12: no row count fills a panel of 16
FRAMES = 6


@cache
def quantized() -> tuple[FoldedVocoder, PreparedVocoder, ScaleTable]:
    """Folded and calibrated; not to be changed but for `mode`."""
    vocoder = FoldedVocoder.of(tiny_checkpoint("wavernn", CONFIG))
    prepared = PreparedVocoder(vocoder.family, vocoder.network, CONFIG)
    calibrate(prepared, sampler_of(vocoder), tiny_mels())
    return vocoder, prepared, ScaleTable.of(prepared.graphs.values())


@cache
def exported(method: str = "static", loop: bool = True) -> Artifact:
    """The artifact of a recipe, with the loop's file where that is asked for."""
    vocoder, _, table = quantized()
    folder = Path(mkdtemp(prefix="wavernn-")) / "artifact"
    calibrated = table if method == "static" else None
    return write_artifact(vocoder, Recipe(method), "wavernn-tiny", folder, calibrated, formats=("onnx", *(["loop"] if loop else [])))
