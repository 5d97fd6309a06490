"""`vcompress synth`: hear an artifact."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import VcompressError
from .options import ArtifactArgument, BackendOption, JsonOption, SeedOption, ThreadsOption
from .output import print_json

if TYPE_CHECKING:
    import numpy as np

    from ..runtime.front_ends import AnyFrontEnd

InputArgument = Annotated[
    Path | None, typer.Argument(metavar="[INPUT]", help="Speech (.wav, .flac), or a saved mel (.npy, .npz). SING takes a note instead.", show_default=False)
]
OutOption = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the waveform goes: .wav or .flac.")]

InstrumentOption = Annotated[str | None, typer.Option("--instrument", metavar="NUMBER|NAME", help="Notes: what plays it.", show_default=False)]
PitchOption = Annotated[int | None, typer.Option("--pitch", metavar="N", help="Notes: as in MIDI, 60 is middle C.", show_default=False)]
VelocityOption = Annotated[int | None, typer.Option("--velocity", metavar="N", help="Notes: how hard it is played, up to 127.", show_default=False)]
SecondsOption = Annotated[
    float | None, typer.Option("--seconds", metavar="S", min=0.0, help="Notes: how much of it.  [default: as long as a note lasts]", show_default=False)
]
NoiseOption = Annotated[bool, typer.Option("--noise/--no-noise", help="Diffusion: noise between the steps; the original code forgets it.")]
PublicOption = Annotated[bool, typer.Option("--public-sampler", help="Diffusion: with the slips of the original code, to compare with it.")]
SigmaOption = Annotated[
    float | None,
    typer.Option("--sigma", metavar="NUMBER", min=0.0, help="Flows: standard deviation of the noise.  [default: the artifact's]", show_default=False),
]


def synth(
    artifact: ArtifactArgument,
    out: OutOption,
    source: InputArgument = None,
    instrument: InstrumentOption = None,
    pitch: PitchOption = None,
    velocity: VelocityOption = None,
    seconds: SecondsOption = None,
    seed: SeedOption = 0,
    threads: ThreadsOption = 1,
    backend: BackendOption = None,
    noise: NoiseOption = True,
    public_sampler: PublicOption = False,
    sigma: SigmaOption = None,
    json: JsonOption = False,
) -> None:
    """Synthesize a recording, a mel, or a note, with an artifact.

    A recording is analysed by the artifact's own front end, and what comes out has its level.

    \b
    Examples: vcompress synth runs/hifigan-s/static_w8a8/20260101-120000-000000/artifact speech.wav -o out.wav
              vcompress synth ARTIFACT mel.npy -o out.flac --threads 2
              vcompress synth ARTIFACT --instrument 3 --pitch 60 --velocity 100 -o note.wav
    """
    from ..runtime.artifact import Artifact
    from ..runtime.audio import write_audio
    from ..runtime.backends import default_backend, load
    from ..runtime.synthesis import synthesize

    opened = Artifact.open(artifact)
    front_end = opened.manifest.front_end
    mel, gain = _given(front_end, source, (instrument, pitch, velocity), seconds)
    waveform = synthesize(opened, load(backend or default_backend(), opened, threads), mel, seed, noise=noise, public=public_sampler, sigma=sigma) / gain
    write_audio(out, waveform, front_end.sample_rate)
    if json:
        print_json({"out": out, "seconds": len(waveform) / front_end.sample_rate, "sample_rate": front_end.sample_rate, "identity": opened.identity})
    else:
        print(out)


def _given(front_end: "AnyFrontEnd", source: Path | None, note: tuple[str | None, int | None, int | None], seconds: float | None) -> "tuple[np.ndarray, float]":
    """What the vocoder is given, and the gain that was applied. Raises VcompressError where it is given the other of the two, or only part of it."""
    from ..runtime.notes import NoteFrontEnd
    from ..runtime.synthesis import read_mel

    instrument, pitch, velocity = note
    if not isinstance(front_end, NoteFrontEnd):
        if source is None or any(part is not None for part in (*note, seconds)):
            raise VcompressError("This vocoder makes speech of a recording or a mel; name one, and leave out what says a note.")
        return read_mel(source, front_end)
    if source is not None or instrument is None or pitch is None or velocity is None:
        raise VcompressError("This vocoder plays notes; give --instrument, --pitch and --velocity, and no recording.")
    frames = None if seconds is None else max(1, round(seconds * front_end.sample_rate / front_end.hop_length))
    return front_end.codes(front_end.note(instrument, pitch, velocity), frames), 1.0
