"""`vcompress synth`: hear an artifact."""

from pathlib import Path
from typing import Annotated

import typer

from .options import ArtifactArgument, BackendOption, JsonOption, SeedOption, ThreadsOption
from .output import print_json

InputArgument = Annotated[Path, typer.Argument(metavar="INPUT", help="Speech (.wav, .flac), or a saved mel (.npy, .npz).")]
OutOption = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the waveform goes: .wav or .flac.")]

NoiseOption = Annotated[bool, typer.Option("--noise/--no-noise", help="Diffusion: noise between the steps; the original code forgets it.")]
PublicOption = Annotated[bool, typer.Option("--public-sampler", help="Diffusion: with the slips of the original code, to compare with it.")]
SigmaOption = Annotated[
    float | None,
    typer.Option("--sigma", metavar="NUMBER", min=0.0, help="Flows: standard deviation of the noise.  [default: the artifact's]", show_default=False),
]


def synth(
    artifact: ArtifactArgument,
    source: InputArgument,
    out: OutOption,
    seed: SeedOption = 0,
    threads: ThreadsOption = 1,
    backend: BackendOption = None,
    noise: NoiseOption = True,
    public_sampler: PublicOption = False,
    sigma: SigmaOption = None,
    json: JsonOption = False,
) -> None:
    """Synthesize a recording, or a mel, with an artifact.

    A recording is analysed by the artifact's own front end, and what comes out has its level.

    \b
    Examples: vcompress synth runs/hifigan-s/static_w8a8/20260101-120000-000000/artifact speech.wav -o out.wav
              vcompress synth ARTIFACT mel.npy -o out.flac --threads 2
    """
    from ..runtime.artifact import Artifact
    from ..runtime.audio import write_audio
    from ..runtime.backends import default_backend, load
    from ..runtime.synthesis import read_mel, synthesize

    opened = Artifact.open(artifact)
    front_end = opened.manifest.front_end
    mel, gain = read_mel(source, front_end)
    waveform = synthesize(opened, load(backend or default_backend(), opened, threads), mel, seed, noise=noise, public=public_sampler, sigma=sigma) / gain
    write_audio(out, waveform, front_end.sample_rate)
    if json:
        print_json({"out": out, "seconds": len(waveform) / front_end.sample_rate, "sample_rate": front_end.sample_rate, "identity": opened.identity})
    else:
        print(out)
