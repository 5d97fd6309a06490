"""The bench of artifacts on a board: figures of time and memory are taken there, size, operations and quality here, of what comes back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from ...runtime.backends import default_backend, threads_of
from ...targets.board import label_of
from ...targets.profile import Profile, built_in, find_profile
from ...vocoders.corpus import Clip
from ..bench import AUDIO, Progress, chosen_families, measure, references_of
from ..environment import environment
from ..records import Record, append_record, read_records
from ..subject import BenchSettings, Subject, pair_with_fp32
from .answers import Asked, count_of, environment_of, longest_line, text_of, waveform_of
from .board import Board, Here, Say, environment_name
from .bundle import Item, artifact_item, code_item, mels_item

HERE = ("size", "flops", "training", "quality")  # families that need the graphs, the run or the audio, not the board
# back end -> what it runs where that is not ONNX
FORMATS = {"litert": "tflite", "tflite_runtime": "tflite", "c": "c", "loop": "loop", "onnx-loop": "onnx-loop"}
JUDGES = ("soxr", "pesq", "pystoi", "speechmos", "onnx")  # packages of this machine that bear on them


@dataclass
class Bench:
    """A board that has all it needs: `machine` is its environment; `code` and `packed`: the package, and each artifact by identity."""

    board: Board
    here: Here
    code: Item
    packed: Mapping[str, Item]
    settings: BenchSettings
    machine: dict[str, str] = field(default_factory=dict)

    def figures(self, artifacts: Sequence[Artifact], families: Sequence[str], records: Path, progress: Progress, again: bool) -> list[Record]:
        """Take figures there; each is appended to `records` when it comes, unless it stands there as it is."""
        settings = {**asdict(self.settings), "families": list(families)}
        job = {"do": "figures", "artifacts": [self.packed[a.identity].name for a in artifacts], "settings": settings, "again": again}
        asked = Asked(self.board.name, {a.identity: a.manifest for a in artifacts}, self.settings.backend, self.settings.target)
        standing = {record.key: record for record in read_records(records)}
        found: dict[str, Record] = {}
        for document in self.board.work(self.here, self.code, self.settings.backend, job):
            done, total = count_of(document, "done"), count_of(document, "total")
            if document["kind"] == "machine":
                self.machine.update(environment_of(document, self.board.name))
            elif document["kind"] == "progress":
                progress(done, total, text_of(document, "what", 80), None)
            elif document["kind"] == "record":
                record = asked.record(document, self.machine, datetime.now(UTC).isoformat(timespec="seconds"))
                old = standing.get(record.key)
                if old is not None and replace(record, time=old.time) == old:
                    record = old
                else:
                    append_record(records, record)
                    progress(done, total, f"{record.name} {record.recipe}: {record.metric}", record)
                standing[record.key] = found[record.key] = record
        return list(found.values())

    def waveforms(self, artifact: Artifact, mels: Sequence[np.ndarray], progress: Callable[[int, int], None]) -> list[np.ndarray]:
        """What the board makes of the mels: float32 (hop_length * F,) each; clip i draws its noise with seed + i."""
        item, lengths = mels_item(mels), [mel.shape[1] * artifact.manifest.front_end.hop_length for mel in mels]
        if item.name not in self.board.look([item]).held:
            self.board.send([item], lambda done, total: None)
        settings = self.settings
        job = {"do": "audio", "artifact": self.packed[artifact.identity].name, "mels": item.name, "count": len(mels)}
        job |= {"backend": settings.backend, "threads": settings.threads[0], "seed": settings.seed}
        found: dict[int, np.ndarray] = {}
        for document in self.board.work(self.here, self.code, settings.backend, job, longest_line(max(lengths))):
            if document["kind"] == "audio" and (clip := count_of(document, "clip")) < len(mels):
                found[clip] = waveform_of(document, lengths[clip], self.board.name)
                progress(len(found), len(mels))
        if len(found) < len(mels):
            raise VcompressError(f"{self.board.name} made {len(found)} of {len(mels)} clips; give the same command to go on.")
        return [found[clip] for clip in range(len(mels))]


@dataclass
class BoardSubject(Subject):
    """An artifact whose outputs are made on a board: they are fetched when first asked for. Between the steps nothing comes back."""

    bench: Bench | None = None
    heard: Callable[[int, int], None] = lambda done, total: None

    @property
    def machine(self) -> dict[str, str]:
        """The board's environment: what is judged here has been made there."""
        assert self.bench is not None
        return self.bench.machine

    @property
    def environment(self) -> dict[str, str]:
        """The board's, with what judges here."""
        desk = environment()
        return {**{name: desk[name] for name in JUDGES if name in desk}, "judged_on": desk["machine"], **self.machine}

    @property
    def steps(self) -> int:
        """None that could be compared."""
        return 0

    @cached_property
    def trajectories(self) -> list[dict[int, np.ndarray]]:
        """For each clip the finished output alone, as key -1."""
        assert self.bench is not None and self.references is not None
        mels = self.references.conditions(self.artifact.manifest.front_end)
        return [{-1: waveform} for waveform in self.bench.waveforms(self.artifact, mels, self.heard)]


@dataclass(frozen=True)
class Wish:
    """What a board should be measured as, and with. backend, threads: None for those that suit it."""

    profile: Profile
    another_machine: bool = False
    backend: str | None = None
    threads: tuple[int, ...] | None = None


def bench_on_board(
    board: Board,
    artifacts: Sequence[Artifact],
    clips: Sequence[Clip],
    settings: BenchSettings,
    wish: Wish,
    say: Say,
    records: Path,
    progress: Progress,
    again: bool = False,
) -> list[Record]:
    """Measure artifacts on a board and append what is new to `records`; gives every standing record of these figures.

    What a connection that broke off had brought is kept, and the same call goes on. Raises VcompressError where the board is not what the profile
    describes, cannot be reached, or answers what it was not asked.
    """
    if settings.protocol:
        raise VcompressError(f"The recordings of --protocol {settings.protocol} do not go to a --host; start the bench on the board itself, with --data.")
    families = chosen_families(settings)
    bench = prepare(board, artifacts, settings, wish, say, lambda done, total: progress(done, total, "Sending", None))
    found = bench.figures(artifacts, [family for family in families if family not in HERE], records, progress, again)
    chosen = clips if "quality" in families else ()
    subjects: list[Subject] = []
    for artifact, references in zip(artifacts, references_of(artifacts, chosen), strict=True):
        folder = records.parent / AUDIO
        subject = BoardSubject(artifact, bench.settings, references, folder=folder, kept=(folder / artifact.identity).is_dir(), bench=bench)
        name = f"{artifact.manifest.name} {artifact.manifest.recipe}: clips"
        subject.heard = lambda done, total, name=name: progress(done, total, name, None)  # type: ignore[misc]
        subjects.append(subject)
    pair_with_fp32(subjects)
    return [*found, *measure(subjects, [family for family in families if family in HERE], records, progress, again)]


def prepare(
    board: Board, artifacts: Sequence[Artifact], settings: BenchSettings, wish: Wish, say: Say, sending: Callable[[int, int], None] = lambda done, total: None
) -> Bench:
    """A board with package, artifacts and environment, each sent or made where it is not there yet; told by `say`, and `sending` in bytes."""
    code, packed = code_item(), {artifact.identity: artifact_item(artifact) for artifact in artifacts}
    items = [code, *packed.values()]
    here = board.look(items)
    try:
        label = label_of(wish.profile, here.model, wish.another_machine)
    except VcompressError as error:
        raise VcompressError(f"{board.name}: {error}") from None
    backend = wish.backend or default_backend(here.machine, here.bits)
    check_formats(artifacts, backend, board.name)
    threads = wish.threads or threads_of(backend, here.cores)
    python = board.python or environment_name(backend)
    say(f"{board.name} is a {here.model or 'machine without a name'} ({here.machine}, {here.cores} cores, Python {here.python}); measured with {backend}.")
    if missing := [item for item in items if item.name not in here.held]:
        size = sum(len(content) if isinstance(content, bytes) else content.stat().st_size for item in missing for content in item.files.values())
        if size > here.free:
            raise VcompressError(f"{board.name} has {here.free / 1e6:.0f} MB of disk left, and {size / 1e6:.0f} MB have to go there; free some.")
        say(f"Sending {size / 1e6:.1f} MB.")
        board.send(missing, sending)
    if python != board.python and python not in here.made:
        say("Making a Python environment there; this is done once.")
        board.make_environment(backend, say)
    power = settings.power_of or (label if label in built_in() and find_profile(label) == wish.profile else "")
    return Bench(board, here, code, packed, replace(settings, backend=backend, threads=threads, target=label, power_of=power))


def check_formats(artifacts: Sequence[Artifact], backend: str, board: str) -> None:
    """Raises VcompressError where an artifact lacks the files that the back end runs, before anything is sent."""
    form = FORMATS.get(backend)
    for artifact in artifacts:
        if form is not None and form not in artifact.manifest.derived:
            raise VcompressError(
                f"{artifact.folder} holds no {form} files, which {backend} on {board} runs; "
                f"export its run again with: vcompress export RUN --format {form}, or choose another --backend."
            )
