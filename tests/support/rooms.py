"""The rooms of docs/architecture.md, and what the modules of a checkout really import."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
ROOMS, PARTS = "rooms", "parts"
Edges = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Room:
    """One row: a folder or a module, its sentence, and what it may import, by path or library."""

    path: str
    sentence: str
    imports: frozenset[str]


def read_rooms(text: str, marker: str = ROOMS) -> dict[str, Room]:
    """The rows between `<!-- MARKER -->` and `<!-- end -->`, by path."""
    lines = text.split(f"<!-- {marker} -->\n")[1].split("<!-- end -->")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    paths = {row[0].strip("`") for row in rows}
    return {
        path: Room(path, row[1], frozenset(_list_imports(path, row[2:], paths)))
        for row in rows
        if (path := row[0].strip("`"))
    }


def _list_imports(path: str, cells: list[str], paths: set[str]) -> Iterator[str]:
    """`host` in a row of node/ is node/host; a name that no row has is a library."""
    for name in (name.strip() for cell in cells for name in cell.split(",") if name.strip()):
        beside = f"{path.rpartition('/')[0]}/{name}"
        yield beside if beside in paths else name


@dataclass(frozen=True)
class Checkout:
    """Python files below a root that belong to rooms, by path from there."""

    root: Path
    rooms: frozenset[str]

    @cached_property
    def imports(self) -> dict[str, list[tuple[str, list[str]]]]:
        """What each file imports: modules, and the names that are taken out of each.

        Tests are no part of a room, nor is what is copied to a simulated node."""
        paths = (path for room in sorted(self.rooms) for path in self._list_files(room))
        return {str(path.relative_to(self.root)): read_imports(path) for path in paths}

    def _list_files(self, room: str) -> Iterable[Path]:
        path = self.root / room
        return [path] if path.suffix else (p for p in path.rglob("*.py") if "rootfs" not in p.parts)

    @cached_property
    def modules(self) -> dict[str, str]:
        """The file of each module, by its name as it is imported."""
        return {_get_module_name(path): path for path in self.imports}

    @cached_property
    def module_imports(self) -> Edges:
        """The files of the modules that each file imports, wherever the import stands in it."""
        return {
            path: frozenset(
                self.modules[name] for name in self._list_names(path) if name in self.modules
            )
            - {path}
            for path in self.imports
        }

    @cached_property
    def room_imports(self) -> dict[tuple[str, str], str]:
        """One importing file for each pair of a room and what it imports: a room or a library."""
        edges: dict[tuple[str, str], str] = {}
        for path in self.imports:
            room = self.find_room(path)
            for name in self._list_names(path):
                target = self._find_target(name)
                if target and target != room:
                    edges.setdefault((room, target), path)
        return edges

    def find_room(self, path: str) -> str:
        """The room with the longest path that the file lies in."""
        matching = [room for room in self.rooms if path == room or path.startswith(f"{room}/")]
        return max(matching, key=len)

    def _find_target(self, name: str) -> str | None:
        if name in self.modules:
            return self.find_room(self.modules[name])
        top = name.partition(".")[0]
        return None if top in self._tops or top in sys.stdlib_module_names else top

    @cached_property
    def _tops(self) -> set[str]:
        return {module.partition(".")[0] for module in self.modules}

    def _list_names(self, path: str) -> Iterator[str]:
        """Dotted names of what is imported; `from a import b` is `a.b` where that is a module."""
        for module, names in self.imports[path]:
            dotted = [f"{module}.{name}" for name in names]
            yield from (name if name in self.modules else module for name in dotted or [module])


def read_imports(path: Path) -> list[tuple[str, list[str]]]:
    """The import statements of a file, wherever they stand in it."""
    imports: list[tuple[str, list[str]]] = []
    statements: list[ast.stmt] = list(ast.parse(path.read_text()).body)
    while statements:
        node = statements.pop()
        if isinstance(node, ast.Import):
            imports += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports.append((node.module, [alias.name for alias in node.names]))
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements += getattr(node, field, [])
    return imports


def _get_module_name(path: str) -> str:
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    return ".".join(parts[2:] if parts[0] == "packages" else parts)


def find_circle(edges: Edges) -> list[str]:
    """The nodes of one circle, in the order in which they lead to each other; [] where none is.

    >>> find_circle({"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("b")})
    ['b', 'c']
    """
    finished: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return path[path.index(node) :]
        if node in finished:
            return []
        for target in sorted(edges.get(node, ())):
            circle = visit(target, [*path, node])
            if circle:
                return circle
        finished.add(node)
        return []

    return next((circle for node in sorted(edges) if (circle := visit(node, []))), [])


def group_edges(pairs: Iterable[tuple[str, str]]) -> Edges:
    targets: dict[str, set[str]] = defaultdict(set)
    for source, target in pairs:
        targets[source].add(target)
    return {source: frozenset(names) for source, names in targets.items()}


def read_sentence(path: Path) -> str:
    """The first paragraph of a folder's or a module's docstring, "" where there is none."""
    file = path if path.suffix else path / "__init__.py"
    docstring = ast.get_docstring(ast.parse(file.read_text())) if file.exists() else None
    return (docstring or "").partition("\n\n")[0]
