"""Which trained weights a compression starts from: a run of the workspace, a file, or those that come with the package."""

import shutil
from pathlib import Path

from ..errors import VcompressError
from ..runtime.files import replacing, sha256
from ..runtime.workspace import Run, Workspace
from ..vocoders.checkpoint import Checkpoint, read_checkpoint, shipped_checkpoint
from ..vocoders.registry import find_family, find_size
from ..vocoders.trainer import WEIGHTS

FP32 = "fp32"


def source_run(workspace: Workspace, family: str, size: str, weights: Path | None = None, name: str | None = None) -> tuple[Run, Checkpoint]:
    """The fp32 run to start from, and its checkpoint: of the file `weights`, else the newest trained run, else what is shipped.

    A file is copied into a run of its own, once. Raises VcompressError when there is nothing to start from.
    """
    found = find_family(family)
    size = find_size(found, size)
    if weights is None:
        trained = next(iter(workspace.runs(family=found.name, size=size, name=name, recipe=FP32, complete=True)), None)
        if trained is not None:
            return trained, read_checkpoint(trained.folder / WEIGHTS, found.name, size)
        weights = shipped_checkpoint(found.name, size)
    if weights is None:
        raise VcompressError(f"There are no trained weights of {found.title} {size}; train some with: vcompress train {found.name} --size {size} --data DIR.")
    checkpoint = read_checkpoint(weights, found.name, size)
    digest = sha256(weights)
    for run in workspace.runs(family=found.name, size=size, name=name, recipe=FP32, complete=True, sha256=digest):
        return run, checkpoint
    with workspace.making(found.name, size, FP32, name) as run:
        with replacing(run.folder / WEIGHTS) as part:
            shutil.copyfile(weights, part)
        return run.update(complete=True, sha256=digest, source=weights.name), checkpoint
