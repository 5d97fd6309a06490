"""`python -m vcompress.benchmarks.cards RUN --clips "NAME=DIR" ...`: the two files that ship of a trained run, its weights in 16 bits and their card.

What is judged is what ships: the fp32 artifact of the weights as they are after rounding, in ONNX Runtime, on clips cut to `--seconds`.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import VcompressError
from ..runtime.artifact import Artifact
from ..runtime.audio import read_audio, write_audio
from ..runtime.files import write_text
from ..runtime.workspace import Run, Workspace
from ..vocoders.corpus import Clip, Split, find_clips
from .bench import bench
from .subject import BenchSettings

if TYPE_CHECKING:
    from ..vocoders.checkpoint import Checkpoint

SHOWN = ("pesq_wb", "pesq_nb", "stoi", "log_mel_l1", "d_stft")
NOT_JUDGED = 'PESQ wide band is below 2.0: reports say of such rows "not trained enough to judge".'
BARELY = 2.0
CLIPS, SECONDS = 6, 4.0


def write_card(
    run: Run, out: Path, sets: Mapping[str, Sequence[Clip]], licences: Mapping[str, str], machine: str = "", command: str = "", seconds: float = SECONDS
) -> tuple[Path, Path]:
    """Write `out`/<family>-<size>.safetensors and .md of a finished fp32 run, and give both paths.

    sets: clips by the name of their column. Raises VcompressError for a run without weights.
    """
    import torch

    from ..vocoders.card import card
    from ..vocoders.checkpoint import read_checkpoint, save_checkpoint
    from ..vocoders.keeper import read_curve
    from ..vocoders.trainer import WEIGHTS

    checkpoint = read_checkpoint(run.folder / WEIGHTS)
    stem = f"{checkpoint.family}-{checkpoint.size.lower()}"
    weights = save_checkpoint(out / f"{stem}.safetensors", checkpoint, torch.float16)
    with tempfile.TemporaryDirectory() as temporary:
        artifact = _artifact(read_checkpoint(weights), Path(temporary))
        quality = {name: _quality(artifact, clips, Path(temporary) / str(index), seconds) for index, (name, clips) in enumerate(sets.items())}
    text = card(checkpoint, read_curve(run.folder), quality, licences, machine, command)
    note = f"Clips are cut to {seconds:g} seconds; what is measured is the fp32 artifact of these weights, in ONNX Runtime."
    text += "\n" + (f"{NOT_JUDGED} {note}" if _barely(quality) else note) + "\n"
    write_text(out / f"{stem}.md", text)
    return weights, out / f"{stem}.md"


def _barely(quality: Mapping[str, Mapping[str, float | str]]) -> bool:
    first = next(iter(quality.values()), {}).get("pesq_wb", BARELY)
    return not isinstance(first, float) or first < BARELY


def _artifact(checkpoint: "Checkpoint", folder: Path) -> Artifact:
    from ..compress.folded import FoldedVocoder
    from ..compress.recipes import find_recipe
    from ..export.artifact_writer import write_artifact

    return write_artifact(FoldedVocoder.of(checkpoint), find_recipe("fp32"), "card", folder / "artifact")


def _cut(clips: Sequence[Clip], folder: Path, rate: int, seconds: float) -> list[Clip]:
    """The beginnings of clips, as files."""
    cut = []
    for clip in clips:
        path = folder / f"{clip.path.stem}.wav"
        write_audio(path, read_audio(clip.path, rate)[: round(seconds * rate)], rate)
        cut.append(Clip(path, clip.key, clip.note))
    return cut


def _quality(artifact: Artifact, clips: Sequence[Clip], folder: Path, seconds: float) -> dict[str, float | str]:
    cut = _cut(clips, folder, artifact.manifest.front_end.sample_rate, seconds)
    found = {record.metric: record for record in bench([artifact], cut, BenchSettings(families=("quality",)), folder / "records.jsonl")}
    return {name: found[name].reason if (value := found[name].value) is None else value for name in SHOWN}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files and print their paths. 2: a VcompressError, as one sentence on stderr."""
    asked = _parser().parse_args(arguments)
    try:
        run = Workspace().open_run(asked.run)
        sets = {name: chosen(Path(folder), asked.validation, asked.count) for name, folder in map(_pair, asked.clips)}
        paths = write_card(run, asked.out, sets, dict(map(_pair, asked.data)), asked.machine, asked.command)
    except VcompressError as error:
        print(error, file=sys.stderr)
        return 2
    print(*paths, sep="\n")
    return 0


def chosen(folder: Path, pattern: str | None, count: int) -> list[Clip]:
    """So many clips from all over a folder: of those whose prompts were held out, and where none was, as of another voice, of all."""
    split = Split(validation=pattern)
    every = list(find_clips(folder, split))
    clips = [clip for clip in every if split.holds_out(clip.key)] or every
    count = min(count, len(clips))
    return [clips[round(i * (len(clips) - 1) / max(1, count - 1))] for i in range(count)]


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise VcompressError(f"{text!r} is no pair; write NAME=VALUE.")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.cards", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished training")
    parser.add_argument(
        "--clips",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="a column: its name, and its recordings; the held-out prompts are judged, all where none was held out",
    )
    parser.add_argument("--validation", metavar="PATTERN", help="regular expression of the prompts held out (default: 5 %% by hash)")
    parser.add_argument("--count", type=int, default=CLIPS, metavar="N", help=f"clips of a column (default: {CLIPS})")
    parser.add_argument("--data", action="append", default=[], metavar="SOURCE=LICENCE", help="what it was trained on")
    parser.add_argument("--machine", default="", help="what trained it, in words")
    parser.add_argument("--command", default="", help="the command that goes on from here")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where the files go (default: here)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
