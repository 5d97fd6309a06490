"""Blocks of weights that become zero together: a matrix has a layer's outputs as rows and, tap by tap, its inputs as columns."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .sparsity import Block


def zero_smallest(weight: Tensor, part: float, block: Block = (1, 1), stacked: int = 1) -> None:
    """Make the part `part` of a layer's blocks zero, in place: those whose weights are smallest, by the mean of their magnitudes.

    `stacked`: matrices of as many rows each, one above the other; each loses the same part, where its rows are whole blocks. Blocks begin at the first row
    and column, so the last ones may be narrower. Zeros among them already are the smallest, so none comes back.
    """
    rows = weight.movedim(1, -1).reshape(len(weight), -1)
    if stacked > 1 and len(rows) % (stacked * block[0]):
        stacked = 1
    kept = torch.cat([_kept(matrix, part, block) for matrix in rows.chunk(stacked)])
    weight.mul_(kept.view(weight.movedim(1, -1).shape).movedim(-1, 1))


def _kept(matrix: Tensor, part: float, block: Block) -> Tensor:
    """0 for a weight that goes and 1 for one that stays."""
    means = _means(matrix.abs(), block)
    kept = torch.ones_like(means)
    kept.view(-1)[means.view(-1).topk(round(part * means.numel()), largest=False, sorted=False).indices] = 0
    height, width = matrix.shape
    return kept.repeat_interleave(block[0], 0)[:height].repeat_interleave(block[1], 1)[:, :width]


def _means(matrix: Tensor, block: Block) -> Tensor:
    if block == (1, 1):
        return matrix.clone()
    return F.avg_pool2d(matrix[None], block, block, ceil_mode=True, count_include_pad=False)[0]  # of a block at the edge, of what it has
