"""The quality metrics. To add one: a file beside these, and its line here."""

from .dnsmos import OVRL, P808
from .frechet import FRECHET_DNSMOS
from .metric import Metric, Sense, SetMetric
from .pesq import PESQ_NB, PESQ_WB
from .snr import SNR
from .spectral import D_STFT, LOG_MEL_L1, MR_STFT
from .stoi import STOI

# name -> metric between the reference clip and the output, both at 16 kHz
METRICS: dict[str, Metric | SetMetric] = {
    metric.name: metric
    for metric in (
        LOG_MEL_L1,
        MR_STFT,
        D_STFT,
        PESQ_WB,
        PESQ_NB,
        STOI,
        OVRL,
        P808,
        FRECHET_DNSMOS,
    )
}

__all__ = ["METRICS", "SNR", "Metric", "Sense", "SetMetric"]
