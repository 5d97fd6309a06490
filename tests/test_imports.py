"""The floors: who may import whom, and what starts without torch."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import vcompress

ROOT = Path(vcompress.__file__).parent
FLOORS = ("runtime", "vocoders", "compress", "export", "targets", "benchmarks", "cli")
TORCHLESS = ("runtime", "targets", "benchmarks", "cli")
TORCH = {"torch", "torchao", "lightning", "torchvision", "torchaudio"}
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Absolute names of what a file imports, such as "vcompress.runtime.mel", and whether it does when it is itself imported."""
    package = ("vcompress", *path.relative_to(ROOT).parent.parts)
    pending: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text(encoding="utf-8")), True)]
    while pending:
        node, at_once = pending.pop()
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module.split(".") if node.module else ())))
            yield from ((f"{module}.{alias.name}", at_once) for alias in node.names)
        late = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_for_types(node)
        pending.extend((child, at_once and not late) for child in ast.iter_child_nodes(node))


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_only_from_its_own_floor_or_below(path: Path) -> None:
    own = FLOORS.index(path.relative_to(ROOT).parts[0])
    for module, _ in imports(path):
        parts = module.split(".")
        if parts[0] == "vcompress" and len(parts) > 1 and parts[1] in FLOORS:
            assert FLOORS.index(parts[1]) <= own, f"{name(path)} imports {module} from a floor above its own"


@pytest.mark.parametrize("path", [path for path in FILES if path.relative_to(ROOT).parts[0] in TORCHLESS], ids=name)
def test_starts_without_torch(path: Path) -> None:
    at_once = {module.split(".")[0] for module, when in imports(path) if when}
    assert not at_once & TORCH


def test_runtime_never_imports_torch() -> None:
    for path in FILES:
        if path.is_relative_to(ROOT / "runtime"):
            assert not {module.split(".")[0] for module, _ in imports(path)} & TORCH, name(path)


@pytest.mark.parametrize("path", [*FILES, ROOT / "__init__.py", ROOT / "__main__.py", ROOT / "errors.py"], ids=name)
def test_imports_its_own_package_relatively(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "vcompress" for alias in node.names), name(path)
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module is not None and node.module.split(".")[0] != "vcompress", name(path)


def test_every_package_is_listed_for_the_wheel() -> None:
    pyproject = ROOT / "pyproject.toml"
    if not pyproject.is_file():
        pytest.skip("this is an installed wheel")
    listed = set(tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    found = {".".join(("vcompress", *path.parent.relative_to(ROOT).parts)) for path in FILES}
    assert listed == found | {"vcompress"}
