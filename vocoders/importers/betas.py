"""Noise schedules that public code bases keep beside their checkpoints."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from ...errors import VcompressError
from .pickles import read_pickle


def check_betas(betas: Iterable[float], source: str) -> tuple[float, ...]:
    """The betas. Raises VcompressError where they are none."""
    found = tuple(map(float, betas))
    if not found or not all(0 < beta < 1 for beta in found):
        raise VcompressError(f"{source} has a noise schedule that is not a row of numbers between 0 and 1; correct it.")
    return found


def read_betas(path: Path) -> tuple[float, ...]:
    """Betas of a .npy or .json file, or of a list or tensor that torch.save wrote. Nothing in it is executed.

    Raises VcompressError when it is missing or holds no schedule.
    """
    if not path.is_file():
        raise VcompressError(f"There is no schedule {path}; check the path.")
    try:
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        elif path.suffix == ".json":
            values = np.asarray(json.loads(path.read_text(encoding="utf-8")), np.float64)
        else:
            held = read_pickle(path)
            values = held.numpy() if isinstance(held, torch.Tensor) else np.asarray(held, np.float64)
        return check_betas(np.asarray(values, np.float64).reshape(-1), str(path))
    except (OSError, ValueError, TypeError, EOFError):
        raise VcompressError(f"{path} holds no noise schedule (a row of betas); give a .npy, .json or .pt with one.") from None
