"""D_STFT, the spectral loss of SING (Défossez et al. 2018), as a distance in numpy; `losses.DSTFTLoss` is the same in torch. This file has its constants."""

import numpy as np

from ..runtime.mel import stft

N_FFT, HOP_LENGTH = 1024, 256
EPSILON = 1.0  # of the paper: what is added to a power before its logarithm


def d_stft(reference: np.ndarray, output: np.ndarray) -> float:
    """Mean |ln(1 + |STFT x|^2) - ln(1 + |STFT y|^2)|: centred frames, periodic Hann, unnormalised; waveforms float (T,) in [-1, 1].

    Sensitive to gain, and silence scores only 0.2 for speech: never a figure to stand alone.
    """
    x, y = (np.log(EPSILON + np.abs(stft(w, N_FFT, HOP_LENGTH)) ** 2) for w in (reference, output))
    return float(np.mean(np.abs(x - y)))
