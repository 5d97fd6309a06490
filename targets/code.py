"""A vocoder as C code for a target: what of the target the code depends on, and what there is to be compiled."""

from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import VcompressError
from ..export.c.program import TargetFacts
from ..runtime.artifact import Artifact
from .profile import Profile

if TYPE_CHECKING:
    from ..export.c.program import Program

AVR = "AVR"  # how the core of such a profile begins
LARGEST_ON_AVR = 32_767  # bytes of an array: an int has 16 bits


def target_facts(profile: Profile) -> TargetFacts:
    """For the C export; a computer is told nothing that a microcontroller is."""
    if profile.core.startswith(AVR):
        return TargetFacts(profile.name, profile.requantization, packed=True, largest_object=LARGEST_ON_AVR)
    return TargetFacts(profile.name, profile.requantization or "q31")


class CodeForm:
    """An artifact as a program of integer steps, read when it is first asked for."""

    def __init__(self, artifact: Artifact):
        self._artifact = artifact

    @cached_property
    def program(self) -> "Program | str":
        """The program, or why there is none. Reading needs onnx and onnx_ir."""
        try:
            from ..export.c.derived import program_of
        except ModuleNotFoundError as error:
            return f"reading a graph as C needs {error.name}, which is not installed"
        try:
            return program_of(self._artifact.folder, self._artifact.manifest)
        except VcompressError as error:
            return str(error).removesuffix(".")
