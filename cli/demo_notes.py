"""`vcompress demo-notes`: forty minutes of synthetic notes, for trying out SING."""

from . import stages
from .options import JsonOption
from .output import print_json, working


def demo_notes(json: JsonOption = False) -> None:
    """Compute the demo notes and print their folder: eight instruments in NSynth layout.

    They are made once, into the user's cache; additive synthesis and plucked strings, nothing to install.

    \b
    Example: vcompress train sing --size S --data "$(vcompress demo-notes)" --time 20m
    """
    with working():
        folder = stages.demo_notes()
    if json:
        print_json({"folder": folder})
    else:
        print(folder)
