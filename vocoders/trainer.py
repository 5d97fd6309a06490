"""From folders of recordings to trained weights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from ..errors import VcompressError
from ..runtime.front_ends import AnyFrontEnd, of_mels
from ..runtime.mel import FrontEnd
from .adversarial import AdversarialTraining, Adversary
from .checkpoint import Checkpoint, TrainingFacts, new_checkpoint, read_checkpoint, read_discriminators, save_checkpoint, shipped_checkpoint
from .corpus import Clip, Corpus, Recording, Split, fit_normalisation, read_corpus, read_recording
from .family import Family
from .keeper import LAST
from .plan import TrainingPlan
from .progress import TrainingProgress
from .registry import find_family, find_size
from .segments import Segments
from .training import Training, train, validation_batches

WEIGHTS = "weights.safetensors"
SHIPPED = "shipped"
LEVEL_DB = -20.0
RATES = (8000, 48000)  # Hz, the least and the most: below is no speech, above nothing that is heard


@dataclass(frozen=True)
class Trained:
    """What came of a training: the weights' file, whether the budget was used to its end, and the facts."""

    path: Path
    complete: bool
    training: TrainingFacts


def default_plan(family: Family, adversarial: bool = False) -> TrainingPlan:
    """The family's plan for a recipe, without a budget. Raises VcompressError when the family has no discriminators."""
    if not adversarial:
        return family.plan
    if family.adversarial_plan is None:
        raise VcompressError(f"{family.title} has no discriminators: its own objective is the one of --quick; leave out --adversarial.")
    return family.adversarial_plan


def train_vocoder(
    family_name: str,
    size: str,
    data: Iterable[str | Path],
    folder: str | Path,
    plan: TrainingPlan,
    split: Split | None = None,
    adversarial: bool = False,
    start: str | Path | None = None,
    level_db: float | None = LEVEL_DB,
    console: Console | None = None,
    sample_rate: int | None = None,
) -> Trained:
    """Train one vocoder on folders of recordings, in `folder`, and write its folded weights there.

    Goes on from the folder's `last.ckpt` when one is there. `start` is a checkpoint whose weights (and discriminators, where
    it has them) and front end are taken over, or "shipped". Ctrl-C and SIGTERM leave a run that can go on, and weights.
    Normalisation is fitted to the training part alone; which notes there are, the whole corpus tells. `sample_rate`: in Hz, 16000 where none is given,
    or that of `start`; recordings are resampled.
    Raises VcompressError for whatever is wrong with data or checkpoint.
    """
    family, folder, folders = find_family(family_name), Path(folder), [Path(d) for d in data]
    size, console = find_size(family, size), console or Console(stderr=True)
    default_plan(family, adversarial)
    before = _start(family, size, start)
    check_rate(family, size, sample_rate, before)
    corpus = read_corpus(folders, split)
    front_end = before.front_end if before else _front_end(family, size, corpus, level_db, sample_rate)
    training_part = read_clips(corpus.training, front_end, "Reading the training part", console)
    validation_part = read_clips(corpus.validation, front_end, "Reading the validation part", console)
    if before is None and isinstance(front_end, FrontEnd):
        front_end = fit_normalisation(front_end, [recording.waveform for recording in training_part])
    facts = before.training if before else TrainingFacts()
    names = tuple(dict.fromkeys((*facts.data, *(d.resolve().name for d in folders))))
    facts = replace(facts, data=names, objective="adversarial" if adversarial else family.objective_name, seed=plan.seed)
    makes = replace(before, training=facts, weights={}) if before else new_checkpoint(family, size, front_end, facts)
    training = _make_training(family, makes, before, start, plan, adversarial, Segments.of(validation_part, front_end, plan.frames))
    complete = train(training, Segments.of(training_part, front_end, plan.frames), folder, TrainingProgress(f"{family.title} {size}", console))
    trained = training.trained()
    return Trained(save_checkpoint(folder / WEIGHTS, trained), complete, trained.training)


def check_rate(family: Family, size: str, sample_rate: int | None, before: Checkpoint | None = None) -> None:
    """Raises VcompressError where a size cannot be trained at that rate, in Hz, or on from those weights."""
    own = (before.front_end if before else family.front_end(family.sizes[size])) if sample_rate is not None else None
    if own is None or own.sample_rate == sample_rate:
        return
    if before is not None:
        raise VcompressError(f"The weights to start from are of {own.sample_rate} Hz; leave out --sample-rate, or train from nothing.")
    if not isinstance(own, FrontEnd):
        raise VcompressError(f"{family.title} is given notes, whose data set is of {own.sample_rate} Hz; leave out --sample-rate.")
    if sample_rate is None or not RATES[0] <= sample_rate <= RATES[1]:
        raise VcompressError(f"A vocoder cannot be trained at {sample_rate} Hz; choose a --sample-rate from {RATES[0]} to {RATES[1]}.")


def _front_end(family: Family, size: str, corpus: Corpus, level_db: float | None, sample_rate: int | None) -> AnyFrontEnd:
    """The family's front end as a corpus is heard with it: at a level and a rate, or with the notes that it knows."""
    front_end = family.front_end(family.sizes[size])
    if isinstance(front_end, FrontEnd):
        return replace(front_end.at_rate(sample_rate or front_end.sample_rate), level_db=level_db)
    return front_end.knowing(clip.note for clip in (*corpus.training, *corpus.validation) if clip.note is not None)


def _start(family: Family, size: str, start: str | Path | None) -> Checkpoint | None:
    if start is None:
        return None
    path = shipped_checkpoint(family.name, size) if str(start) == SHIPPED else Path(start)
    if path is None:
        raise VcompressError(f"No trained weights of {family.title} {size} come with vcompress; name a checkpoint, or train from nothing.")
    return read_checkpoint(path, family.name, size)


def _make_training(
    family: Family, makes: Checkpoint, before: Checkpoint | None, start: str | Path | None, plan: TrainingPlan, adversarial: bool, validation: Segments
) -> Training:
    torch.manual_seed(plan.seed)
    network = before.build().train() if before else family.network(makes.config)
    objective, batches = makes.objective(), validation_batches(validation, plan)
    if not adversarial or family.adversary is None:
        if family.training is not None and before is None:  # what goes on from trained weights has its stages behind it
            return family.training(network, objective, plan, batches, makes)
        return Training(network, objective, plan, batches, makes)
    adversary = family.adversary(makes.config, of_mels(makes.front_end, "An adversary"))
    if start is not None and str(start) != SHIPPED:
        _load_discriminators(adversary, Path(start), makes)
    return AdversarialTraining(network, adversary, objective, plan, batches, makes)


def restore_adversary(checkpoint: Checkpoint, folder: Path) -> Adversary | None:
    """The discriminators in the `last.ckpt` of a training run's folder, where that training had any."""
    family = find_family(checkpoint.family)
    if family.adversary is None or not (folder / LAST).is_file():
        return None
    adversary = family.adversary(checkpoint.config, of_mels(checkpoint.front_end, "An adversary"))
    return adversary if _load_discriminators(adversary, folder / LAST, checkpoint) else None


def _load_discriminators(adversary: Adversary, path: Path, checkpoint: Checkpoint) -> bool:
    """Whether the file had discriminators. Raises VcompressError when they are those of another training."""
    discriminators = read_discriminators(path)
    if discriminators:
        try:
            adversary.load_state_dict(discriminators)
        except RuntimeError:
            title = f"{find_family(checkpoint.family).title} {checkpoint.size}"
            raise VcompressError(f"{path} holds other discriminators than {title} has; give a checkpoint of the same training.") from None
    return bool(discriminators)


def read_clips(clips: Sequence[Clip], front_end: AnyFrontEnd, title: str, console: Console) -> list[Recording]:
    """The clips that can be used; each that cannot is named. Raises VcompressError when none can."""
    recordings, failures = [], []
    for clip in track(clips, title, console=console, transient=True, disable=not console.is_terminal):
        try:
            recordings.append(read_recording(clip, front_end))
        except VcompressError as error:
            failures.append(str(error))
            console.print(f"Left out: {error}", markup=False, highlight=False, soft_wrap=True)
    if not recordings:
        raise VcompressError(failures[0])
    return recordings
