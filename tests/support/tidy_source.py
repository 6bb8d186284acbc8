"""A Python file as the rules see it: text, lines, comments and syntax tree, each read once."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file: `path` relative to the repository, and its text, parsed and walked once."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[Function]:
        return [n for n in self.nodes if isinstance(n, Function)]

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """Line number and text of each comment."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT]

    @property
    def part(self) -> str:
        """The path inside the package: `core/cells.py`."""
        return self.path.removeprefix("src/tieout/")

    @property
    def in_product(self) -> bool:
        return self.path.startswith("src/tieout/")

    @property
    def in_sim(self) -> bool:
        return self.part.startswith("sim/")

    @property
    def in_core(self) -> bool:
        return self.part.startswith("core/")


def imported(node: ast.AST) -> list[str]:
    """The dotted names an import statement brings in; empty for any other node."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "."]
    return []


def within(name: str, prefixes: Iterable[str]) -> bool:
    """Whether `name` is one of the dotted `prefixes` or below one."""
    return any(name == p or name.startswith(f"{p}.") for p in prefixes)


def at(node: ast.AST) -> int:
    """The line of a node."""
    return getattr(node, "lineno", 1)


def dotted(node: ast.AST) -> str:
    """`a.b.c` for an attribute chain; the empty string for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
