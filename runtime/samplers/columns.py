"""Columns of what one graph gives to another, for samplers that go through it sample by sample."""

import numpy as np


def channels_axis(tensor: np.ndarray) -> int:
    """The axis of the channels: integers are handed over with the channels last."""
    return 2 if np.issubdtype(tensor.dtype, np.integer) else 1


def column(tensor: np.ndarray, index: int) -> np.ndarray:
    """One column of (1, C, T), or of integers (1, T, C), as an array of the same order of axes."""
    return columns(tensor, np.array([index]))


def columns(tensor: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Columns side by side, in the order of `indices`, int (count,)."""
    return np.ascontiguousarray(np.take(tensor, indices, axis=3 - channels_axis(tensor)))
