"""The bench: every figure of every artifact, each written as a record as soon as it is known, none measured twice."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from ..errors import VcompressError
from ..runtime.artifact import Artifact
from ..runtime.notes import NoteFrontEnd
from ..vocoders.corpus import Clip
from .figure import Figure, Planned, absent
from .records import Record, append_record, read_records
from .references import References, heard_by, read_references, write_clips
from .subject import BenchSettings, Subject, pair_with_fp32
from .utterances import Utterances

# What a bench can measure: each is a file here with `plan(subject) -> Iterator[Planned]`, in the order of measuring
FAMILIES = ("size", "flops", "rtf", "efficiency", "speedup", "memory", "energy", "training", "quality")
UNLESS_ASKED = ("speedup",)  # takes as long as all the rest
AUDIO = "audio"

# (figures done, figures in all, which one, its record): before a figure is taken with None, after it with the record, None again where it stood
Progress = Callable[[int, int, str, Record | None], None]


def bench(
    artifacts: Sequence[Artifact],
    clips: Sequence[Clip],
    settings: BenchSettings,
    records: Path,
    progress: Progress | None = None,
    again: bool = False,
) -> list[Record]:
    """Measure the artifacts and append what is new to `records`; gives every standing record of these artifacts' figures, old and new.

    A figure that stands is not taken again unless `again`, or its method has changed (such as the fp32 it is compared with); one that
    could not be tried before is tried as soon as it can be. Audio goes beside the records: audio/<artifact identity>/<clip>.wav and
    audio/reference-<hash>/<clip>.wav. Without clips there is no quality, and no protocol. Raises VcompressError for an unknown family, unreadable clips,
    an artifact that does not run, or a workspace that cannot be written.
    """
    families = chosen_families(settings)
    subjects = _subjects(artifacts, clips if "quality" in families or settings.protocol else (), settings, records.parent / AUDIO)
    return measure(subjects, families, records, progress, again)


def measure(subjects: Sequence[Subject], families: Sequence[str], records: Path, progress: Progress | None = None, again: bool = False) -> list[Record]:
    """As `bench`, of subjects that are ready."""
    todo = [(subject, planned) for subject in subjects for family in families for planned in _plan(family, subject)]
    standing = {record.key: record for record in read_records(records)}
    found: list[Record] = []
    for index, (subject, planned) in enumerate(todo):
        blank = _record(subject, planned, absent("not taken yet"), subject.machine)
        old, new, name = standing.get(blank.key), None, f"{blank.name} {blank.recipe}: {blank.metric}"
        if old is None or again or _outdated(old, planned):
            if progress is not None:
                progress(index, len(todo), name, None)
            new = _take(subject, planned)
            append_record(records, new)
        standing[blank.key] = new or old or blank
        found.append(standing[blank.key])
        if progress is not None:
            progress(index + 1, len(todo), name, new)
        _release(subjects, [later for later, _ in todo[index + 1 :]])
    return found


def chosen_families(settings: BenchSettings) -> tuple[str, ...]:
    """The families to measure, in order. Raises VcompressError for an unknown one."""
    if settings.families is None:
        return tuple(family for family in FAMILIES if family not in UNLESS_ASKED)
    for family in settings.families:
        if family not in FAMILIES:
            raise VcompressError(f"A bench cannot measure {family!r}; choose of {', '.join(FAMILIES)}.")
    return tuple(family for family in FAMILIES if family in settings.families)


def _subjects(artifacts: Sequence[Artifact], clips: Sequence[Clip], settings: BenchSettings, audio: Path) -> list[Subject]:
    pairs = zip(artifacts, references_of(artifacts, clips), strict=True)
    subjects = [Subject(artifact, settings, references, folder=audio) for artifact, references in pairs]
    for subject in subjects if settings.protocol else ():
        subject.utterances = Utterances.of_protocol(settings.protocol, subject.references, subject.artifact.manifest.front_end)
    pair_with_fp32(subjects)
    return subjects


def references_of(artifacts: Sequence[Artifact], clips: Sequence[Clip]) -> list[References | None]:
    """What each artifact's front end heard of the clips, read once for each front end; None without clips."""
    read: dict[object, References] = {}
    found = []
    for artifact in artifacts:
        front_end = artifact.manifest.front_end
        heard = (isinstance(front_end, NoteFrontEnd), front_end.sample_rate, front_end.hop_length, front_end.level_db, front_end.peak)
        suited = heard_by(front_end, clips)
        if suited and heard not in read:
            read[heard] = read_references(suited, front_end)
        found.append(read.get(heard))
    return found


def _plan(family: str, subject: Subject) -> Sequence[Planned]:
    return list(import_module(f".{family}", __package__).plan(subject))


def _outdated(old: Record, planned: Planned) -> bool:
    """Whether a standing record has to be taken again: a value by another method, or an absence whose reason is gone or new."""
    if old.value is None and old.repeats == 0:
        return old.reason != planned.missing
    return old.method != planned.method and not planned.missing


def _take(subject: Subject, planned: Planned) -> Record:
    if planned.missing:
        return _record(subject, planned, absent(planned.missing), subject.machine)
    figure = planned.measure()
    if planned.clips:
        _keep_audio(subject)
    return _record(subject, planned, figure, {**subject.environment, **figure.environment})


def _release(subjects: Sequence[Subject], later: Sequence[Subject]) -> None:
    """Forget the sessions and outputs that nothing after this needs."""
    needed = {id(owner) for subject in later for owner in (subject, subject.fp32)}
    for subject in subjects:
        if id(subject) not in needed:
            subject.release()


def _record(subject: Subject, planned: Planned, figure: Figure, known: dict[str, str]) -> Record:
    manifest, settings = subject.artifact.manifest, subject.settings
    return Record(
        artifact=subject.artifact.identity,
        name=manifest.name,
        family=manifest.family,
        size=manifest.size,
        recipe=manifest.recipe,
        backend=settings.backend,
        target=settings.target,
        metric=planned.metric,
        value=figure.value,
        unit=planned.unit,
        known=planned.known,
        reason=figure.reason,
        method=planned.method,
        repeats=figure.repeats,
        window=planned.window,
        spread=figure.spread,
        clips=planned.clips,
        settings=planned.settings,
        samples=figure.samples,
        environment=known,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _keep_audio(subject: Subject) -> None:
    """Write the outputs once a bench, and the recordings once."""
    references, folder = subject.references, subject.folder
    assert references is not None and folder is not None
    if not subject.kept:
        write_clips(folder / subject.artifact.identity, references.names, subject.outputs, references.sample_rate)
        subject.kept = True
    originals = folder / f"reference-{references.identity}"
    if not all((originals / f"{name}.wav").is_file() for name in references.names):
        write_clips(originals, references.names, references.waveforms, references.sample_rate)
