"""What torch's own dynamic quantization makes of WaveRNN: `python -m vcompress.benchmarks.wavernn_dynamic`.

The recurrent layer as GRU over a waveform that is there (as in training), as GRUCell called twice a sample, and as the products of the steps that
ship; float against int8 in turn, on one thread of torch. Time is CPU time; weights are random without --weights.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..runtime.random import RandomStream
from .environment import environment
from .figure import Figure

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..compress.torch_dynamic import Steps
    from ..vocoders.checkpoint import Checkpoint

SHAPES = ("Whole", "Cells", "Products")  # classes of compress/torch_dynamic.py


@dataclass(frozen=True)
class Row:
    """One shape: bytes of its file in float and int8; microseconds of CPU a sample of either, and the ratio.

    snr: of int8's logits against float's, dB, and nats: by how much the likelihood of the waveform is worse, a sample; both with the waveform given.
    """

    shape: str
    bytes: tuple[int, int]
    micros: tuple[Figure, Figure]
    faster: Figure
    snr: float
    nats: float


def measure(checkpoint: "Checkpoint", waveform: np.ndarray, rounds: int) -> list[Row]:
    """A row for each of SHAPES. waveform: float32 (T,) at the checkpoint's rate."""
    import torch

    from ..compress import torch_dynamic as shapes
    from ..runtime.mel import FrontEnd
    from ..vocoders.objectives import SymbolObjective
    from ..vocoders.segments import Batch
    from ..vocoders.wavernn import WaveRNN

    torch.set_num_threads(1)
    network, front_end = checkpoint.build(folded=True), checkpoint.front_end
    assert isinstance(network, WaveRNN) and isinstance(front_end, FrontEnd)
    mel = front_end.mel(waveform)
    samples = torch.from_numpy(waveform[: mel.shape[1] * front_end.hop_length]).reshape(1, 1, -1)
    batch = Batch(torch.from_numpy(mel)[None, :, : samples.shape[2] // front_end.hop_length], samples, 0)
    rows = []
    for name in SHAPES:
        plain = getattr(shapes, name)(network).eval()
        both: tuple[Any, Any] = (plain, shapes.quantized(plain))
        with torch.no_grad():
            forwards = [module if name == "Whole" else _taught(module) for module in both]
            runs: list[Callable[[], object]] = [
                (lambda f=f: f(batch.waveform, batch.mel)) if name == "Whole" else (lambda m=m: shapes.generate(m, batch.mel, front_end.hop_length, 0))  # type: ignore[misc]
                for f, m in zip(forwards, both, strict=True)
            ]
            taken = np.array([[_cpu(run) for run in runs] for _ in range(rounds + 1)][1:]) / batch.waveform.shape[2] * 1e6
            logits = [torch.cat(forward(batch.waveform, batch.mel), 1).flatten() for forward in forwards]
            losses = [SymbolObjective().loss(forward, batch).item() for forward in forwards]
        snr = 10 * torch.log10(logits[0].square().sum() / (logits[0] - logits[1]).square().sum()).item()
        micros = [Figure.median_of(column.tolist()) for column in taken.T]
        ratio = Figure.median_of((taken[:, 0] / taken[:, 1]).tolist())
        rows.append(Row(name, (_bytes(both[0]), _bytes(both[1])), (micros[0], micros[1]), ratio, snr, losses[1] - losses[0]))
    return rows


def _taught(steps: "Steps") -> Callable[["Tensor", "Tensor"], "tuple[Tensor, Tensor]"]:
    """Logits of all samples of a waveform that is there, step by step."""
    import torch

    from ..vocoders.wavernn import seen_symbols

    def forward(waveform: "Tensor", mel: "Tensor") -> "tuple[Tensor, Tensor]":
        seen, frames = seen_symbols(waveform), steps.frames(mel)
        states, found = [torch.zeros(1, steps.units)] * 2, []
        for t in range(seen.shape[2]):
            given, state = frames[t * len(frames) // seen.shape[2]], torch.cat(states, 1)
            done = [steps.step(half, state, seen[:, : 2 + half, t], given[half]) for half in range(2)]
            states = [own for _, own in done]
            found.append([logits for logits, _ in done])
        coarse, fine = (torch.stack(half, 2) for half in zip(*found, strict=True))
        return coarse, fine

    return forward


def _cpu(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _bytes(module: "nn.Module") -> int:
    import torch

    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    return file.tell()


def export_refusal(checkpoint: "Checkpoint") -> str:
    """What torch.onnx.export says to a quantized layer; "" where it takes it."""
    import torch

    from ..compress.torch_dynamic import Whole, quantized
    from ..runtime.quiet import quiet

    layer = quantized(Whole(checkpoint.build(folded=True)).eval()).layer  # type: ignore[arg-type]
    try:
        with quiet("torch", "torch.onnx", "onnxscript"), tempfile.TemporaryDirectory() as folder:
            torch.onnx.export(layer, (torch.zeros(1, 4, layer.input_size),), str(Path(folder) / "layer.onnx"), dynamo=True, verbose=False)  # type: ignore[arg-type, union-attr]
    except Exception as error:  # whatever it raises is the answer
        return " ".join(str(error.__cause__ or error).split())[:200]
    return ""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m vcompress.benchmarks.wavernn_dynamic", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--sizes", nargs="+", default=["S", "M", "L"])
    parser.add_argument("--weights", type=Path, help="of one size")
    parser.add_argument("--audio", type=Path, help="what the likelihood is of; noise without it")
    parser.add_argument("--frames", type=int, default=4, help="of audio a run")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    import torch

    from ..runtime.audio import read_audio
    from ..runtime.mel import FrontEnd
    from ..vocoders.checkpoint import new_checkpoint, read_checkpoint
    from ..vocoders.registry import find_family

    checkpoints = [read_checkpoint(given.weights, "wavernn")] if given.weights else []
    family = find_family("wavernn")
    for size in given.sizes if not checkpoints else ():
        torch.manual_seed(0)
        weights = {key: value.detach() for key, value in family.network(family.sizes[size]).state_dict().items()}
        checkpoints.append(new_checkpoint(family, size, FrontEnd(hop_length=family.sizes[size].hop_length), weights=weights))
    print(f"WaveRNN by torch {torch.__version__} ({torch.backends.quantized.engine}), one thread of {environment()['machine']}\n")
    print("| size | shape | float, kB | int8, kB | float, us a sample | int8, us a sample | faster | SNR of logits, dB | nats a sample lost |")
    print("|---|---|---|---|---|---|---|---|---|")
    for checkpoint in checkpoints:
        front_end = checkpoint.front_end
        count = given.frames * front_end.hop_length
        waveform = read_audio(given.audio, front_end.sample_rate) if given.audio else RandomStream(0).normal((count,)) * np.float32(0.1)
        middle = max(0, (len(waveform) - count) // 2)
        for row in measure(checkpoint, waveform[middle : middle + count], given.rounds):
            times = " | ".join(f"{figure.value:.0f}" for figure in row.micros)
            sizes = " | ".join(f"{size / 1e3:,.0f}" for size in row.bytes)
            print(f"| {checkpoint.size} | {row.shape} | {sizes} | {times} | {row.faster.value:.2f} x | {row.snr:.1f} | {row.nats:.4f} |", flush=True)
    print(f"\nONNX export of the quantized layer: {export_refusal(checkpoints[0]) or 'it is exported'}")


if __name__ == "__main__":
    main()
