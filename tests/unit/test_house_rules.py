"""The limits of CONTRIBUTING.md, held by the syntax tree, each with a planted violation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = (
    *("sparkform", "components", "node", "policies"),
    *("rack", "toolchain", "demo", "benchmarks", "automation"),
)
MODULE_LINES = 300
FUNCTION_LINES = 50


@cache
def text_of(path: Path) -> str:
    return path.read_text()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


SOURCES = sorted(path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py"))


def imported_packages(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def long_functions(tree: ast.AST) -> list[str]:
    return [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]


def test_a_long_function_is_found() -> None:
    planted = "def f():\n" + "    x = 1\n" * FUNCTION_LINES
    assert long_functions(ast.parse(planted)) == ["f has 51 lines"]


def test_a_forbidden_import_is_found() -> None:
    planted = ast.parse("import pulumi.runtime\nfrom pulumi_command import remote\n")
    assert set(imported_packages(planted)) == {"pulumi", "pulumi_command"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    assert len(text_of(path).splitlines()) <= MODULE_LINES
    assert long_functions(tree_of(path)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "sparkform").rglob("*.py")), ids=str)
def test_the_control_side_imports_no_pulumi(path: Path) -> None:
    packages = set(imported_packages(tree_of(path)))
    assert not {name for name in packages if name.startswith("pulumi")}


@pytest.mark.parametrize("folder", ["rack", "toolchain"])
def test_what_stands_beside_the_product_knows_only_its_errors_and_its_border(folder: str) -> None:
    modules = {
        node.module
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    ours = {name for name in modules if name.split(".")[0] in {"sparkform", "node", "components"}}
    assert ours <= {"sparkform.errors", "node.system", "node.hub.lock"}


@pytest.mark.parametrize("path", sorted((ROOT / "node").rglob("*.py")), ids=str)
def test_what_runs_on_a_spark_needs_only_what_a_spark_has(path: Path) -> None:
    import sys

    packages = set(imported_packages(tree_of(path)))
    assert packages <= set(sys.stdlib_module_names) | {"node", "yaml"}
