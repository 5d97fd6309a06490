"""What several test files share."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from vcompress.__main__ import main


@dataclass(frozen=True)
class Answer:
    """What a command left behind: exit code, stdout and stderr."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Answer]


@pytest.fixture
def vcompress(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """`vcompress("list", "--json")` runs a command line in this process, errors and exit codes included."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run
