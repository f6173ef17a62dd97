"""`remote.Command` is made in host_step.py alone, so that every command has its agent."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKER = ROOT / "components" / "host_step.py"
OTHER_MODULES = [
    ROOT / "__main__.py",
    *sorted(path for path in (ROOT / "components").rglob("*.py") if path != MAKER),
    *sorted((ROOT / "policies").rglob("*.py")),
]


def find_commands(tree: ast.AST) -> Iterator[int]:
    """Lines that call or inherit from a `Command`, by whatever name it was imported."""
    names = {"Command"} | {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == "Command"
    }
    for node in ast.walk(tree):
        expressions = [node.func] if isinstance(node, ast.Call) else []
        expressions += node.bases if isinstance(node, ast.ClassDef) else []
        yield from (
            expression.lineno for expression in expressions if _get_name(expression) in names
        )


def _get_name(expression: ast.expr) -> str:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


@pytest.mark.parametrize(
    "planted",
    [
        "from pulumi_command import remote\nremote.Command('a')",
        "import pulumi_command\npulumi_command.remote.Command('a')",
        "from pulumi_command.remote import Command as Run\nRun('a')",
        "from pulumi_command import remote\nclass Mine(remote.Command): ...",
    ],
)
def test_a_planted_command_is_found(planted: str) -> None:
    assert list(find_commands(ast.parse(planted))) == [2]


def test_the_one_maker_is_found_too() -> None:
    assert len(list(find_commands(ast.parse(MAKER.read_text())))) == 1


@pytest.mark.parametrize("path", OTHER_MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_makes_a_command(path: Path) -> None:
    assert list(find_commands(ast.parse(path.read_text()))) == []
