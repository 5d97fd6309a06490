"""What `sensitivity` and `quantize --mixed` share: a run's vocoder in 8 bits everywhere, and the recordings that it is judged on."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import VcompressError
from .output import progress_bar
from .stages import CALIBRATION_SECONDS, Job, calibration_mels, relative, spread

if TYPE_CHECKING:
    from ..compress.bits import Bits
    from ..compress.folded import FoldedVocoder
    from ..compress.judge import Judge, Recording
    from ..compress.mixed import Goal
    from ..compress.ranking import Ranking
    from ..runtime.workspace import Run

JOURNAL = "sensitivity.jsonl"
CLIPS, SECONDS = 6, 2.0
REPEATED_CLIPS, REPEATED_SECONDS = 2, 1.0  # where a synthesis calls a network several times


@dataclass(frozen=True)
class Hearing:
    """On what damage is measured: `clips` of the training part, which are not those of the calibration, each cut to `seconds`.

    What is None becomes what takes minutes: less for a sampler that calls a network several times.
    """

    clips: int | None = None
    seconds: float | None = None

    def of(self, vocoder: "FoldedVocoder") -> "tuple[int, float]":
        """Clips and seconds for a vocoder."""
        from ..runtime.samplers import make_sampler

        repeated = max(make_sampler(vocoder.sampler, vocoder.front_end.hop_length).calls.values()) > 1
        clips, seconds = (REPEATED_CLIPS, REPEATED_SECONDS) if repeated else (CLIPS, SECONDS)
        return self.clips or clips, self.seconds or seconds


def recordings(job: Job, vocoder: "FoldedVocoder", hearing: Hearing) -> "list[Recording]":
    """The beginnings of clips spread over the training part; the held-out part stays unheard until `bench`."""
    from ..compress.judge import Recording
    from ..vocoders.corpus import read_recording

    front_end, (clips, seconds) = vocoder.front_end, hearing.of(vocoder)
    length = max(1, int(seconds * front_end.sample_rate) // front_end.hop_length) * front_end.hop_length / front_end.sample_rate
    heard = [read_recording(clip, front_end) for clip in spread(job.corpus().training, clips, between=True)]
    excerpts = [(front_end.excerpt(recording.waveform, length), recording.note) for recording in heard]
    return [Recording(front_end.condition(waveform, note), waveform) for waveform, note in excerpts]


def open_vocoder(run: "Run") -> "tuple[FoldedVocoder, Bits]":
    """The folded network of a run, and what is not 8 bits in it (in fp32: what static quantization would leave out)."""
    from ..compress.bits import Bits
    from ..compress.folded import FoldedVocoder
    from ..compress.source import FP32
    from ..vocoders.checkpoint import read_checkpoint
    from ..vocoders.trainer import WEIGHTS

    recipe = str(run.facts.get("recipe"))
    if not run.complete:
        raise VcompressError(f"The run {run.folder} is not finished; give its command again, and it goes on.")
    if recipe.startswith("folded_"):
        raise VcompressError(f"The run {run.folder} is what --fold-schedule made of {run.facts.get('source')}; name that one.")
    vocoder = FoldedVocoder.of(read_checkpoint(run.folder / WEIGHTS)) if recipe == FP32 else FoldedVocoder.read(run.folder)
    return vocoder, Bits.read(run.folder) or Bits.of(vocoder.family, vocoder.trained.config)


def judge_of(job: Job, run: "Run", vocoder: "FoldedVocoder", hearing: Hearing) -> "tuple[Judge, dict[str, Any]]":
    """A judge of the run's vocoder, every tensor in 8 bits and calibrated; a scale that the run has already stays. And the facts of it.

    What it measures is kept in the run, so that the same analysis goes on where it was stopped.
    """
    from ..benchmarks.metrics.spectral import log_mel_l1
    from ..compress.bits import Bits
    from ..compress.calibration import calibrate
    from ..compress.folded import WEIGHTS as FOLDED
    from ..compress.journal import Journal
    from ..compress.judge import Judge
    from ..compress.prepared import PreparedVocoder
    from ..compress.scale_table import ScaleTable
    from ..compress.static import SCALES
    from ..compress.units import Units
    from ..runtime.files import sha256
    from ..runtime.samplers import make_sampler
    from ..vocoders.trainer import WEIGHTS

    if vocoder.family.draws_samples:
        raise VcompressError(
            f"{vocoder.family.title} draws each sample given those before it, and one other draw makes another waveform, "
            "so no layer's damage can be heard in it; quantize it with vcompress quantize, quantize --dynamic or qat."
        )
    sampler = make_sampler(vocoder.sampler, vocoder.front_end.hop_length)
    prepared = PreparedVocoder(vocoder.family, vocoder.network, vocoder.trained.config, Bits.eight(vocoder.family, vocoder.trained.config))
    with progress_bar(f"Calibrating {run.facts['name']}") as progress:
        calibrate(prepared, sampler, calibration_mels(job, vocoder.trained), progress)
    scales = run.folder / SCALES
    if scales.is_file():
        ScaleTable.read(scales).apply_known(prepared.graphs.values())
    clips, seconds = hearing.of(vocoder)
    weights = next(path for path in (run.folder / FOLDED, run.folder / WEIGHTS) if path.is_file())
    used = {
        "run": relative(run.folder, job.workspace),
        **{fact: run.facts.get(fact) for fact in ("family", "size", "name", "recipe")},
        "weights": sha256(weights),
        "scales": sha256(scales) if scales.is_file() else None,
        "clips": [sha256(clip.path) for clip in spread(job.corpus().training, clips, between=True)],
        "seconds": seconds,
        "calibration": [sha256(clip.path) for clip in spread(job.corpus().training, job.calibration_clips)],
        "calibration_seconds": CALIBRATION_SECONDS,
    }
    heard = recordings(job, vocoder, hearing)
    journal = Journal(run.folder / JOURNAL, used)
    judge = Judge(Units(prepared), sampler, heard, vocoder.front_end.sample_rate, log_mel_l1, journal)
    return judge, {**used, "log_mel_l1_fp32": judge.log_mel_l1}


def ranking_of(judge: "Judge", bits: "Bits", facts: dict[str, Any], layers: bool = True, complement: bool = False) -> "Ranking":
    """The sensitivity of everything that a judge can quantize."""
    from ..compress.sensitivity import rank

    with progress_bar(f"Listening to {facts['name']}") as progress:
        return rank(judge, bits, facts, layers, complement, progress)


def quantize_mixed(job: Job, goal: "Goal | None" = None, hearing: Hearing = Hearing(), reuse: bool = False) -> "Run":
    """A finished run of recipe mixed_w8a8. `reuse`: an equal one that is there will do."""
    from ..compress.bits import Bits
    from ..compress.mixed import Goal
    from ..compress.mixing import quantize_mixed as make

    source, vocoder = job.start()
    goal, recipe = goal or Goal(), job.recipe("mixed").name
    request = {
        "source": relative(source.folder, job.workspace),
        "data": [str(folder) for folder in job.folders] or ["demo-corpus"],
        "calibration_clips": job.calibration_clips,
        "goal": asdict(goal),
        "hearing": asdict(hearing),
    }
    if reuse and (done := job.finished(recipe, **request)):
        return done
    judge, facts = judge_of(job, source, vocoder, hearing)
    bits = Bits.of(vocoder.family, vocoder.trained.config)
    ranking = ranking_of(judge, bits, facts, layers=False)
    mels = calibration_mels(job, vocoder.trained)
    with job.workspace.making(vocoder.trained.family, vocoder.trained.size, recipe, job.name or source.facts.get("name"), **request) as run:
        with progress_bar(f"Choosing bits of {run.facts['name']}") as progress:
            mixture = make(vocoder, mels, judge, ranking, goal, run.folder, progress)
        return run.update(complete=True, mixed=mixture.facts())


def mixed_summary(run: "Run") -> str:
    """What a mixed run chose, what that costs and what it reached: lines for the terminal."""
    facts = run.facts["mixed"]
    damage, int8, predicted = facts["damage"], facts["damage_int8"], facts["predicted"]
    slower, faster = predicted["seconds"] / predicted["seconds_int8"] - 1, predicted["seconds_float"] / predicted["seconds"]
    lines = [
        f"{facts['tensors']} tensors have 16 bits, {facts['float_layers']} layers stay float; "
        f"{facts['integer_layers']} of {facts['layers']} layers run in integers (the reasons are in bits.json).",
        f"Predicted: {slower:+.0%} time over 8 bits everywhere, {faster:.2f} times as fast as float.".replace("%", " %"),
        f"Reached: {_decibel(damage)} dB SNR and {damage['log_mel_l1']:+.1%} log-mel L1 "
        f"(8 bits everywhere: {_decibel(int8)} dB and {int8['log_mel_l1']:+.1%}).".replace("%", " %"),
    ]
    if not facts["met"] and run.facts["goal"]["slower"] is None:
        lines.append("The goal was not met by what was chosen; listen to more clips (--clips), or ask for more quality.")
    return "\n".join(lines)


def _decibel(damage: dict[str, Any]) -> str:
    return "infinite" if damage["snr"] is None else f"{damage['snr']:.1f}"
