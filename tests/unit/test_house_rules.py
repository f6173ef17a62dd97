"""The limits of CONTRIBUTING.md, held by the syntax tree, each with a planted violation."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = (
    *("sparkform", "components", "node", "policies"),
    *("packages/sparkrack/sparkrack", "packages/pulumi-offline/pulumi_offline", "benchmarks"),
)
MODULE_LINES = 300
FUNCTION_LINES = 50


SOURCES = sorted(path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py"))


def list_imported_packages(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def list_absolute_modules(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def list_long_functions(nodes: Iterable[ast.AST]) -> list[str]:
    return [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]


def test_a_long_function_is_found() -> None:
    planted = "def f():\n" + "    x = 1\n" * FUNCTION_LINES
    assert list_long_functions(ast.walk(ast.parse(planted))) == ["f has 51 lines"]


def test_a_forbidden_import_is_found() -> None:
    planted = ast.walk(ast.parse("import pulumi.runtime\nfrom pulumi_command import remote\n"))
    assert set(list_imported_packages(planted)) == {"pulumi", "pulumi_command"}


@dataclass(frozen=True)
class ModuleSource:
    lines: int
    packages: frozenset[str]
    modules: frozenset[str]
    long: list[str]


@cache
def read_source(path: Path) -> ModuleSource:
    """What the tests ask of one module; the tree itself would only burden the collector."""
    text = path.read_text()
    nodes = list(ast.walk(ast.parse(text)))
    return ModuleSource(
        len(text.splitlines()),
        frozenset(list_imported_packages(nodes)),
        frozenset(list_absolute_modules(nodes)),
        list_long_functions(nodes),
    )


def test_modules_and_functions_stay_small() -> None:
    assert [f"{path}: {read_source(path).lines} lines" for path in SOURCES if is_long(path)] == []
    assert [f"{path}: {message}" for path in SOURCES for message in read_source(path).long] == []


def is_long(path: Path) -> bool:
    return read_source(path).lines > MODULE_LINES


def list_imports(folder: str) -> set[str]:
    """The packages that the modules of a folder import."""
    return {name for path in (ROOT / folder).rglob("*.py") for name in read_source(path).packages}


AUTOMATION = ROOT / "sparkform" / "commands" / "stack_run.py"
"""The one module of the control side that runs Pulumi, and so imports it."""


def test_the_control_side_imports_no_pulumi() -> None:
    importers = {
        path
        for path in (ROOT / "sparkform").rglob("*.py")
        if any(name.startswith("pulumi") for name in read_source(path).packages)
    }
    assert importers == {AUTOMATION}


@pytest.mark.parametrize("folder", ["sparkrack/sparkrack", "pulumi-offline/pulumi_offline"])
def test_what_stands_beside_the_product_knows_only_its_errors_and_its_border(folder: str) -> None:
    paths = list((ROOT / "packages" / folder).rglob("*.py"))
    assert paths
    modules = {name for path in paths for name in read_source(path).modules}
    product_modules = {
        name for name in modules if name.split(".")[0] in {"sparkform", "node", "components"}
    }
    assert product_modules <= {"sparkform.errors", "node.host.system", "node.huggingface.lock"}


def test_what_runs_on_a_spark_needs_only_what_a_spark_has() -> None:
    assert list_imports("node") <= set(sys.stdlib_module_names) | {"node", "yaml"}
