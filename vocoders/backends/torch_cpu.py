"""torch on the CPU: what the same graphs cost there, and the reference for the back end of the GPU."""

from collections.abc import Sequence

from ...runtime.artifact import Artifact
from .torch_session import TorchSession, Variant


def load(artifact: Artifact, threads: int, words: Sequence[str] = ()) -> TorchSession:
    """Open every graph with `threads` threads. words: fp32 or bf16, eager or compiled. Raises VcompressError for others."""
    return TorchSession(artifact, threads, "cpu", Variant.of("torch-cpu", words))
