"""The buffers of a streaming execution: what is kept from frame to frame, and what lives within one and shares the arena."""

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from .arena import Arena, Buffer, place
from .program import Convolution, Curve, InverseSTFT, Product, Scaled, Step, Sum, Table
from .streaming import Streaming

ELEMENTWISE = (Table, Curve, Scaled, Sum, Product)
WORD = 4


class Home(Enum):
    """Where a buffer lies: with the caller, in what is kept, or in the arena."""

    MEL = "mel"
    OUT = "out"
    STATE = "state"
    ARENA = "arena"


@dataclass(frozen=True)
class Place:
    """A buffer and its offset there."""

    home: Home
    offset: int = 0


@dataclass(frozen=True)
class Memory:
    """tensors: of each tensor; outside: of the row that stands for what lies outside of the utterance, by step; work, overlap: of the inverse STFT.

    state_bytes: what is kept; arena: what shares; both without the caller's mel and samples.
    """

    tensors: tuple[Place, ...]
    outside: dict[int, Place]
    work: dict[int, Place]
    overlap: dict[int, Place]
    state_bytes: int
    arena: Arena
    buffers: tuple[Buffer, ...]
    kept: tuple[tuple[str, int], ...]


def lay_out(streaming: Streaming) -> Memory:
    """The memory of a streaming execution."""
    program = streaming.program
    order = execution_order(streaming)
    moments = {step: moment for moment, (step, _) in enumerate(order)}
    shared = _in_place(streaming)
    homes = [shared.get(index, index) for index in range(len(program.tensors))]
    for index in reversed(range(len(homes))):
        while homes[index] in shared:
            homes[index] = shared[homes[index]]
    places: dict[int, Place] = {program.output.tensor: Place(Home.OUT)}
    state, kept = 0, []
    if streaming.rows[program.input] == 1:
        places[program.input] = Place(Home.MEL)

    def keep(name: str, bytes_: int) -> Place:
        nonlocal state
        place_there, state = Place(Home.STATE, state), state + -(-bytes_ // WORD) * WORD
        kept.append((name, bytes_))
        return place_there

    overlaps = {i: keep("overlap-add", WORD * (step.n_fft - step.hop)) for i, step in enumerate(program.steps) if isinstance(step, InverseSTFT)}
    for index, tensor in enumerate(program.tensors):
        if streaming.rows[index] > 1 and homes[index] == index and index not in places:
            places[index] = keep(f"{streaming.rows[index]} rows of {tensor.name}", tensor.row_bytes * streaming.rows[index])
    buffers: list[Buffer] = []
    wanted: list[tuple[str, int]] = []
    written = {step.output for step in program.steps}
    for home in sorted({homes[index] for index in written} - places.keys()):
        first, last = _lifetime(streaming, {i for i in range(len(homes)) if homes[i] == home}, moments)
        buffers.append(Buffer(program.tensors[home].name, program.tensors[home].row_bytes, first, last, program.tensors[home].bits // 8))
        wanted.append(("tensor", home))
    for index, step in enumerate(program.steps):
        if isinstance(step, Convolution) and reads_outside(streaming, step):
            tensor = program.tensors[step.inputs[0].tensor]
            bytes_ = step.inputs[0].channels * tensor.bits // 8
            buffers.append(Buffer(f"outside of {step.name}", bytes_, moments[index], moments[index], tensor.bits // 8))
            wanted.append(("outside", index))
        elif isinstance(step, InverseSTFT):
            buffers.append(Buffer(f"work of {step.name}", WORD * step.n_fft, moments[index], moments[index], WORD))
            wanted.append(("work", index))
    arena = place(buffers)
    found = {key: Place(Home.ARENA, offset) for key, offset in zip(wanted, arena.offsets, strict=True)}
    places |= {index: spot for (kind, index), spot in found.items() if kind == "tensor"}
    outside, work = ({index: spot for (kind, index), spot in found.items() if kind == name} for name in ("outside", "work"))
    nowhere = Place(Home.ARENA)  # a state is its output's tensor: the one that was read for its input has no rows
    return Memory(tuple(places.get(home, nowhere) for home in homes), outside, work, overlaps, state, arena, tuple(buffers), tuple(kept))


def execution_order(streaming: Streaming) -> list[tuple[int, Step]]:
    """Steps with their numbers in the order in which a tick runs them: rate by rate, the faster ones within the slower."""
    program = streaming.program
    return sorted(enumerate(program.steps), key=lambda item: (program.tensors[item[1].output].rate, item[0]))


def reads_outside(streaming: Streaming, step: Convolution) -> bool:
    """Whether some row of its output is made of what lies outside of the utterance."""
    view, output = step.inputs[0], streaming.program.tensors[step.output]
    return step.before > 0 or output.extra - step.before + (step.taps - 1) * step.dilation > view.extra


def _in_place(streaming: Streaming) -> dict[int, int]:
    """Tensor -> the output of its only reader, which works on each number by itself and so may write over it."""
    program = streaming.program
    read = Counter(view.tensor for step in program.steps for view in step.inputs)
    read[program.output.tensor] += 1
    found: dict[int, int] = {}
    for step in program.steps:
        if not isinstance(step, ELEMENTWISE):
            continue
        target = program.tensors[step.output]
        for view in step.inputs:
            source = program.tensors[view.tensor]
            alone = read[view.tensor] == 1 and streaming.rows[view.tensor] == 1 and view.tensor != program.input
            whole = (view.ratio, view.start, view.first, view.channels) == (1, 0, 0, source.channels)
            if alone and whole and (source.bits, source.rate) == (target.bits, target.rate):
                found[view.tensor] = step.output
                break
    return found


def _lifetime(streaming: Streaming, tensors: set[int], moments: dict[int, int]) -> tuple[int, int]:
    """From the step that writes one of these tensors first to the one that reads one last; what a faster rate reads lives to the end of the tick."""
    program = streaming.program
    written = [moments[index] for index, step in enumerate(program.steps) if step.output in tensors]
    first = min(written, default=0)
    last = max(written, default=0)
    for index, step in enumerate(program.steps):
        if any(view.tensor in tensors for view in step.inputs):
            faster = any(program.tensors[step.output].rate > program.tensors[view.tensor].rate for view in step.inputs if view.tensor in tensors)
            last = max(last, len(moments) - 1 if faster else moments[index])
    return first, last
