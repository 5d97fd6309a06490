"""Short-time objective intelligibility (Taal et al. 2011), through the package `pystoi`."""

import warnings

import numpy as np

from .metric import Metric


def stoi_score(reference: np.ndarray, output: np.ndarray, rate: int) -> float:
    """STOI, 0 to 1. Raises ValueError where the clip has too little speech: pystoi itself would give 1e-5 and a warning."""
    from pystoi import stoi

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(stoi(reference, output, rate))
        except RuntimeWarning:
            raise ValueError("less than 30 frames of speech") from None


STOI = Metric("stoi", "1", "higher", "STOI, Taal et al. 2011 (package pystoi)", "pystoi", speech=True, function=stoi_score)
