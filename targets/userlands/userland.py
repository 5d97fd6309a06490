"""A Linux of another architecture in a folder: unpacked from Debian's packages, its wheels beside it, its programs run by QEMU. No root is needed."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ...errors import VcompressError
from ..simulators.tools import cache_folder, said, tool
from .machines import Architecture, Core

DEBIAN = "bookworm"  # from the mirror that mmdebstrap takes of itself
PYTHON_VERSION = "3.11"  # Debian's own of that release
PACKAGE = Path(__file__).parents[2]  # vcompress itself
LONGEST = 3600.0  # seconds that a program may take
MARK = "Py_GetCopyright"  # a function of Python that nothing calls once it has started
SENTENCE = f"{VcompressError.__module__}.{VcompressError.__qualname__}: "  # how a mistake that is said in a sentence ends a program
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Userland:
    """A system as it lies in a cache. root: its files; site: its wheels; mark: address of the function MARK in its Python."""

    architecture: Architecture
    folder: Path
    mark: int

    @property
    def root(self) -> Path:
        """The files of Debian's packages."""
        return self.folder / "root"

    @property
    def site(self) -> Path:
        """What pip has put beside them."""
        return self.folder / "site"

    def view(self, core: Core) -> Path:
        """The root as a board with this processor shows it: the same files, and a /proc and /sys that are not this machine's."""
        place = self.folder / "boards" / core.name
        if not place.is_dir():
            with _made(place) as part:
                for entry in self.root.iterdir():
                    if entry.name not in ("proc", "sys", "dev"):
                        (part / entry.name).symlink_to(Path("../../root") / entry.name)
                write_board(part, core)
        return place

    def python(
        self, core: Core, arguments: Sequence[str], options: Sequence[str] = (), environment: Mapping[str, str] | None = None, longest: float = LONGEST
    ) -> str:
        """Run its Python, with this vcompress and the wheels to import, and give what it printed. `options`: further words for QEMU.

        Raises VcompressError with its last words where it fails, or takes longer than `longest` seconds.
        """
        with tempfile.TemporaryDirectory() as code:
            (Path(code) / "vcompress").symlink_to(PACKAGE)
            paths = [code, self.site, self.root / "usr/lib/python3/dist-packages"]
            given = {
                "PYTHONHOME": self.root / "usr",
                "PYTHONPATH": os.pathsep.join(map(str, paths)),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONHASHSEED": "0",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                **(environment or {}),
            }
            assigned = [word for name, value in given.items() for word in ("-E", f"{name}={value}")]
            program = str(self.root / f"usr/bin/python{PYTHON_VERSION}")
            command = [tool(self.architecture.qemu), *options, "-cpu", core.name, "-L", str(self.view(core)), *assigned, program, *arguments]
            try:
                done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=longest)
            except subprocess.TimeoutExpired:
                raise VcompressError(f"A program did not end under {self.architecture.qemu} within {longest:g} s; give it less audio.") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            if last.startswith(SENTENCE):
                raise VcompressError(last.removeprefix(SENTENCE))
            raise VcompressError(f"A program failed under {self.architecture.qemu} -cpu {core.name} ({last}); see whether it runs on this machine.")
        return done.stdout


def write_board(root: Path, core: Core) -> None:
    """What programs read to learn on which processor they are, as plain files below `root`."""
    system = root / "sys/devices/system/cpu"
    system.mkdir(parents=True, exist_ok=True)
    (root / "proc").mkdir(exist_ok=True)
    for name in ("possible", "present", "online"):
        (system / name).write_text("0-3\n")
    (root / "proc/cpuinfo").write_text(core.cpuinfo())


def userland(architecture: Architecture, core: Core, cache: Path | None = None, packages: Sequence[str] = (), on_step: OnStep = lambda step: None) -> Userland:
    """The userland of an architecture, made when it is not in the cache yet (half a minute, 200 to 400 MB). packages: more of Debian's.

    `core`: any of that architecture, to try its Python with. Raises VcompressError that names a missing tool, or what it said.
    """
    wanted = [*architecture.packages, *packages]
    wheels = [_pinned(requirement) for requirement in architecture.wheels]
    digest = hashlib.sha256(repr((DEBIAN, wanted, wheels)).encode()).hexdigest()[:12]
    folder = (cache or cache_folder()) / "userlands" / f"{architecture.name}-{digest}"
    mark = folder / "mark"
    if not mark.is_file():
        for program in ("mmdebstrap", architecture.qemu):
            tool(program)
        with _made(folder) as part:
            on_step(f"Debian's packages for {architecture.name}")
            unpack(architecture, part / "root", wanted)
            on_step(f"wheels for {architecture.name}")
            _fetch_wheels(architecture, part / "site", wheels)
            on_step(f"its Python under {architecture.qemu}")
            asked = f"import ctypes; print(ctypes.cast(ctypes.pythonapi.{MARK}, ctypes.c_void_p).value)"
            address = Userland(architecture, part, 0).python(core, ["-c", asked])
            shutil.rmtree(part / "boards")
            (part / "mark").write_text(address)
    return Userland(architecture, folder, int(mark.read_text()) & ~1)  # the lowest bit of an address says that it is Thumb


def unpack(architecture: Architecture, root: Path, packages: Sequence[str]) -> None:
    """Debian's packages and what they depend on, unpacked; none of their scripts is run."""
    command = [tool("mmdebstrap"), "--mode=chrootless", "--variant=extract", f"--arch={architecture.name}", f"--include={','.join(packages)}"]
    _run([*command, DEBIAN, str(root)], "mmdebstrap cannot unpack Debian's packages", "check the network")
    for name in ("blas", "lapack"):  # what a script of theirs would have linked
        for library in (root / "usr/lib" / architecture.libraries / name).glob("*.so.3"):
            link = library.parent.parent / library.name
            if not link.exists():
                link.symlink_to(Path(name) / library.name)


def _fetch_wheels(architecture: Architecture, site: Path, wheels: Sequence[str]) -> None:
    tags = [word for platform in architecture.platforms for word in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(site), *tags]
    command += ["--no-deps"] if architecture.complete else []
    _run([*command, "--python-version", PYTHON_VERSION, "--only-binary=:all:", *wheels], f"pip has no wheels for {architecture.name}", "check the network")


def _pinned(requirement: str) -> str:
    """A bare name with the version that is installed here."""
    if not requirement.replace("-", "").isalnum():
        return requirement
    try:
        return f"{requirement}=={version(requirement)}"
    except PackageNotFoundError:
        return requirement


def _run(command: Sequence[str], what: str, advice: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if done.returncode:
        raise VcompressError(f"{what} ({_complaint(done.stderr)}); {advice}.")


def _complaint(text: str) -> str:
    """mmdebstrap and apt begin their errors with "E:"."""
    errors = [line for line in text.splitlines() if line.startswith(("E:", "ERROR:"))]
    return said("\n".join(errors) or text)


class _made:
    """A folder that is made under a temporary name and renamed when the block ends well; another that got there first stays."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self) -> Path:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.part = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}-", dir=self.folder.parent))
        except OSError as error:
            raise VcompressError(f"{self.folder} cannot be made ({error.strerror}); set XDG_CACHE_HOME to a folder that can be written.") from None
        self.part.chmod(0o755)
        return self.part

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            with suppress(OSError):  # it is there already
                self.part.rename(self.folder)
        shutil.rmtree(self.part, ignore_errors=True)
