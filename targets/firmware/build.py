"""The C of a vocoder, a board and a mel become a program for a target."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np

from ...errors import VcompressError
from ..profile import Profile
from ..simulators.program import Program
from ..simulators.tools import said, tool
from .boards import Board, find_board
from .linking import FLASH_SECTIONS, RAM_SECTIONS, Piece, overflow, read_map

SOURCES = Path(__file__).parent / "source"
HEADER = "vcompress.h"
COMMON_FLAGS = ("-std=gnu99", "-Wall", "-Wextra", "-ffunction-sections", "-fdata-sections", "-g0")
NO_MEMSET = "-fno-tree-loop-distribute-patterns"  # the start-up has no use of the C library's, whose instructions are counted as the vocoder's
LIBRARY, BOARD = "library", "board"  # folders of objects
MEL = "mel.bin"
MEL_SECTIONS = (".mel", ".text.zzz_mel")
CONSTANTS = ("rodata", "progmem", "vc_flash")


@dataclass(frozen=True)
class Image:
    """A program that has been built, and where its bytes went."""

    program: Program
    board: Board
    profile: Profile
    pieces: tuple[Piece, ...]

    @property
    def flash(self) -> dict[str, int]:
        """Bytes of flash by part: the vocoder's constants and code, C library, board and test program, the mel of the test."""
        return self._by_part(FLASH_SECTIONS, constants=True)

    @property
    def ram(self) -> dict[str, int]:
        """Bytes of variables by part; the stack is not among them."""
        return self._by_part(RAM_SECTIONS, constants=False)

    def _by_part(self, sections: set[str], constants: bool) -> dict[str, int]:
        parts: dict[str, int] = {}
        for piece in self.pieces:
            if piece.output in sections:
                part = _part(piece, constants)
                parts[part] = parts.get(part, 0) + piece.bytes
        return parts


def _part(piece: Piece, constants: bool) -> str:
    if piece.name in MEL_SECTIONS:
        return "mel of the test"
    folder = Path(piece.file).parent.name
    if folder == BOARD:
        return "board and test program"
    if folder != LIBRARY:
        return "C library and start-up" if piece.file else "padding"
    if not constants:
        return "vocoder"
    return "vocoder: constants" if any(word in piece.name for word in CONSTANTS) else "vocoder: code"


def build(library: Path, profile: Profile, mel: np.ndarray, folder: Path, name: str = "") -> Image:
    """Compile and link the vocoder's C in `library` for a target, with a mel to speak.

    mel: int8 or int16 (F, VC_MELS), as vc_push takes it. folder: where objects and program go. name: how a sentence calls it.
    Raises VcompressError where the compiler is missing, the code does not compile, or the program does not fit.
    """
    board = find_board(profile.name)
    sources = sorted(library.glob("*.c")) + sorted(library.glob("*.S"))
    if not (library / HEADER).is_file() or not sources:
        raise VcompressError(f"{library} holds no vocoder in C ({HEADER} and *.c); make it with: vcompress export --int8 --format c --target {profile.name}.")
    if mel.ndim != 2 or not len(mel) or mel.dtype not in (np.int8, np.int16):
        raise VcompressError(f"The mel for {profile.name} is {mel.dtype} {mel.shape}, not int8 or int16 (frames, bands); quantize it first.")
    objects = [_compile(board, source, folder / LIBRARY, library, []) for source in sources]
    (folder / MEL).write_bytes(mel.astype(mel.dtype.newbyteorder("<")).tobytes())
    own = [SOURCES / name for name in ("main.c", *board.sources, "mel.S")]
    more = [f"-DMEL_FRAMES={len(mel)}u", f"-I{folder}", f"-Wa,-I{folder}", NO_MEMSET]
    objects += [_compile(board, source, folder / BOARD, library, more) for source in own]
    elf = _link(board, profile, objects, folder, name or str(library))
    binary = folder / "program.bin"
    _must([_binutil(board, "objcopy"), "-O", "binary", str(elf), str(binary)], "The program cannot be copied")
    chip = [profile.clock_hz, profile.flash_bytes, profile.ram_bytes]
    clock, flash, ram = (int(quantity.value or 0) if quantity is not None else 0 for quantity in chip)
    symbols = _symbols(board, elf)
    code = (symbols["vocoder_start"], symbols["vocoder_end"]) if "vocoder_start" in symbols else None
    program = Program(elf, binary, board.machine, clock, flash, ram, board.flash_origin & 0xFFFFFF, symbols["board_mark"] & ~1, code)
    return Image(program, board, profile, tuple(read_map(folder / "program.map")))


def _compile(board: Board, source: Path, folder: Path, library: Path, more: Sequence[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{source.name}.o"
    command = [tool(board.compiler), *COMMON_FLAGS, *board.flags, f"-I{library}", f"-I{SOURCES}", *more, "-c", str(source), "-o", str(target)]
    _must(command, f"The C file {source.name} cannot be compiled for {board.name}")
    return target


def _link(board: Board, profile: Profile, objects: Sequence[Path], folder: Path, name: str) -> Path:
    elf = folder / "program.elf"
    budgets = {"flash": int(profile.flash), "RAM": int(profile.ram)}
    command = [tool(board.compiler), *board.flags, "-Wl,--gc-sections", f"-Wl,-Map={folder / 'program.map'}", "-o", str(elf)]
    if board.script:
        script = folder / board.script
        places = {"flash_origin": board.flash_origin, "flash_bytes": budgets["flash"], "ram_origin": board.ram_origin, "ram_bytes": budgets["RAM"]}
        script.write_text(Template((SOURCES / board.script).read_text(encoding="utf-8")).substitute(places), encoding="utf-8")
        command += ["-nostartfiles", f"-T{script}"]
    else:
        lengths = {"TEXT_REGION_LENGTH": budgets["flash"], "DATA_REGION_ORIGIN": board.ram_origin, "DATA_REGION_LENGTH": budgets["RAM"]}
        command += [f"-Wl,--defsym=__{name}__={value}" for name, value in lengths.items()]
    done = subprocess.run([*command, *map(str, objects), "-lm"], capture_output=True, text=True, errors="replace")
    if done.returncode:
        ends = {"flash": board.flash_origin + budgets["flash"], "RAM": board.ram_origin + budgets["RAM"]}
        sentence = overflow(done.stderr, name, profile.name, budgets, ends, (folder / MEL).stat().st_size)
        raise VcompressError(sentence or f"{name} cannot be linked for {profile.name} ({said(done.stderr)}); export it again.")
    return elf


def _symbols(board: Board, elf: Path) -> dict[str, int]:
    listing = _must([_binutil(board, "nm"), str(elf)], "The program's symbols cannot be read")
    return {line.split()[-1]: int(line.split()[0], 16) for line in listing.splitlines() if len(line.split()) == 3}


def _binutil(board: Board, name: str) -> str:
    return tool(board.compiler.removesuffix("gcc") + name)


def _must(command: Sequence[str], wrong: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise VcompressError(f"{wrong} ({said(done.stderr)}); check the compiler, and export the vocoder again.")
    return done.stdout
