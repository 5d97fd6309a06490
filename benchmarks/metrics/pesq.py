"""PESQ, ITU-T P.862: wide band (P.862.2) and narrow band, through the package `pesq`. Blind to gain."""

from functools import partial

import numpy as np

from .metric import Metric


def pesq_score(reference: np.ndarray, output: np.ndarray, rate: int, band: str) -> float:
    """MOS-LQO on P.862's scale, 1.0 to 4.64. `band`: "wb" or "nb". Raises pesq's own errors, such as NoUtterancesError."""
    from pesq import pesq

    if not np.any(output):
        raise ValueError("the output is silent")  # pesq would fail with a sentence about NaN
    return float(pesq(rate, reference, output, band))


PESQ_WB = Metric(
    "pesq_wb", "MOS-LQO", "higher", "ITU-T P.862.2 wide band at 16 kHz (package pesq)", "pesq", speech=True, function=partial(pesq_score, band="wb")
)
PESQ_NB = Metric(
    "pesq_nb", "MOS-LQO", "higher", "ITU-T P.862 narrow band at 16 kHz (package pesq)", "pesq", speech=True, function=partial(pesq_score, band="nb")
)
