"""Reads the measures of modules from their syntax trees, and the aliases of `Any` among them."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks.source_measures import (
    FunctionMeasures,
    HouseMeasures,
    ModuleMeasures,
    begins_with_verb,
)

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.Module | ast.ClassDef | Definition | ast.Lambda
FIXED_PREFIXES = ("test_", "visit_", "do_", "__")
"""Called by these names from outside: pytest, ast, http.server, Python itself."""

UNASKED_DECORATORS = ("property", "fixture", "setter", "overload")


def measure_house(root: Path, paths: Iterable[Path]) -> HouseMeasures:
    """The measures of these files below `root`. A file that is no Python is left out."""
    trees = {str(path.relative_to(root)): tree for path in paths if (tree := read_tree(path))}
    aliases = find_any_aliases(trees)
    return HouseMeasures(
        tuple(measure_module(path, tree, aliases[path]) for path, tree in trees.items())
    )


def read_tree(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:
        return None


def measure_module(path: str, tree: ast.Module, any_names: frozenset[str]) -> ModuleMeasures:
    """`any_names`: `Any` and its aliases under the names that the module has for them."""
    scopes = [node for node in ast.walk(tree) if isinstance(node, Scope)]
    return ModuleMeasures(
        path=path,
        lines=max((node.end_lineno or 0 for node in tree.body), default=0),
        names=Counter(name for scope in scopes for name in set(list_bound_names(scope))),
        classes=tuple(node.name for node in tree.body if isinstance(node, ast.ClassDef)),
        functions=tuple(
            _measure_function(path, node, any_names)
            for node in ast.walk(tree)
            if isinstance(node, Definition)
        ),
    )


def _measure_function(path: str, node: Definition, any_names: frozenset[str]) -> FunctionMeasures:
    return FunctionMeasures(
        path=path,
        name=node.name,
        lines=(node.end_lineno or node.lineno) - node.lineno + 1,
        is_asked=not node.name.startswith(FIXED_PREFIXES) and not _is_decorated_away(node),
        has_verb=begins_with_verb(node.name),
        has_any=any(names_any(annotation, any_names) for annotation in list_annotations(node)),
    )


def _is_decorated_away(node: Definition) -> bool:
    texts = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(word in text for text in texts for word in UNASKED_DECORATORS)


def list_bound_names(scope: Scope) -> Iterator[str]:
    """Parameters, variables and fields of one scope, comprehensions included."""
    if isinstance(scope, Definition | ast.Lambda):
        yield from (argument.arg for argument in _list_arguments(scope.args))
    bodies: list[ast.AST] = [scope.body] if isinstance(scope, ast.Lambda) else [*scope.body]
    while bodies:
        node = bodies.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        if not isinstance(node, Scope):
            bodies.extend(ast.iter_child_nodes(node))


def _list_arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (argument for argument in (arguments.vararg, arguments.kwarg) if argument)


def list_annotations(node: Definition) -> Iterator[ast.expr]:
    """The types of a function's parameters and of what it returns."""
    for argument in _list_arguments(node.args):
        if argument.annotation:
            yield argument.annotation
    if node.returns:
        yield node.returns


def names_any(annotation: ast.AST, any_names: frozenset[str]) -> bool:
    """Whether `Any` or an alias of it is part of a type, in quotes or not."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id in any_names:
            return True
        if isinstance(node, ast.Attribute) and ast.unparse(node) in any_names:
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = re.findall(r"\w+", node.value)
            if not any_names.isdisjoint(words):
                return True
    return False


def find_any_aliases(trees: Mapping[str, ast.Module]) -> dict[str, frozenset[str]]:
    """For each module the names under which it has `Any`: its own aliases and imported ones."""
    names: dict[str, set[str]] = {path: {"Any", "typing.Any"} for path in trees}
    modules = {path.removesuffix(".py").replace("/", "."): path for path in trees}
    has_grown = True
    while has_grown:
        before = sum(map(len, names.values()))
        for path, tree in trees.items():
            names[path].update(_list_own_aliases(tree, frozenset(names[path])))
            names[path].update(_list_imported_aliases(tree, modules, names))
        has_grown = sum(map(len, names.values())) > before
    return {path: frozenset(aliases) for path, aliases in names.items()}


def _list_own_aliases(tree: ast.Module, any_names: frozenset[str]) -> Iterator[str]:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.unparse(node.annotation):
            target = node.target
        value: ast.expr = getattr(node, "value", ast.Constant(None))
        is_type = isinstance(value, ast.Subscript | ast.Name | ast.BinOp)
        if isinstance(target, ast.Name) and is_type and names_any(value, any_names):
            yield target.id


def _list_imported_aliases(
    tree: ast.Module, modules: Mapping[str, str], names: Mapping[str, set[str]]
) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            source = _find_module(node.module, modules)
            for alias in node.names:
                if source and alias.name in names[source]:
                    yield alias.asname or alias.name


def _find_module(name: str, modules: Mapping[str, str]) -> str | None:
    """The file of a module; packages of packages/ are named from their own folder on."""
    matching = (path for module, path in modules.items() if f".{module}".endswith(f".{name}"))
    return modules.get(name) or next(matching, None)
