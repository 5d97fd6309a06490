"""`vcompress demo-corpus`: half an hour of synthetic speech, for trying things out."""

from .options import JsonOption
from .output import print_json, progress_bar, working


def demo_corpus(json: JsonOption = False) -> None:
    """Speak the demo corpus and print its folder.

    It is made once, into the user's cache; espeak-ng speaks it, from a pip package.

    \b
    Example: vcompress train hifigan --size S --data "$(vcompress demo-corpus)" --time 20m
    """
    from ..vocoders.demo_corpus import make_demo_corpus

    with working(), progress_bar("Speaking the demo corpus") as progress:
        folder = make_demo_corpus(progress=progress)
    if json:
        print_json({"folder": folder})
    else:
        print(folder)
