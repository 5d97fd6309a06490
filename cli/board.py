"""Where `vcompress bench` measures: here, here as a target, or on a board at the other end of ssh."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import VcompressError
from .output import say

if TYPE_CHECKING:
    from ..benchmarks.bench import Progress
    from ..benchmarks.records import Record
    from ..benchmarks.subject import BenchSettings
    from ..runtime.artifact import Artifact
    from ..vocoders.corpus import Clip

TargetOption = Annotated[
    str | None,
    typer.Option("--target", metavar="NAME|FILE", help="The board that is measured (see: vcompress targets); its device tree has to agree.",
                 show_default=False),
]  # fmt: skip
AnotherMachineOption = Annotated[bool, typer.Option("--another-machine", help="Measure though the machine is not the target; every figure says so.")]
HostOption = Annotated[
    str | None, typer.Option("--host", metavar="[USER@]HOST", help="Measure there, over ssh: a host, or a name in ssh's config.", show_default=False)
]
PortOption = Annotated[int | None, typer.Option("--port", metavar="N", help="Port of ssh on the host.  [default: as ssh's config says]", show_default=False)]
IdentityOption = Annotated[
    Path | None, typer.Option("--identity", metavar="FILE", help="Private key for the host.  [default: as ssh finds it]", show_default=False)
]
SshConfigOption = Annotated[Path | None, typer.Option("--ssh-config", metavar="FILE", help="Config of ssh.  [default: ~/.ssh/config]", show_default=False)]
BoardPythonOption = Annotated[
    str | None,
    typer.Option("--board-python", metavar="PATH", help="A Python on the host that has numpy and the back end; no environment is made there.",
                 show_default=False),
]  # fmt: skip


@dataclass(frozen=True)
class Where:
    """What the options of a bench say of the place. backend, threads: None for what suits it; on a target, 1 to 4 threads or as many as it has cores.

    Raises VcompressError where they do not fit each other.
    """

    target: str | None = None
    another_machine: bool = False
    host: str | None = None
    port: int | None = None
    identity: Path | None = None
    ssh_config: Path | None = None
    python: str | None = None
    backend: str | None = None
    threads: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.target is None and (self.host is not None or self.another_machine):
            option = "--host" if self.host else "--another-machine"
            raise VcompressError(f"{option} needs a target; name what the machine is with --target (see: vcompress targets).")
        if self.host is None and any(value is not None for value in (self.port, self.identity, self.ssh_config, self.python)):
            raise VcompressError("--port, --identity, --ssh-config and --board-python belong to a --host; name it, or leave them out.")

    @property
    def on_board(self) -> bool:
        """Whether this machine is measured as a target: a board with the light install has neither corpus nor metrics."""
        return self.target is not None and self.host is None

    def bench(
        self, artifacts: Sequence["Artifact"], clips: Sequence["Clip"], settings: "BenchSettings", records: Path, progress: "Progress", again: bool
    ) -> "list[Record]":
        """Measure at that place; see benchmarks.bench and benchmarks.remote.bench."""
        if self.target is not None and self.host is not None:
            return self._there(self.target, self.host, artifacts, clips, settings, records, progress, again)
        from ..benchmarks.bench import bench
        from ..runtime.backends import default_backend

        settings = replace(settings, backend=self.backend or default_backend(), threads=self.threads or (1,))
        return bench(artifacts, clips, settings if self.target is None else self._as(self.target, settings), records, progress, again)

    def _as(self, target: str, settings: "BenchSettings") -> "BenchSettings":
        """The settings for this machine as a target."""
        from ..benchmarks.environment import environment
        from ..runtime.backends import threads_of
        from ..targets.board import board_model, label_of
        from ..targets.profile import find_profile

        profile = find_profile(target)
        label = label_of(profile, board_model(), self.another_machine)
        power = settings.power_of or (target if label == profile.name else "")
        threads = self.threads or threads_of(settings.backend, int(environment()["cores"]))
        return replace(settings, target=label, power_of=power, threads=threads)

    def _there(self, target: str, host: str, artifacts: Sequence["Artifact"], clips: Sequence["Clip"], settings: "BenchSettings", *rest: Any) -> "list[Record]":
        from ..benchmarks.remote.bench import Wish, bench_on_board
        from ..benchmarks.remote.board import Board
        from ..targets.profile import built_in, find_profile
        from ..targets.ssh import OpenSSH

        if settings.meter_log:
            raise VcompressError("--meter-log is read by the machine that measures; start the bench on the board itself, without --host.")
        if settings.power_of and settings.power_of not in built_in():
            raise VcompressError(f"--power-of {settings.power_of} is no target that the host knows; name one of: vcompress targets.")
        wish = Wish(find_profile(target), self.another_machine, self.backend, self.threads)
        board = Board(OpenSSH(host, self.port, self.identity, self.ssh_config), self.python or "")
        return bench_on_board(board, artifacts, clips, settings, wish, say, *rest)
