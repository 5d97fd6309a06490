"""Frechet distance between reference and output on DNSMOS features: a figure of the whole set of clips."""

from collections.abc import Sequence

import numpy as np

from .dnsmos import dnsmos_features
from .metric import SetMetric


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """|mean x - mean y|^2 + Tr(Cx + Cy - 2 (Cx Cy)^(1/2)) of features x (n, d) and y (m, d) (Heusel et al. 2017, eq. 6).

    With centred X and Y scaled so that Cx = X'X, Cy = Y'Y, the last trace is the sum of the singular values of X Y': no matrix root
    is taken, and fewer clips than dimensions do no harm but the bias that any small sample has.
    """
    if len(x) < 2 or len(y) < 2:
        raise ValueError("a distribution needs two clips or more")
    x_centred, y_centred = ((w - w.mean(axis=0)) / np.sqrt(len(w) - 1) for w in (x, y))
    cross = float(np.linalg.svd(x_centred @ y_centred.T, compute_uv=False).sum())
    distance = np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2) + np.sum(x_centred**2) + np.sum(y_centred**2) - 2 * cross
    return max(0.0, float(distance))  # rounding can leave -1e-16


def frechet_dnsmos(references: Sequence[np.ndarray], outputs: Sequence[np.ndarray], rate: int) -> float:
    """Frechet distance on the 64 features of the DNSMOS P808 model, every 9.01 s window a sample. See dnsmos.dnsmos_features."""
    x, y = (np.concatenate([dnsmos_features(w, rate) for w in set_]) for set_ in (references, outputs))
    return frechet(x, y)


FRECHET_DNSMOS = SetMetric(
    "frechet_dnsmos",
    "1",
    "lower",
    "Frechet distance on 64 DNSMOS P808 features (input of the last layer), 9.01 s windows",
    "speechmos",
    speech=True,
    function=frechet_dnsmos,
)
