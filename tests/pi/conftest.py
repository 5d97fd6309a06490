"""Artifacts that the tests of emulated Raspberry Pis share."""

import pytest
from emulated import Make, exported

from vcompress.compress.recipes import Recipe
from vcompress.runtime.artifact import Artifact


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """`artifact("vocos-nano", STATIC)`, exported when it is first asked for."""
    made: dict[tuple[str, Recipe], Artifact] = {}

    def make(name: str, recipe: Recipe) -> Artifact:
        if (name, recipe) not in made:
            made[name, recipe] = exported(name, recipe, tmp_path_factory.mktemp(name) / recipe.name)
        return made[name, recipe]

    return make
