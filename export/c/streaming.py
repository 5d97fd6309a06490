"""A program row by row: which row each step makes when, and how many rows of each tensor have to be kept for that.

Time runs in ticks: a tensor of `rate` has `rate` ticks a frame, and at tick n of its rate row n - delay is made. Delays keep branches in step: a convolution
that looks ahead makes the row whose last input is just there. What lies before the first and behind the last row of a tensor is the zero point, as zero padding
is in the integer graph, so that the edges need nothing but a comparison. Ticks after the last frame make the rows that were still to come.
"""

from dataclasses import dataclass
from functools import cached_property

from ...errors import VcompressError
from .program import Convolution, InverseSTFT, Program, Step, View

ROUNDS = 8  # of the search for delays; each state adds one at most


@dataclass(frozen=True)
class Streaming:
    """The schedule of a program. delays: of each tensor, in ticks of its rate; rows: how many rows of each tensor are kept, the newest among them."""

    program: Program
    delays: tuple[int, ...]
    rows: tuple[int, ...]

    @cached_property
    def rates(self) -> tuple[int, ...]:
        """The rates at which steps run, each a multiple of the one before."""
        return tuple(sorted({self.program.tensors[step.output].rate for step in self.program.steps} | {1}))

    @cached_property
    def states(self) -> frozenset[int]:
        """Tensors of which a step reads what was made before; their rows are zero points at first."""
        return frozenset(view.tensor for step in self.program.steps for view in step.inputs if view.start < 0)

    def view_delay(self, view: View) -> int:
        """Row n - delay is the newest row of a view at tick n of its rate."""
        return _view_delay(view, self.delays)

    def backs(self, step: Step, view: View) -> tuple[int, ...]:
        """How many rows before the newest the rows lie that a step reads: one for each tap."""
        ahead = self.delays[step.output] - self.view_delay(view)
        if isinstance(step, Convolution):
            return tuple(ahead + step.before - tap * step.dilation for tap in range(step.taps))
        if isinstance(step, InverseSTFT):
            return (ahead - overlap(step) // 2,)
        return (ahead,)

    @property
    def latency(self) -> int:
        """Frames that have to follow the last one until every sample is there."""
        view = self.program.output
        return -(-self.view_delay(view) // view.rate)


def overlap(step: InverseSTFT) -> int:
    """Frames that a sample is made of."""
    return step.n_fft // step.hop


def stream(program: Program) -> Streaming:
    """The schedule of a program. Raises VcompressError where rates do not divide each other, or a state needs itself."""
    delays = _delays(program)
    plan = Streaming(program, delays, (1,) * len(delays))
    for slower, faster in zip(plan.rates, plan.rates[1:], strict=False):
        if faster % slower:
            raise VcompressError(f"{program.name} has {slower} and {faster} rows a frame, which do not divide each other; export to ONNX only.")
    rows = [1] * len(delays)
    for step in program.steps:
        for view in step.inputs:
            rows[view.tensor] = max(rows[view.tensor], -(-max(plan.backs(step, view)) // view.ratio) + 1)
    return Streaming(program, delays, tuple(rows))


def _view_delay(view: View, delays: tuple[int, ...]) -> int:
    return delays[view.tensor] * view.ratio + view.start


def _delays(program: Program) -> tuple[int, ...]:
    delays = (0,) * len(program.tensors)
    for _ in range(ROUNDS):
        found = list(delays)
        for step in program.steps:
            found[step.output] = max(0, max(_view_delay(view, tuple(found)) for view in step.inputs) + _looks_ahead(step))
        if tuple(found) == delays:
            return delays
        delays = tuple(found)
    raise VcompressError(f"{program.name} has a state that waits for itself; export to ONNX only.")


def _looks_ahead(step: Step) -> int:
    """Rows that a step's input must be ahead of its output."""
    if isinstance(step, Convolution):
        return (step.taps - 1) * step.dilation - step.before
    return overlap(step) // 2 if isinstance(step, InverseSTFT) else 0
