"""The code of the repository as syntax trees."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache

from paths import ROOT


@cache
def program() -> dict[str, ast.Module]:
    """Path -> syntax tree, for everything but the tests."""
    folders = (ROOT / name for name in ("rtswap", "training", "scripts", "benchmarks"))
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted(files)}


@cache
def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All of a syntax tree, which every rule looks at."""
    return tuple(ast.walk(tree))


@cache
def networks() -> frozenset[str]:
    """Names of those that ship."""
    return frozenset(tomllib.loads((ROOT / "rtswap/assets/networks.toml").read_text()))


def imports(tree: ast.AST) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every import with its full name; ``from rtswap import types`` counts as rtswap.core.types."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "rtswap":
            yield from ((node, f"rtswap.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, f"{'.' * node.level}{node.module or ''}"
