"""Recipes: the ways to compress, each with a name that can be read back. One recipe is one row of every table."""

from dataclasses import dataclass

from ..errors import VcompressError

# method -> the name's stem
METHODS = {
    "fp32": "fp32",
    "dynamic": "dynamic_w8",
    "static": "static_w8a8",
    "mixed": "mixed_w8a8",
    "qat": "qat_w8a8",
    "control": "control_qat_w8a8",
}
FOLDED = "folded_"


@dataclass(frozen=True)
class Recipe:
    """`method`: a key of METHODS; `folded`: what a fixed schedule fixes is folded into constants (diffusion only)."""

    method: str = "fp32"
    folded: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise VcompressError(f"There is no recipe method {self.method!r}; choose one of {', '.join(METHODS)}.")

    @property
    def name(self) -> str:
        """The name of tables and folders."""
        return (FOLDED if self.folded else "") + METHODS[self.method]

    @property
    def integer(self) -> bool:
        """Whether the artifact computes in integers (the control does not)."""
        return self.method in ("dynamic", "static", "mixed", "qat")

    @property
    def calibrated(self) -> bool:
        """Whether its runs hold a scale table."""
        return self.method in ("static", "mixed", "qat")


def find_recipe(name: str) -> Recipe:
    """The recipe of a name. Raises VcompressError when there is none, listing those there are."""
    folded = name.startswith(FOLDED)
    stem = name.removeprefix(FOLDED)
    for method, known in METHODS.items():
        if known == stem:
            return Recipe(method, folded)
    raise VcompressError(f"There is no recipe {name!r}; choose one of {', '.join(METHODS.values())}, each also with {FOLDED} in front for diffusion.")
