"""`vcompress demo-corpus`: half an hour of synthetic speech, for trying things out."""

from . import stages
from .options import JsonOption
from .output import print_json, working


def demo_corpus(json: JsonOption = False) -> None:
    """Speak the demo corpus and print its folder.

    It is made once, into the user's cache; espeak-ng speaks it, from a pip package.

    \b
    Example: vcompress train hifigan --size S --data "$(vcompress demo-corpus)" --time 20m
    """
    with working():
        folder = stages.demo_corpus()
    if json:
        print_json({"folder": folder})
    else:
        print(folder)
