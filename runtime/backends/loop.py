"""WaveRNN's loop compiled by this machine's own compiler; its conditions come from ONNX Runtime, once for an utterance."""

import numpy as np

from ...errors import VcompressError
from ..artifact import Artifact
from ..samplers import Tensors
from ..wavernn.kernel import Kernel
from ..wavernn.steps import Steps
from .onnxruntime_cpu import OnnxRuntimeSession

FORMAT, STEPS, FILE = "loop", "steps", "steps.npz"
CONDITIONER = "conditioner"


class LoopSession:
    """`conditioner` as ONNX Runtime computes it, and a graph `loop`, from its conditions to the samples, on one thread."""

    def __init__(self, artifact: Artifact, threads: int):
        self._kernel = Kernel(Steps.read(artifact.derived_path(FORMAT, STEPS)))
        self._graphs = OnnxRuntimeSession(artifact, threads)
        self.sampler = {**artifact.manifest.sampler, "loop": "conditions"}
        self.environment = {**self._graphs.environment, "loop": self._kernel.name}

    def run(self, graph: str, inputs: Tensors) -> Tensors:
        """condition_coarse, condition_fine: int16 (1, F, 3 units of a half), hop_length and seed -> samples: int16 (hop F,). Or any graph of the artifact."""
        if graph != "loop":
            return self._graphs.run(graph, inputs)
        conditions = [inputs[f"condition_{half}"] for half in ("coarse", "fine")]
        if any(condition.dtype != np.int16 for condition in conditions):
            raise VcompressError("The conditions of this artifact are no 16-bit integers, which the loop needs; export its run again.")
        return {"samples": self._kernel.generate(conditions[0][0], conditions[1][0], int(inputs["hop_length"][0]), int(inputs["seed"][0]))}


def load(artifact: Artifact, threads: int) -> LoopSession:
    """Compile the loop. Raises VcompressError where the artifact was exported without it, or there is no compiler."""
    return LoopSession(artifact, threads)
