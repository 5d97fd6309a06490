"""Recipes: the ways to compress, each with a name that can be read back. One recipe is one row of every table."""

from dataclasses import dataclass, replace

from ..errors import VcompressError
from .sparsity import PATTERN as PRUNED
from .sparsity import Pruning as Pruning

# method -> the name's stem
METHODS = {
    "fp32": "fp32",
    "dynamic": "dynamic_w8",
    "static": "static_w8a8",
    "symmetric": "symmetric_w8a8",
    "mixed": "mixed_w8a8",
    "qat": "qat_w8a8",
    "control": "control_qat_w8a8",
}
PRUNED_METHODS = {**METHODS, "untouched": "control_fp32"}  # the control of the pruning itself
FOLDED, CONTROL = "folded_", "control_"


@dataclass(frozen=True)
class Recipe:
    """`method`: a key of METHODS, or of PRUNED_METHODS where there is a `pruning`; `folded`: what a fixed schedule fixes is folded into constants
    (diffusion only). A control has the training of the recipe whose name follows, and nothing of its compression: neither zeros nor rounding.
    """

    method: str = "fp32"
    folded: bool = False
    pruning: Pruning | None = None

    def __post_init__(self) -> None:
        if self.method not in (PRUNED_METHODS if self.pruning else METHODS):
            raise VcompressError(f"There is no recipe method {self.method!r}; choose one of {', '.join(METHODS)}.")

    @property
    def name(self) -> str:
        """The name of tables and folders."""
        stem = PRUNED_METHODS[self.method]
        control = CONTROL if stem.startswith(CONTROL) else ""
        pruned = f"{self.pruning}_" if self.pruning else ""
        return (FOLDED if self.folded else "") + control + pruned + stem.removeprefix(CONTROL)

    @property
    def control(self) -> bool:
        """Whether it is the control of another recipe."""
        return self.method in ("control", "untouched")

    @property
    def symmetric(self) -> bool:
        """Whether its activations are signed with zero point 0, and its graphs as TensorRT wants them."""
        return self.method == "symmetric"

    @property
    def its_control(self) -> "Recipe":
        """The control of a recipe that is trained."""
        return replace(self, method="untouched" if self.method == "fp32" else "control")

    @property
    def integer(self) -> bool:
        """Whether the artifact computes in integers (the control does not)."""
        return self.calibrated or self.method == "dynamic"

    @property
    def calibrated(self) -> bool:
        """Whether its runs hold a scale table."""
        return self.method in ("static", "symmetric", "mixed", "qat")

    @property
    def source(self) -> "Recipe":
        """The recipe whose run it starts from; of one in fp32 itself."""
        return Recipe("untouched" if self.control and self.pruning else "fp32", pruning=self.pruning)


def unpruned(name: str) -> str:
    """The name of a recipe without its pruning: "prune50_qat_w8a8" -> "qat_w8a8", "control_prune50_fp32" -> "control_fp32"."""
    return PRUNED.sub("", name, count=1)


def pruning_of(name: str) -> str:
    """The pruning in the name of a recipe, "" where there is none: "control_prune50_qat_w8a8" -> "prune50"."""
    found = PRUNED.search(name)
    return found[0].removesuffix("_") if found else ""


def find_recipe(name: str) -> Recipe:
    """The recipe of a name. Raises VcompressError when there is none, listing those there are."""
    folded, stem = name.startswith(FOLDED), name.removeprefix(FOLDED)
    control, stem = CONTROL if stem.startswith(CONTROL) else "", stem.removeprefix(CONTROL)
    found = PRUNED.match(stem)
    pruning = Pruning.found(found) if found else None
    stem = control + (stem[found.end() :] if found and pruning else stem)
    for method, known in (PRUNED_METHODS if pruning else METHODS).items():
        if known == stem and (recipe := Recipe(method, folded, pruning)).name == name:
            return recipe
    raise VcompressError(
        f"There is no recipe {name!r}; choose one of {', '.join(METHODS.values())}, each also with {FOLDED} in front for diffusion, "
        "and pruned as in prune50_qat_w8a8 or channels50_qat_w8a8."
    )
