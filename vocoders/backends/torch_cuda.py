"""torch on an NVIDIA GPU."""

from collections.abc import Sequence

import torch

from ...errors import VcompressError
from ...runtime.artifact import Artifact
from .torch_session import TorchSession, Variant


def load(artifact: Artifact, threads: int, words: Sequence[str] = ()) -> TorchSession:
    """Open every graph on the GPU. words: fp32, tf32, fp16 or bf16; eager, compiled or graphs. Raises VcompressError without a GPU."""
    variant = Variant.of("torch-cuda", words)
    if not torch.cuda.is_available():
        raise VcompressError(f"The back end torch-cuda needs an NVIDIA GPU, and torch {torch.__version__} sees none here; take --backend torch-cpu.")
    return TorchSession(artifact, threads, "cuda", variant)
