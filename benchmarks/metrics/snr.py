"""Signal-to-noise ratio against another output of the same network. Against the recording it would be meaningless: phase is free."""

import numpy as np

from .metric import Metric


def snr(reference: np.ndarray, output: np.ndarray, rate: int) -> float:
    """10 log10(sum x^2 / sum (x - y)^2) in dB. Raises ValueError where either sum is zero."""
    signal, noise = (float(np.sum(np.square(w, dtype=np.float64))) for w in (reference, reference - output))
    if not signal or not noise:
        raise ValueError("the fp32 output is silent" if not signal else "the output equals the fp32 output to the bit")
    return 10 * float(np.log10(signal / noise))


SNR = Metric("snr_fp32", "dB", "higher", "10 log10(sum x^2 / sum (x-y)^2) against the fp32 output with the same noise, mean over clips", function=snr)
