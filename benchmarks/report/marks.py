"""How vocoders and recipes are told apart in every chart: a vocoder by its colour, a recipe by its shape, folded rows by hollow marks."""

from collections.abc import Sequence

from ...compress.recipes import unpruned
from ..rows import Row, recipe_word

SHAPES = {"fp32": "circle", "static": "square", "qat": "diamond", "control": "triangle", "dynamic": "down", "mixed": "cross", "symmetric": "hexagon"}
SERIES = 8  # colours that there are; further vocoders share them
# Of a mark 16 units wide, for a legend in the page
PATHS = {
    "circle": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "square": "M-4.5 -4.5h9v9h-9z",
    "diamond": "M0 -6.2L6.2 0L0 6.2L-6.2 0z",
    "triangle": "M0 -5.7L5.5 4.5H-5.5z",
    "down": "M0 5.7L5.5 -4.5H-5.5z",
    "hexagon": "M0 -5.7L5 -2.9V2.9L0 5.7L-5 2.9V-2.9z",
    "cross": "M-3 -5.5L0 -2.5L3 -5.5L5.5 -3L2.5 0L5.5 3L3 5.5L0 2.5L-3 5.5L-5.5 3L-2.5 0L-5.5 -3z",
}


def plain_word(recipe: str) -> str:
    """A recipe's word, whether folded or not: "static", "qat"."""
    return recipe_word(recipe).removeprefix("folded ")


def shape_of(recipe: str) -> str:
    """The mark's shape of a recipe, pruned or not."""
    word = plain_word(unpruned(recipe))
    return SHAPES.get("control" if word.startswith("control") else word, "cross")


def series_of(rows: Sequence[Row]) -> dict[str, int]:
    """Vocoder -> the number of its colour."""
    return {name: i % SERIES for i, name in enumerate(dict.fromkeys(row.name for row in rows))}


def recipe_shapes(rows: Sequence[Row]) -> dict[str, str]:
    """Word of a recipe -> its shape, in the order of the rows."""
    return {plain_word(row.recipe): shape_of(row.recipe) for row in rows}
