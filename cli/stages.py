"""The steps of a compression, as `quantize`, `qat`, `export` and `run` share them. Torch is imported inside."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import VcompressError
from ..vocoders.plan import QAT_BATCH
from .accounting import accounted
from .output import progress_bar
from .resuming import resumable_run

if TYPE_CHECKING:
    from ..compress.folded import FoldedVocoder
    from ..compress.recipes import Recipe
    from ..export.c.program import TargetFacts
    from ..runtime.artifact import Artifact
    from ..runtime.workspace import Run, Workspace
    from ..vocoders.checkpoint import Checkpoint
    from ..vocoders.corpus import Clip, Corpus, Split
    from ..vocoders.plan import TrainingPlan

CALIBRATION_CLIPS = 8
CALIBRATION_SECONDS = 1.0


@dataclass
class Job:
    """One vocoder on its way through the stages. A `size` of None becomes that of the trained runs of `name`, else S.

    `beginning`: a finished run of `vcompress prune` (or its control) to start from, in place of trained weights.
    """

    workspace: "Workspace"
    family: str
    size: str | None
    folders: Sequence[Path]
    split: "Split"
    weights: Path | None = None
    name: str | None = None
    calibration_clips: int = CALIBRATION_CLIPS
    schedule: str | None = None
    power_of: str = ""
    beginning: Path | None = None
    _corpus: "Corpus | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        from ..vocoders.catalogue import check_entry

        family, size = check_entry(self.family, self.size)
        assert family is not None
        if self.beginning is not None:
            size = self._check_beginning(self.beginning, family, size)
        named = self.workspace.runs(family=family, name=self.name, recipe="fp32", complete=True) if self.name is not None else iter(())
        self.family, self.size = family, size or next((str(run.facts.get("size")) for run in named), "S")

    def _check_beginning(self, folder: Path, family: str, size: str | None) -> str:
        """The size of the run to start from."""
        from ..compress.recipes import find_recipe

        run = self.workspace.open_run(folder)
        recipe = find_recipe(str(run.facts.get("recipe")))
        if recipe.pruning is None or recipe.integer or recipe.folded or not run.complete:
            state = run.facts.get("recipe") if run.complete else "not finished"
            raise VcompressError(f"The run {folder} is {state}, not a finished pruned run in fp32; name one that vcompress prune printed.")
        if self.weights is not None or self.schedule is not None:
            raise VcompressError("A pruned run has its own weights and schedule; leave out --weights and --schedule, or --from.")
        if (run.facts.get("family"), run.facts.get("size")) != (family, size or run.facts.get("size")):
            raise VcompressError(f"The run {folder} is {run.facts.get('family')} {run.facts.get('size')}; give that family and size.")
        return str(run.facts["size"])

    def finished(self, recipe: str, **facts: Any) -> "Run | None":
        """The newest finished run of this vocoder and recipe with these facts."""
        return next(iter(self.workspace.runs(family=self.family, size=self.size, name=self.name, recipe=recipe, complete=True, **facts)), None)

    def corpus(self) -> "Corpus":
        """The corpus of the job's folders, or the demo corpus; read once."""
        from ..vocoders.corpus import read_corpus

        if self._corpus is None:
            self._corpus = read_corpus(self.folders or [demo_data(self.family)], self.split)
        return self._corpus

    def source(self) -> "tuple[Run, Checkpoint]":
        """The fp32 run to start from, and its checkpoint."""
        from ..compress.source import source_run

        assert self.size is not None
        return source_run(self.workspace, self.family, self.size, self.weights, self.name, self.schedule)

    def start(self) -> "tuple[Run, FoldedVocoder]":
        """The run to start from, pruned or not, and its folded network."""
        from ..compress.folded import FoldedVocoder

        if self.beginning is not None:
            return self.workspace.open_run(self.beginning), FoldedVocoder.read(self.beginning)
        run, checkpoint = self.source()
        return run, FoldedVocoder.of(checkpoint)

    def recipe(self, method: str) -> "Recipe":
        """The recipe of a method on what this job starts from. Raises VcompressError where that is the control of a pruning and the method no control."""
        from ..compress.recipes import Recipe, find_recipe

        begun = find_recipe(str(self.workspace.open_run(self.beginning).facts["recipe"])) if self.beginning else Recipe()
        if begun.control and method != "control":
            raise VcompressError(f"Nothing is pruned in the run {self.beginning}, a control; name the run that it is the control of.")
        return Recipe(method, pruning=begun.pruning)

    def of_control(self) -> "Job":
        """The job of this one's control: from the control of the pruned run. Raises VcompressError where that has not been trained."""
        from ..compress.recipes import Recipe

        pruning = self.recipe("control").pruning
        if self.beginning is None or pruning is None:
            return self
        facts = self.workspace.open_run(self.beginning).facts
        wanted = {key: facts.get(key) for key in ("family", "size", "name", "training")}
        control = next(self.workspace.runs(recipe=Recipe("untouched", pruning=pruning).name, complete=True, **wanted), None)
        if control is None:
            raise VcompressError(
                f"The control of the run {self.beginning} has not been trained; give its vcompress prune command again with --control, or --no-control here."
            )
        return replace(self, beginning=control.folder)


def demo_corpus() -> Path:
    """The demo corpus, spoken first where it is not there yet."""
    from ..vocoders.demo_corpus import make_demo_corpus

    with progress_bar("Speaking the demo corpus") as progress:
        return make_demo_corpus(progress=progress)


def demo_notes() -> Path:
    """The demo notes, computed first where they are not there yet."""
    from ..vocoders.demo_notes import make_demo_notes

    with progress_bar("Computing the demo notes") as progress:
        return make_demo_notes(progress=progress)


def demo_data(family: str) -> Path:
    """What a family is trained on where nothing else is said: speech, or notes."""
    from ..vocoders.registry import given_notes

    return demo_notes() if given_notes(family) else demo_corpus()


def calibration_mels(job: Job, checkpoint: "Checkpoint") -> list[Any]:
    """Mels of clips spread over the training part, each cut to one second; or whole notes."""
    from ..vocoders.corpus import read_recording

    front_end, found = checkpoint.front_end, []
    for clip in spread(job.corpus().training, job.calibration_clips):
        recording = read_recording(clip, front_end)
        found.append(front_end.condition(front_end.excerpt(recording.waveform, CALIBRATION_SECONDS), recording.note))
    return found


def spread(clips: "Sequence[Clip]", count: int, between: bool = False) -> "list[Clip]":
    """`count` clips spread evenly over those there are; `between`: half a step on, so that they are others."""
    count = min(count, len(clips))
    return [clips[(2 * index + between) * len(clips) // (2 * count)] for index in range(count)]


def quantize(job: Job, method: str, reuse: bool = False) -> "Run":
    """A finished run of a recipe that calibrates (static, symmetric), or of dynamic_w8. `reuse`: an equal one that is there will do."""
    from ..compress.bits import Bits
    from ..compress.static import quantize_static

    source, vocoder = job.start()
    recipe = job.recipe(method).name
    request = {"source": relative(source.folder, job.workspace), "data": _names(job), "calibration_clips": job.calibration_clips}
    if reuse and (done := job.finished(recipe, **request)):
        return done
    trained, calibrated = vocoder.trained, job.recipe(method).calibrated
    bits = Bits.of(vocoder.family, trained.config, symmetric=True) if method == "symmetric" else None
    mels = calibration_mels(job, trained) if calibrated else []
    with job.workspace.making(trained.family, trained.size, recipe, job.name or source.facts.get("name"), **request) as run:
        if calibrated:
            with progress_bar(f"Calibrating {run.facts['name']}") as progress:
                quantize_static(vocoder, mels, run.folder, progress, bits)
        else:
            vocoder.save(run.folder)
        return run.update(complete=True)


def qat_plan(family: str, steps: int, learning_rate: float, batch_size: int | None, seed: int, accelerator: str = "auto") -> "TrainingPlan":
    """The family's plan as QAT and its control use it: small batches, for a CPU, and a low rate that decays."""
    from ..vocoders.registry import find_family

    every = min(steps, max(5, min(100, steps // 10)))
    plan = replace(find_family(family).plan, steps=steps, learning_rate=learning_rate, batch_size=batch_size or QAT_BATCH, every=every)
    return replace(plan, warmup=min(50, steps // 10), seed=seed, accelerator=accelerator)


def fine_tune(job: Job, recipe: "Recipe", plan: "TrainingPlan", fresh: bool = False, reuse: bool = False) -> "Run":
    """A run of a recipe that is trained: QAT, pruning, or a control; unfinished (`complete` False) after Ctrl-C. `reuse`: an equal finished run will do.

    `job` starts from the run of the recipe's source.
    """
    from ..compress.pruning import begin
    from ..compress.qat import FineTuning
    from ..compress.qat import fine_tune as tune
    from ..vocoders.progress import TrainingProgress
    from ..vocoders.registry import find_family
    from ..vocoders.segments import Segments
    from ..vocoders.trainer import read_clips, restore_adversary

    source, vocoder = job.start()
    trained = vocoder.trained
    adversary = restore_adversary(trained, _trained_in(job, source))
    objective = "adversarial" if adversary else find_family(trained.family).objective_name
    request = {
        "plan": {**asdict(plan), "time": plan.time if isfinite(plan.time) else None},
        "data": _names(job),
        "split": asdict(job.split),
        "source": relative(source.folder, job.workspace),
        "calibration_clips": job.calibration_clips,
        "objective": objective,
    }
    if reuse and (done := job.finished(recipe.name, training=request)):
        return done
    vocoder, keepers = begin(vocoder, recipe)
    with resumable_run(job.workspace, trained.family, trained.size, recipe.name, job.name or source.facts.get("name"), request, fresh) as run:
        from rich.console import Console

        console = Console(stderr=True)
        parts = [read_clips(part, trained.front_end, "Reading the corpus", console) for part in (job.corpus().training, job.corpus().validation)]
        training, validation = (Segments.of(part, trained.front_end, plan.frames) for part in parts)
        tuning = FineTuning(plan, training, validation, calibration_mels(job, trained), adversary)
        title = f"{run.facts['name']} {recipe.name}"
        with accounted(run, plan, job.power_of):
            result = tune(vocoder, tuning, recipe.method == "qat", run.folder, (*keepers, TrainingProgress(title, console)))
        facts = {"steps": result.steps, "seconds": round(result.seconds, 1), "validation_loss": result.validation_loss}
        return job.workspace.open_run(run.folder).update(complete=result.complete, **facts)


def train_arms(job: Job, recipe: "Recipe", plan: "TrainingPlan", control: bool, fresh: bool = False) -> "list[Run]":
    """A recipe that is trained, and before it its control; what was trained already is used again, unless `fresh`. The last is unfinished after Ctrl-C.

    Raises VcompressError for a vocoder with nothing to prune, before a control is trained for it.
    """
    from ..compress.pruning import begin

    if recipe == recipe.source:
        begin(job.start()[1], recipe)
    runs = []
    for one, of in ((recipe.its_control, job.of_control), (recipe, lambda: job))[0 if control else 1 :]:
        runs.append(fine_tune(of(), one, plan, fresh, reuse=not fresh))
        if not runs[-1].complete:
            break
    return runs


def _trained_in(job: Job, source: "Run") -> Path:
    """The folder of the training that may have left discriminators: for a pruned run, that of what was pruned."""
    return source.folder if job.beginning is None else job.workspace.root / str(source.facts["training"]["source"])


def export(
    workspace: "Workspace", run: "Run", fold_schedule: bool = False, formats: Sequence[str] = ("onnx",), target: "TargetFacts | None" = None
) -> "Artifact":
    """The artifact of a finished run; with the schedule folded, as a run of its own. `formats`: see `export/formats.py`; `target`: what C is for.

    Formats that the run's artifact already has are made again.
    """
    from ..compress.bits import Bits
    from ..compress.folded import FoldedVocoder
    from ..compress.recipes import find_recipe
    from ..compress.scale_table import ScaleTable
    from ..compress.source import FP32
    from ..compress.static import SCALES
    from ..export.artifact_writer import write_artifact
    from ..export.formats import kept
    from ..vocoders.checkpoint import read_checkpoint
    from ..vocoders.trainer import WEIGHTS

    facts = run.facts
    recipe = find_recipe(str(facts.get("recipe")))
    if not facts.get("complete"):
        raise VcompressError(f"The run {run.folder} is not finished; give its command again, and it goes on.")
    if recipe.folded:
        raise VcompressError(f"The run {run.folder} is what --fold-schedule made of {facts.get('source')}; export that one.")
    vocoder = FoldedVocoder.of(read_checkpoint(run.folder / WEIGHTS)) if facts["recipe"] == FP32 else FoldedVocoder.read(run.folder)
    table, bits = ScaleTable.read(run.folder / SCALES) if recipe.calibrated else None, Bits.read(run.folder)

    def write(recipe: "Recipe", run: "Run") -> "Artifact":
        wanted, meant = kept(run.artifact, formats, target)
        with progress_bar(f"Exporting {facts['name']} {recipe.name}") as progress:
            return write_artifact(vocoder, recipe, str(facts["name"]), run.artifact, table, progress, bits, wanted, meant)

    if not fold_schedule:
        return write(recipe, run)
    vocoder.with_schedule_folded()  # says so where there is no schedule, before a run is made
    recipe = replace(recipe, folded=True)
    with workspace.making(facts["family"], facts["size"], recipe.name, facts["name"], source=relative(run.folder, workspace)) as folded:
        artifact = write(recipe, folded)
        folded.update(complete=True)
        return artifact


def _names(job: Job) -> list[str]:
    from ..vocoders.registry import given_notes

    return [str(folder) for folder in job.folders] or ["demo-notes" if given_notes(job.family) else "demo-corpus"]


def relative(folder: Path, workspace: "Workspace") -> str:
    """A run's folder as other runs name it."""
    return folder.relative_to(workspace.root).as_posix()


def summary(artifact: "Artifact") -> str:
    """What became of the layers, which kernels run them, and what the file holds: lines for the terminal."""
    from ..compress.recipes import find_recipe

    manifest = artifact.manifest
    lines = []
    for name, graph in manifest.graphs.items():
        integer = sum(count for kernel, count in graph.kernels.items() if kernel in ("QLinearConv", "ConvInteger", "MatMulInteger"))
        convolutions = integer + sum(graph.kernels.get(kernel, 0) for kernel in ("Conv", "FusedConv"))
        size = graph.bytes
        lines.append(
            f"{name}: {integer} of {convolutions} convolutions run as integer kernels; "
            f"{size['file'] / 1e6:.3f} MB = weights {size['weights'] / 1e6:.3f} + scales {size['scales'] / 1e6:.3f} + "
            f"biases {size['biases'] / 1e6:.3f} + graph {size['graph'] / 1e6:.3f}"
        )
    if find_recipe(manifest.recipe).integer:
        lines += [f"{row.graph}: {row.name} is {row.precision}: {row.reason}" for row in manifest.layers if row.reason]
    return "\n".join(lines)
