"""The oracle: a program run with the reference kernels, as a whole utterance or row by row as the C code does."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..lowering import Kernel, Lowered
from ..program import Convolution, Curve, InverseSTFT, Joined, Product, Program, Scaled, Step, Sum, Table, View
from ..streaming import Streaming, overlap
from . import kernels
from .istft import inverse_stft

PCM = np.int16


def quantize_mel(program: Program, mel: np.ndarray) -> np.ndarray:
    """float32 (n_mels, F) -> integers (F, n_mels), rounded as QuantizeLinear does."""
    tensor = program.tensors[program.input]
    limit = 1 << (tensor.bits - 1)
    steps = np.rint(mel.T.astype(np.float32) / np.float32(tensor.scale)) + tensor.zero_point
    return np.clip(steps, -limit, limit - 1).astype(np.int64)


def run_whole(lowered: Lowered, mel: np.ndarray) -> dict[int, np.ndarray]:
    """Every tensor of a whole utterance, int64 (rows, channels) by number. mel: integers (F, n_mels). A program without states."""
    tensors = {lowered.program.input: np.asarray(mel, np.int64)}
    for step, kernel in lowered.steps:
        tensors[step.output] = run_step(lowered.program, step, kernel, tensors, len(mel))
    return tensors


def run_step(program: Program, step: Step, kernel: Kernel, tensors: Mapping[int, np.ndarray], frames: int) -> np.ndarray:
    """All rows of one step's output, from all rows of its inputs."""
    target = program.tensors[step.output]
    count = target.rate * frames + target.extra
    inputs = [_seen(view, tensors[view.tensor], frames) for view in step.inputs]
    if isinstance(step, InverseSTFT):
        return inverse_stft(kernel, *(array.T for array in inputs)).reshape(frames, step.hop).astype(np.int64)  # type: ignore[arg-type]
    if isinstance(step, Convolution):
        zero_point = program.tensors[step.inputs[0].tensor].zero_point
        index = np.arange(count)[:, None] - step.before + np.arange(step.taps) * step.dilation
        inside = (index >= 0) & (index < len(inputs[0]))
        inputs = [np.where(inside[..., None], inputs[0][np.clip(index, 0, len(inputs[0]) - 1)], zero_point)]
    return compute(step, kernel, [array[:count] for array in inputs])


def waveform(program: Program, tensors: dict[int, np.ndarray], frames: int) -> np.ndarray:
    """int16 (hop F,) of what `run_whole` gives."""
    return _seen(program.output, tensors[program.output.tensor], frames).reshape(-1).astype(PCM)


def compute(step: Step, kernel: Kernel, inputs: list[np.ndarray]) -> np.ndarray:
    """Rows of a step's output, int64 (..., channels), from those of its inputs; a convolution's are (..., taps, channels)."""
    run: dict[type, Callable[..., np.ndarray]] = {Sum: kernels.add, Product: kernels.mul}
    match step:
        case Convolution():
            return kernels.conv(kernel, inputs[0])  # type: ignore[arg-type]
        case Table():
            return kernels.table_s8(kernel, inputs[0])  # type: ignore[arg-type]
        case Curve():
            return kernels.table_s16(kernel, inputs[0])  # type: ignore[arg-type]
        case Scaled():
            return kernels.rescale(kernel, inputs[0])  # type: ignore[arg-type]
        case Joined():
            return np.concatenate(inputs, axis=-1)
    return run[type(step)](kernel, *inputs)


def _seen(view: View, array: np.ndarray, frames: int) -> np.ndarray:
    """The rows of a view."""
    rows = array.reshape(len(array) * view.ratio, -1)[view.start : view.start + view.rate * frames + view.extra]
    return rows[:, view.first : view.first + view.channels]


def run_streaming(lowered: Lowered, streaming: Streaming, mel: np.ndarray) -> np.ndarray:
    """int16 (hop F,): frame by frame, with no more rows of each tensor than the schedule keeps. mel: integers (F, n_mels)."""
    return np.concatenate([np.concatenate([np.array([], PCM), *rows]) for rows in Stream(lowered, streaming).run(mel)])


class Stream:
    """The rings of a streaming execution. What a ring no longer holds is a number that no tensor has, so that reading it is noticed."""

    GONE = 1 << 40

    def __init__(self, lowered: Lowered, streaming: Streaming):
        self.lowered, self.streaming = lowered, streaming
        program = lowered.program
        states = streaming.states
        self.rings = [
            np.full((rows, tensor.channels), tensor.zero_point if index in states else self.GONE, np.int64)
            for index, (rows, tensor) in enumerate(zip(streaming.rows, program.tensors, strict=True))
        ]
        self.spectra: dict[int, list[list[np.ndarray]]] = {step.output: [] for step in program.steps if isinstance(step, InverseSTFT)}
        self.frames: int | None = None

    def run(self, mel: np.ndarray) -> Iterator[list[np.ndarray]]:
        """The waveform's rows of each frame, those after the last frame of the mel among them."""
        program = self.lowered.program
        for n in range(len(mel) + self.streaming.latency):
            if n == len(mel):
                self.frames = len(mel)
            if n < len(mel):
                self.rings[program.input][n % len(self.rings[program.input])] = mel[n]
            yield self._tick(0, n)

    def _tick(self, level: int, n: int) -> list[np.ndarray]:
        """Tick n of the rate number `level`, and all ticks of faster rates within it."""
        program, rates = self.lowered.program, self.streaming.rates
        made = [self._step(step, kernel, n) for step, kernel in self.lowered.steps if program.tensors[step.output].rate == rates[level]]
        found = [row for step_rows in made for row in step_rows]
        if level + 1 < len(rates):
            ratio = rates[level + 1] // rates[level]
            for i in range(ratio):
                found += self._tick(level + 1, n * ratio + i)
        return found

    def _step(self, step: Step, kernel: Kernel, n: int) -> list[np.ndarray]:
        program, output = self.lowered.program, self.lowered.program.tensors[step.output]
        t = n - self.streaming.delays[step.output]
        if isinstance(step, InverseSTFT):
            row = self._block(step, kernel, n)
        elif self._inside(t, output.rate, output.extra):
            inputs = [self._rows(step, view, n) for view in step.inputs]
            row = compute(step, kernel, [rows if isinstance(step, Convolution) else rows[0] for rows in inputs])
        if not self._inside(t, output.rate, output.extra):
            return []
        ring = self.rings[step.output]
        assert row.max() < self.GONE >> 1, f"{step.name} reads a row that is gone"
        ring[n % len(ring)] = row
        view = program.output
        if view.tensor != step.output:
            return []
        return [_seen(view, row[None], 1).reshape(-1).astype(PCM)] if view.ratio == 1 else []

    def _block(self, step: InverseSTFT, kernel: Kernel, n: int) -> np.ndarray:
        """The samples that frame t completes, of it and those before it that overlap; there need not be a frame t any more."""
        t = n - self.streaming.view_delay(step.inputs[0]) - self.streaming.backs(step, step.inputs[0])[0]
        spectra = self.spectra[step.output]
        if self._inside(t, 1, 0):
            spectra.append([self._rows(step, view, n)[0] for view in step.inputs])
        first = max(0, t - overlap(step) + 1)
        block = t - overlap(step) // 2
        if block < 0 or (self.frames is not None and block >= self.frames):
            return np.zeros(step.hop, np.int64)
        samples = inverse_stft(kernel, *(np.stack(rows, 1) for rows in zip(*spectra[first:], strict=True)))  # type: ignore[arg-type]
        return samples.reshape(-1, step.hop)[block - first].astype(np.int64)

    def _rows(self, step: Step, view: View, n: int) -> np.ndarray:
        """The rows that a step reads at tick n, (taps, channels)."""
        program, ring = self.lowered.program, self.rings[view.tensor]
        rows = ring.reshape(len(ring) * view.ratio, -1)[:, view.first : view.first + view.channels]
        zero_point = program.tensors[view.tensor].zero_point
        newest = n - self.streaming.view_delay(view)
        backs = self.streaming.backs(step, view)
        assert max(backs) < len(rows)
        inside = [self._inside(newest - back, view.rate, view.extra) for back in backs]
        return np.stack([rows[(n - back) % len(rows)] if there else np.full(view.channels, zero_point) for back, there in zip(backs, inside, strict=True)])

    def _inside(self, t: int, rate: int, extra: int) -> bool:
        """Whether a tensor has a row t."""
        return t >= 0 and (self.frames is None or t < rate * self.frames + extra)
