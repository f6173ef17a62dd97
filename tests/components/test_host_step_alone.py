"""`remote.Command` is made in host_step.py alone, so that every command has its agent."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from components import host_step
from node.verbs.install import BOOTSTRAP
from sparkform.plan.steps import hold_step

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


@pytest.mark.parametrize(
    "command",
    [
        host_step.INSTALL,
        host_step.GIVE_BACK,
        host_step._undo("fabric_address"),
        host_step._defer(hold_step("spark-1", "agent"), ()).update,
    ],
)
def test_a_login_shell_that_is_a_csh_or_fish_reads_each_command_as_a_shell_does(
    command: str,
) -> None:
    """A csh wants its quotes closed on the line, replaces exclamation marks even in quotes, and
    takes `>&2` for a file; fish halves backslashes in quotes."""
    assert not {"\n", "!", "\\\\"} & {*command, *zip_pairs(command)}
    unquoted = "".join(command.split("'")[::2])
    assert ">&" not in unquoted
    assert "$" not in unquoted


def zip_pairs(text: str) -> list[str]:
    return [first + second for first, second in pairwise(text)]


def test_the_installer_is_handed_over_whole() -> None:
    *_, code = shlex.split(host_step.INSTALL)
    (call,) = ast.parse(code).body
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    assert ast.literal_eval(call.value.args[0]) == BOOTSTRAP
