"""Which trained weights a compression starts from: a run of the workspace, a file, or those that come with the package."""

import shutil
from pathlib import Path

from ..errors import VcompressError
from ..runtime.files import replacing, sha256
from ..runtime.workspace import Run, Workspace
from ..vocoders.checkpoint import Checkpoint, read_checkpoint, save_checkpoint, shipped_checkpoint
from ..vocoders.registry import OWN, find_family, find_size
from ..vocoders.schedules import Betas, find_schedule, with_schedule
from ..vocoders.trainer import WEIGHTS
from .folded import FoldedVocoder

FP32 = "fp32"


def source_run(
    workspace: Workspace, family: str, size: str, weights: Path | None = None, name: str | None = None, schedule: str | None = None
) -> tuple[Run, Checkpoint]:
    """The fp32 run to start from, and its checkpoint: of the file `weights`, else the newest trained run, else what is shipped.

    A file is copied into a run of its own, once; so are weights that are to be sampled with another noise `schedule` than they
    have (see `find_schedule`). Raises VcompressError when there is nothing to start from.
    """
    betas = find_schedule(find_family(family), schedule) if schedule is not None else None
    run, checkpoint = _newest(workspace, family, size, weights, name)
    return (run, checkpoint) if betas is None else _scheduled(workspace, run, checkpoint, betas)


def _scheduled(workspace: Workspace, source: Run, checkpoint: Checkpoint, betas: Betas) -> tuple[Run, Checkpoint]:
    """The run with the weights of `source` that another schedule has."""
    if list(betas) == checkpoint.sampler_settings["betas"]:
        return source, checkpoint
    checkpoint = with_schedule(checkpoint, betas)
    facts = {"source": source.folder.relative_to(workspace.root).as_posix(), "schedule": list(betas)}
    for run in workspace.runs(recipe=FP32, complete=True, **facts):
        return run, checkpoint
    with workspace.making(checkpoint.family, checkpoint.size, FP32, source.facts.get("name"), **facts) as run:
        save_checkpoint(run.folder / WEIGHTS, checkpoint)
        return run.update(complete=True), checkpoint


def rescheduled(workspace: Workspace, run: Run, schedule: str) -> Run:
    """What `export` makes of a run when another schedule is asked for. Raises VcompressError for a run that was calibrated or trained for its own."""
    quantized = run.facts.get("recipe") != FP32
    checkpoint = FoldedVocoder.read(run.folder).trained if quantized else read_checkpoint(run.folder / WEIGHTS)
    betas = find_schedule(find_family(checkpoint.family), schedule)
    if not quantized:
        return _scheduled(workspace, run, checkpoint, betas)[0]
    if list(betas) != checkpoint.sampler_settings["betas"]:
        raise VcompressError(f"The run {run.folder} was made for another schedule; give --schedule to vcompress quantize or vcompress qat.")
    return run


def own_schedule(run: Run) -> bool:
    """Whether a run samples with the schedule that its weights came with."""
    return "schedule" not in run.facts


def _newest(workspace: Workspace, family: str, size: str, weights: Path | None, name: str | None) -> tuple[Run, Checkpoint]:
    found = find_family(family)
    size = find_size(found, size, own=True)
    if weights is None:
        trained = next(filter(own_schedule, workspace.runs(family=found.name, size=size, name=name, recipe=FP32, complete=True)), None)
        if trained is not None:
            return trained, read_checkpoint(trained.folder / WEIGHTS, found.name, size)
        weights = shipped_checkpoint(found.name, size)
    if weights is None and size == OWN:
        raise VcompressError(f"There is no imported {found.title} in the workspace {workspace.root}; make one with: vcompress import {found.name} CHECKPOINT.")
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
