"""WaveRNN's whole loop as one graph in ONNX Runtime, from the mel and the random numbers to the samples."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...errors import VcompressError
from ..artifact import Artifact
from ..random import RandomStream
from ..samplers import Tensors
from .onnxruntime_cpu import facts, open_session

FORMAT, LOOP, FILE = "onnx-loop", "loop", "loop.onnx"
WORDS = 2  # of random numbers a sample: coarse, fine


class OnnxLoopSession:
    """A graph `loop`, from the mel to the samples, and nothing else."""

    def __init__(self, artifact: Artifact, threads: int):
        self._path = artifact.derived_path(FORMAT, LOOP)
        self._session = open_session(self._path, threads)
        self.sampler = {**artifact.manifest.sampler, "loop": "mel"}
        self.environment = facts(threads)

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """mel: float32 (1, n_mels, F), hop_length and seed -> samples: int16 (hop F,)."""
        if graph != LOOP:
            raise KeyError(graph)
        count = inputs["mel"].shape[2] * int(inputs["hop_length"][0])
        words = RandomStream(int(inputs["seed"][0])).words(WORDS * count) >> np.uint64(32)
        return {"samples": self._run({"mel": inputs["mel"], "words": words.astype(np.uint32).reshape(count, WORDS)})}

    def _run(self, inputs: Tensors) -> np.ndarray:
        """In a thread of its own, so that Ctrl-C is heard: one run is the whole utterance."""
        from onnxruntime import RunOptions

        options = RunOptions()
        options.log_severity_level = 4  # it would print that it was ended
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._session.run, ["samples"], inputs, options)
            try:
                return np.asarray(running.result()[0])
            except Exception as error:  # ONNX Runtime's exceptions share no base class
                raise VcompressError(f"ONNX Runtime cannot run {self._path} ({str(error).splitlines()[0]}); export the artifact again.") from None
            except BaseException:
                options.terminate = True
                raise


def load(artifact: Artifact, threads: int) -> OnnxLoopSession:
    """Open the loop's graph. Raises VcompressError where the artifact was exported without it."""
    return OnnxLoopSession(artifact, threads)
