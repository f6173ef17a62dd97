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
    names: set[tuple[int, str]] = set()
    functions = []
    nodes: list[tuple[ast.AST, int]] = [(tree, 0)]
    while nodes:
        node, scope = nodes.pop()
        if isinstance(node, Definition):
            functions.append(_measure_function(path, node, any_names))
        elif name := get_bound_name(node):
            names.add((scope, name))
        inner = id(node) if isinstance(node, Scope) else scope
        nodes += [(child, inner) for child in ast.iter_child_nodes(node)]
    return ModuleMeasures(
        path=path,
        lines=max((node.end_lineno or 0 for node in tree.body), default=0),
        names=Counter(name for _, name in names),
        classes=tuple(node.name for node in tree.body if isinstance(node, ast.ClassDef)),
        functions=tuple(functions),
    )


def get_bound_name(node: ast.AST) -> str | None:
    """The parameter, variable or field that a node binds in its scope, if it binds one."""
    if isinstance(node, ast.Name):
        return node.id if isinstance(node.ctx, ast.Store) else None
    if isinstance(node, ast.arg):
        return node.arg
    return node.name if isinstance(node, ast.ExceptHandler) else None


def _measure_function(path: str, node: Definition, any_names: frozenset[str]) -> FunctionMeasures:
    return FunctionMeasures(
        path=path,
        name=node.name,
        lines=(node.end_lineno or node.lineno) - node.lineno + 1,
        is_asked=not _has_fixed_name(node.name) and not _is_decorated_away(node),
        has_verb=begins_with_verb(node.name),
        has_any=any(names_any(annotation, any_names) for annotation in list_annotations(node)),
    )


def _has_fixed_name(name: str) -> bool:
    """A name in capitals is one of a remote procedure, set by its protocol."""
    return name.startswith(FIXED_PREFIXES) or name[:1].isupper()


def _is_decorated_away(node: Definition) -> bool:
    texts = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(word in text for text in texts for word in UNASKED_DECORATORS)


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
    modules = {_get_module_name(path): path for path in trees}
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
            source = modules.get(node.module)
            for alias in node.names:
                if source and alias.name in names[source]:
                    yield alias.asname or alias.name


def _get_module_name(path: str) -> str:
    """As it is imported: a project in packages/ is named from its own folder on."""
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    return ".".join(parts[2:] if parts[0] == "packages" else parts)
