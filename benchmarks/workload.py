"""What is run when time, memory or operations are measured: a mel (or note) that is the same everywhere, and the graph calls it leads to."""

import numpy as np

from ..errors import VcompressError
from ..runtime.artifact import Artifact
from ..runtime.backends import Session
from ..runtime.front_ends import AnyFrontEnd
from ..runtime.notes import NoteFrontEnd
from ..runtime.random import RandomStream
from ..runtime.samplers import Tensors
from ..runtime.synthesis import synthesize


def frames_of(front_end: AnyFrontEnd, seconds: float) -> int:
    """Frames of about so many seconds, at least one, and no more than a note may have."""
    frames = max(1, round(seconds * front_end.sample_rate / front_end.hop_length))
    return min(frames, front_end.frames) if isinstance(front_end, NoteFrontEnd) else frames


def steady_mel(front_end: AnyFrontEnd, frames: int) -> np.ndarray:
    """float32 (n_mels, frames), uniform in [0, 1): no clip has to be at hand, and the values do not change how long a network takes.

    Of a vocoder that is given notes, the codes of one.
    """
    if isinstance(front_end, NoteFrontEnd):
        return front_end.codes(front_end.example, frames)
    words = RandomStream(0).words(front_end.n_mels * frames)
    return (words >> np.uint64(40)).astype(np.float32).reshape(front_end.n_mels, frames) * np.float32(2**-24)


class Recorder:
    """A session that remembers the inputs of the last call of each graph, and runs each but once: a sampler's steps are alike in shape."""

    def __init__(self, session: Session):
        self.session, self.environment, self.sampler = session, session.environment, getattr(session, "sampler", None)
        self.inputs: dict[str, Tensors] = {}
        self._outputs: dict[str, Tensors] = {}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """See Session."""
        self.inputs[graph] = inputs
        if graph not in self._outputs:
            self._outputs[graph] = self.session.run(graph, inputs)
        return self._outputs[graph]


class Batched:
    """A session in which every call is made for `count` equal utterances at once. The sampler's own arithmetic is made for one of them."""

    def __init__(self, session: Session, count: int, backend: str):
        if not hasattr(session, "run_batch"):
            raise VcompressError(f"The back end {backend} makes one utterance at a time; leave out --batch, or take torch-cuda or torch-cpu.")
        self.session, self.count, self.environment = session, count, session.environment

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """See Session."""
        outputs: Tensors = self.session.run_batch(graph, inputs, self.count)
        return outputs


def graph_inputs(artifact: Artifact, session: Session, frames: int) -> dict[str, Tensors]:
    """What each graph is given in a synthesis of so many frames (a graph called several times: its last call, fed with the outputs of its first)."""
    recorder = Recorder(session)
    synthesize(artifact, recorder, steady_mel(artifact.manifest.front_end, frames))
    return recorder.inputs
