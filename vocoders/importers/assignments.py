"""A configuration that is Python: what its plain assignments say, read and not run."""

import ast
from collections.abc import Iterator
from typing import Any


def read_assignments(text: str) -> tuple[dict[str, Any], set[str]]:
    """`name = literal` of a Python file, and the names that get a value in any other way: by a computation, an import, a condition.

    Raises SyntaxError, ValueError, RecursionError or MemoryError where the text is no Python.
    """
    values: dict[str, Any] = {}
    computed: set[str] = set()
    for statement in ast.parse(text).body:
        names = set(_bound(statement))
        try:
            value = _literal(statement)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            computed |= names | (set(values) if "*" in names else set())
            continue
        values |= dict.fromkeys(names, value)
        computed -= names
    return {name: value for name, value in values.items() if name not in computed}, computed


def _literal(statement: ast.stmt) -> Any:
    """The value that a plain assignment gives. Raises ValueError for any other statement."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
        raise ValueError
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    if not all(isinstance(target, ast.Name) for target in targets):
        raise ValueError
    return ast.literal_eval(statement.value)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Every name that a statement may give a value; * where that cannot be known."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
