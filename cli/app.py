"""The command line: which commands there are. A new command is one file beside this one and one line in COMMANDS."""

from importlib import import_module
from typing import Annotated

import typer

from .. import __version__

# name -> file and function, in the order in which a user needs them
COMMANDS = {
    "list": "list:list_vocoders",
    "demo-corpus": "demo_corpus:demo_corpus",
    "demo-notes": "demo_notes:demo_notes",
    "train": "train:train",
    "import": "importing:import_vocoder",
    "schedule": "schedule:schedule",
    "quantize": "quantize:quantize",
    "qat": "qat:qat",
    "prune": "prune:prune",
    "sensitivity": "sensitivity:sensitivity",
    "export": "export:export",
    "synth": "synth:synth",
    "bench": "bench:bench",
    "pareto": "pareto:pareto",
    "targets": "targets:targets",
    "fit": "fit:fit",
    "layers": "layers:layers",
    "simulate": "simulate:simulate",
    "firmware": "firmware:firmware",
    "records": "records:records",
    "env": "env:env",
    "papers": "papers:papers",
    "carbon": "carbon:carbon",
    "run": "run:run",
}

# Plain help: importing rich takes as long as all the rest of a --help.
app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False, no_args_is_help=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)] = False) -> None:
    """Make a neural vocoder small, run it where it has to run, and measure what that cost.

    \b
    Examples: vcompress list
              vcompress quantize hifigan --size S
              vcompress export --int8
              vcompress synth ARTIFACT speech.wav -o out.wav
              vcompress run hifigan --size S
    """


for _name, _place in COMMANDS.items():
    _file, _function = _place.split(":")
    _command = getattr(import_module(f".{_file}", __package__), _function)
    if isinstance(_command, typer.Typer):  # has commands of its own
        app.add_typer(_command, name=_name)
    else:
        app.command(_name)(_command)
