"""Flash and RAM of a microcontroller that a vocoder takes: of its C code where it has such a form, without compiling it, else from its shapes.

The C exporter says every byte of constants and of memory. Code and stack are reckoned from what was measured on builds for the board
(`firmware/code_size.py`); where none was measured they are not known, and the budgets are lower bounds.
"""

from typing import TYPE_CHECKING

from ..errors import VcompressError
from .budget import Budget, Part
from .code import target_facts
from .firmware.code_size import CodeSizes, code_sizes, has_transform
from .profile import Profile
from .workload import Workload

if TYPE_CHECKING:
    from ..export.c.generate.library import Library

TABLE_BYTES = 256  # a function of one byte
MULTIPLIER_BYTES = {"q15": 2 + 1, "q31": 4 + 1}  # of a channel: the fixed-point multiplier, and its shift
NO_CODE = "no program has been compiled"
SAMPLE_BYTES = 2


def memory_of(profile: Profile, workload: Workload) -> tuple[tuple[Budget, ...], str]:
    """Flash and RAM, and what keeps it from running there at all; "" where nothing does."""
    if workload.code is None:
        return _from_shapes(profile, workload, NO_CODE), ""
    program = workload.code.program
    if isinstance(program, str):
        return _from_shapes(profile, workload, program), workload.no_stream if workload.stream is None else ""
    from ..export.c.generate.library import Library

    try:
        library = Library.of(program, target_facts(profile))
    except VcompressError as error:
        return _from_shapes(profile, workload, NO_CODE), str(error).removesuffix(".")
    return _from_code(profile, library), ""


def _from_code(profile: Profile, library: "Library") -> tuple[Budget, ...]:
    sizes = code_sizes(profile.name)
    if sizes is None:
        code, stack = (Part(name, None, f"none was measured on {profile.name}") for name in ("code", "stack"))
    else:
        code, stack = _measured(sizes, library)
    flash = (*(Part(name, size) for name, size in library.constant_bytes.items()), code)
    program = library.program
    mel = program.tensors[program.input]
    ram = (
        Part(f"arena (lower bound {library.memory.arena.lower_bound:,})", library.arena_bytes),
        Part("state", library.state_bytes),
        Part("a frame of the mel and its samples", mel.row_bytes + SAMPLE_BYTES * program.hop),
        stack,
    )
    bound = "" if sizes else "a lower bound: without the code"
    return Budget("flash", flash, profile.flash, bound), Budget("RAM", ram, profile.ram, "" if sizes else "a lower bound: without the stack")


def _measured(sizes: CodeSizes, library: "Library") -> tuple[Part, Part]:
    """Code, with what it takes of the C library, and stack."""
    code = sizes.code(library.network.text()) + sizes.start_up
    return Part("code", code), Part("stack", sizes.stack(len(library.streaming.rates), has_transform(library.program)))


def _from_shapes(profile: Profile, workload: Workload, no_code: str) -> tuple[Budget, ...]:
    return _flash(profile, workload, no_code), _streaming_ram(profile, workload)


def _flash(profile: Profile, workload: Workload, no_code: str) -> Budget:
    storage = workload.storage
    parts = (
        Part("weights", storage.weights),
        Part("biases", storage.biases),
        Part("constants", storage.constants),
        Part(f"{profile.requantization} multipliers", storage.channels * MULTIPLIER_BYTES[profile.requantization]),
        Part("tables", storage.curves * TABLE_BYTES),
        Part("code", None, no_code),
    )
    shown = tuple(part for part in parts if part.bytes != 0)
    return Budget("flash", shown, profile.flash, "a lower bound: without the code")


def _streaming_ram(profile: Profile, workload: Workload) -> Budget:
    stream = workload.stream
    parts = (
        Part("ring buffers", stream.rings if stream else None, workload.no_stream),
        Part("largest pair of frames", stream.frames if stream else None, workload.no_stream),
    )
    return Budget("RAM", parts, profile.ram, "a lower bound of a streaming execution: without stack, sampler, mel and the delays that keep branches in step")
