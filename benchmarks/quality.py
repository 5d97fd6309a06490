"""Quality on the reference clips: every metric of the registry, and the SNR against the fp32 output with the same noise."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from ..runtime.notes import NoteFrontEnd
from .figure import Figure, Planned, absent
from .metrics import METRICS, SNR, Metric, SetMetric
from .references import RATE, References
from .subject import Subject, fp32_recipe

NOT_SPEECH = "it judges speech, and this vocoder plays notes"


def plan(subject: Subject) -> Iterator[Planned]:
    """Every metric, `snr_fp32`, and for diffusion `snr_step_<n>`; nothing where no clips were given."""
    references, seed = subject.references, {"seed": subject.settings.seed}
    if references is None:
        return
    for metric in METRICS.values():
        measure = partial(against_recordings, subject, references, metric)
        missing = NOT_SPEECH if metric.speech and isinstance(subject.artifact.manifest.front_end, NoteFrontEnd) else metric.missing
        yield Planned(metric.name, metric.unit, metric.method, measure, seed, references.identity, missing=missing)
    reason = no_fp32(subject)
    against = f"; fp32 is {subject.fp32.artifact.identity}" if subject.fp32 and not reason else ""
    yield Planned(SNR.name, SNR.unit, SNR.method + against, partial(against_fp32, subject, references, -1), seed, references.identity, missing=reason)
    if subject.fp32 is subject:
        return
    for step in reversed(range(subject.steps)):
        method = f"as snr_fp32, of the state that is fed back after step {step}{against}"
        measure = partial(against_fp32, subject, references, step)
        yield Planned(f"snr_step_{step}", SNR.unit, method, measure, seed, references.identity, missing=reason)


def against_recordings(subject: Subject, references: References, metric: Metric | SetMetric) -> Figure:
    """A figure of the outputs against the recordings, both at 16 kHz."""
    for name, output in zip(references.names, subject.outputs, strict=True):
        if not np.isfinite(output).all():
            return absent(f"the output for clip {name} holds NaN or infinite values", len(references.names))
    return metric.figure(references.judged, subject.judged, RATE, references.names)


def against_fp32(subject: Subject, references: References, step: int) -> Figure:
    """SNR of the waveform after a step (-1: the finished one), at the vocoder's rate, against the fp32 trajectory with the same noise."""
    assert subject.fp32 is not None
    own, fp32 = ([steps[step] for steps in s.trajectories] for s in (subject, subject.fp32))
    return SNR.figure(fp32, own, references.sample_rate, references.names)


def no_fp32(subject: Subject) -> str:
    """Why there is no fp32 output to compare with; "" when there is."""
    manifest = subject.artifact.manifest
    recipe = fp32_recipe(manifest.recipe)
    if subject.fp32 is subject:
        return "this is the fp32 output that the others are compared with"
    if subject.fp32 is None:
        return f"no {recipe} artifact of {manifest.name} was benchmarked together with this one"
    other = subject.fp32.artifact.manifest
    if (other.sampler, other.front_end) != (manifest.sampler, manifest.front_end):
        return f"the {recipe} artifact of {manifest.name} has another sampler or front end, so its output is of another noise or input"
    return ""
