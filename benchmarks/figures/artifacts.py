"""Artifacts of all configurations, for what does not depend on training: bytes and time.

Their weights are those that come with the package where there are any, else random ones from a fixed seed, calibrated all the
same. They lie in `speed/` below the workspace, so that no command takes them for trained runs.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.artifact import MANIFEST, Artifact
from ...runtime.files import sha256 as file_sha256
from ...runtime.workspace import Run, Workspace
from ...vocoders.catalogue import CatalogueRow, catalogue

if TYPE_CHECKING:
    from ...compress.folded import FoldedVocoder
    from ...vocoders.checkpoint import Checkpoint

PLACE = "speed"
FP32, INT8, SYMMETRIC, FOLDED = "fp32", "static_w8a8", "symmetric_w8a8", "folded_"
SEED, CLIPS, FRAMES = 0, 2, 24
RANDOM = f"random weights, seed {SEED}"

Say = Callable[[str], None]


def configurations() -> tuple[CatalogueRow, ...]:
    """Every family and size, in the order of the catalogue."""
    return catalogue()


def name_of(configuration: CatalogueRow) -> str:
    """The name of its runs, such as "hifigan-s"."""
    return f"{configuration.family}-{configuration.size.lower()}"


def recipes_of(configuration: CatalogueRow) -> tuple[str, ...]:
    """fp32 and static int8, and where there is a schedule to fold also these folded."""
    recipes = (FP32, INT8)
    return (*recipes, *(FOLDED + recipe for recipe in recipes)) if configuration.network_calls > 1 else recipes


@dataclass(frozen=True)
class Maker:
    """Makes the artifacts of one configuration below `root`; one that is there is used again."""

    root: Path
    configuration: CatalogueRow
    say: Say = lambda text: None

    @cached_property
    def weights(self) -> str:
        """Which weights these are, in words; another word makes another artifact."""
        from ...vocoders.checkpoint import shipped_checkpoint

        shipped = shipped_checkpoint(self.configuration.family, self.configuration.size)
        return f"trained weights {shipped.name} {file_sha256(shipped)[:8]}" if shipped else RANDOM

    @cached_property
    def rules(self) -> str:
        """What stays in float and what gets 16 bits, as a short hash: other rules make another int8 artifact."""
        from ...vocoders.registry import find_family

        family = find_family(self.configuration.family)
        config = family.sizes[self.configuration.size]
        rules = sorted(family.floats(config)), sorted(family.wide(config))
        return sha256(json.dumps(rules).encode()).hexdigest()[:8]

    def checkpoint(self) -> "Checkpoint":
        """The weights of the package, or new ones: as the network's own initialisation draws them."""
        import torch

        from ...vocoders.checkpoint import TrainingFacts, new_checkpoint, read_checkpoint, shipped_checkpoint
        from ...vocoders.registry import find_family

        family, size = find_family(self.configuration.family), self.configuration.size
        if shipped := shipped_checkpoint(family.name, size):
            return read_checkpoint(shipped, family.name, size)
        torch.manual_seed(SEED)
        weights = {key: value.detach() for key, value in family.network(family.sizes[size]).state_dict().items()}
        front_end = family.front_end(family.sizes[size])
        return new_checkpoint(family, size, front_end, TrainingFacts(objective="no", seed=SEED), weights)

    def artifact(self, recipe: str) -> Artifact:
        """The artifact of a recipe. Raises VcompressError where it cannot be made or written."""
        run = self._run(recipe)
        if (run.artifact / MANIFEST).is_file():
            return Artifact.open(run.artifact)
        from ...compress.bits import Bits
        from ...compress.folded import FoldedVocoder
        from ...compress.recipes import find_recipe
        from ...compress.scale_table import ScaleTable
        from ...compress.static import SCALES
        from ...export.artifact_writer import write_artifact

        table = bits = None
        if find_recipe(recipe).calibrated:
            calibrated = self._calibrated(recipe.removeprefix(FOLDED)).folder
            vocoder, table, bits = FoldedVocoder.read(calibrated), ScaleTable.read(calibrated / SCALES), Bits.read(calibrated)
        else:
            vocoder = FoldedVocoder.of(self.checkpoint())
        self.say(f"exporting {name_of(self.configuration)} {recipe}")
        return write_artifact(vocoder, find_recipe(recipe), name_of(self.configuration), run.artifact, table, bits=bits)

    def _calibrated(self, recipe: str) -> Run:
        """The run that holds folded weights and scales."""
        from ...compress.bits import Bits
        from ...compress.folded import FoldedVocoder
        from ...compress.static import quantize_static

        run = self._run(recipe)
        if not run.complete:
            self.say(f"calibrating {name_of(self.configuration)}")
            vocoder = FoldedVocoder.of(self.checkpoint())
            bits = Bits.of(vocoder.family, vocoder.trained.config, symmetric=True) if recipe == SYMMETRIC else None
            quantize_static(vocoder, self._mels(vocoder), run.folder, bits=bits)
            run = run.update(complete=True)
        return run

    def _mels(self, vocoder: "FoldedVocoder") -> list:
        from ..workload import steady_mel

        return [steady_mel(vocoder.front_end, FRAMES + index) for index in range(CLIPS)]

    def _run(self, recipe: str) -> Run:
        """The run of a recipe with these weights, begun where there is none."""
        workspace, name = Workspace(self.root / PLACE), name_of(self.configuration)
        facts = {"weights": self.weights} | ({"rules": self.rules} if recipe.endswith((INT8, SYMMETRIC)) else {})
        found = next(workspace.runs(name=name, recipe=recipe, **facts), None)
        return found or workspace.new_run(self.configuration.family, self.configuration.size, recipe, name, **facts)
