"""The configuration of a public code base: JSON, YAML or Python, of which nothing is executed."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import VcompressError
from .assignments import read_assignments


class Settings:
    """Keys and values with the name of the file they are from. Each getter raises VcompressError where a value is missing or of another kind.

    `computed`: names whose values the file computes, which is not done here.
    """

    def __init__(self, values: Mapping[str, Any], source: str, computed: Collection[str] = ()):
        self.values, self.source, self.computed = dict(values), source, computed

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def get(self, key: str, default: Any = None) -> Any:
        """The value as it is."""
        return self.values.get(key, default)

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number above 0."""
        value = self._need(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value <= 0:
            raise self._wrong(key, value, "a whole number above 0")
        return int(value)

    def real(self, key: str, default: float | None = None) -> float:
        """A number."""
        value = self._need(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, value, "a number")
        return float(value)

    def wholes(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers above 0, at least one."""
        return self._wholes(key, self._need(key, None))

    def lists(self, key: str) -> tuple[tuple[int, ...], ...]:
        """A list of lists of whole numbers above 0."""
        value = self._need(key, None)
        if not isinstance(value, list | tuple) or not value:
            raise self._wrong(key, value, "a list of lists of whole numbers")
        return tuple(self._wholes(key, row) for row in value)

    def reals(self, key: str) -> tuple[float, ...]:
        """A list of numbers, at least one."""
        value = self._need(key, None)
        if not isinstance(value, list | tuple) or not value or not all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
            raise self._wrong(key, value, "a list of numbers")
        return tuple(map(float, value))

    def part(self, key: str) -> "Settings":
        """A section."""
        value = self._need(key, None)
        if not isinstance(value, Mapping):
            raise self._wrong(key, value, "a section of its own")
        return Settings(value, f"{key} in {self.source}")

    def must(self, key: str, wanted: Any, why: str) -> None:
        """Raises VcompressError where a value is given that is not the one wanted."""
        self._check_plain(key)
        if key in self.values and self.values[key] != wanted:
            raise VcompressError(f"{self.source} has {key} {self.values[key]!r}, and {why}; only {wanted!r} can be imported.")

    def only(self, known: Iterable[str]) -> None:
        """Raises VcompressError for a key that is not among those known: it may change what the network computes."""
        for key in self.values:
            if key not in known:
                raise VcompressError(f"{self.source} has {key}, which vcompress does not know and so cannot honour; use a model without it.")

    def _wholes(self, key: str, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not value or not all(isinstance(item, int) and not isinstance(item, bool) and item > 0 for item in value):
            raise self._wrong(key, value, "a list of whole numbers above 0")
        return tuple(value)

    def _need(self, key: str, default: Any) -> Any:
        self._check_plain(key)
        value = self.values.get(key)
        value = default if value is None else value
        if value is None:
            raise VcompressError(f"{self.source} does not say {key}; give the configuration that the model was trained with.")
        return value

    def _check_plain(self, key: str) -> None:
        if key in self.computed:
            raise VcompressError(f"{self.source} computes {key}, and no configuration is run; write its value there.")

    def _wrong(self, key: str, value: Any, wanted: str) -> VcompressError:
        return VcompressError(f"{self.source} has {key} {value!r}, which is not {wanted}; give the configuration that the model was trained with.")


def read_settings(path: Path) -> Settings:
    """A JSON or YAML file, or the plain assignments of a Python file. Raises VcompressError when it is missing or is none of these."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise VcompressError(f"The configuration {path} cannot be read ({error.strerror}); check the path.") from None
    except UnicodeDecodeError:
        raise VcompressError(f"{path} is not a configuration in JSON, YAML or Python; give the one that the model was trained with.") from None
    if path.suffix.lower() == ".py":
        return _python(text, str(path))
    return parse_settings(text, str(path))


def parse_settings(text: str, source: str) -> Settings:
    """Settings from text; the documents of a YAML stream are put together."""
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = _yaml(text, source)
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise VcompressError(f"{source} is not a configuration in JSON or YAML; give the one that the model was trained with.")
    return Settings({key: value for document in documents for key, value in document.items()}, source)


def _python(text: str, source: str) -> Settings:
    try:
        values, computed = read_assignments(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise VcompressError(f"{source} is not a configuration in Python; give the one that the model was trained with.") from None
    return Settings(values, source, computed)


def _yaml(text: str, source: str) -> list[Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Objects of Python become the values they are written with: args.yml of MelGAN is a dump of its command line."""

    def plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", plain)
    try:
        return [document for document in yaml.load_all(text, Loader) if document is not None]
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise VcompressError(f"{source} is not a configuration in JSON or YAML; give the one that the model was trained with.") from None
