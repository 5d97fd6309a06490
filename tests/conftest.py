"""What several test files share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from vcompress.__main__ import main
from vcompress.benchmarks import efficiency
from vcompress.benchmarks.peak import measure_peaks


@dataclass(frozen=True)
class Answer:
    """What a command left behind: exit code, stdout and stderr."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Answer]


@pytest.fixture(scope="session", autouse=True)
def small_peak() -> Iterator[None]:
    """The machine's peak is taken on a small convolution: the real one takes seconds, and would go into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(efficiency, "machine_peaks", lambda threads: measure_peaks(threads, ((16, 3, 64),), 0.001))
        yield


@pytest.fixture
def vcompress(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """`vcompress("list", "--json")` runs a command line in this process, errors and exit codes included."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run
