"""The tables of docs/architecture.md are what the code does: every arrow and sentence, no circle;
each of these with a violation planted in a small house."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tests.support import rooms
from tests.support.rooms import (
    ARCHITECTURE,
    PARTS,
    ROOT,
    Checkout,
    Room,
    find_circle,
    group_edges,
    read_rooms,
    read_sentence,
)

TEXT = ARCHITECTURE.read_text()
TABLE = read_rooms(TEXT)
CHECKOUT = Checkout(ROOT, frozenset(TABLE))
REMEDY = "import something else, or change the row in docs/architecture.md and say why there"

HOUSE = {
    "node/__init__.py": '"""The agent."""',
    "node/host/__init__.py": '"""Files."""',
    "node/host/system.py": "import json",
    "node/state/__init__.py": '"""Receipts.\n\nAnd more."""',
    "node/state/lock.py": "from node.host import system",
}
HOUSE_TABLE = """
<!-- rooms -->
| folder | what it holds | imports |
|---|---|---|
| `node/host` | Files. | |
| `node/state` | Receipts. | host |
<!-- end -->
"""


def list_unknown_arrows(checkout: Checkout, table: dict[str, Room]) -> list[str]:
    return [
        f"{path} imports {target}"
        for (room, target), path in sorted(checkout.room_imports.items())
        if target not in table[room].imports
    ]


def list_unused_arrows(checkout: Checkout, table: dict[str, Room]) -> list[str]:
    return [
        f"{room.path} does not import {target}"
        for room in table.values()
        for target in sorted(room.imports)
        if (room.path, target) not in checkout.room_imports
    ]


def list_other_sentences(root: Path, table: dict[str, Room]) -> list[str]:
    return [
        f"{path}: {sentence!r} in the code, {room.sentence!r} in the table"
        for path, room in table.items()
        if (sentence := read_sentence(root / path)) != room.sentence
    ]


def list_missing_folders(root: Path, tops: set[str], paths: set[str]) -> list[str]:
    """Folders with Python files that no row names. A top folder stands for its own modules."""
    folders = {
        str(file.parent.relative_to(root))
        for top in tops
        for file in (root / top).rglob("*.py")
        if not {"rootfs", "__pycache__"} & set(file.parts) and file.name != "__init__.py"
    }
    return sorted(folders - paths - tops)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A house of two rooms that keeps all rules."""
    for path, text in HOUSE.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return tmp_path


def open_house(root: Path) -> Checkout:
    return Checkout(root, frozenset(read_rooms(HOUSE_TABLE)))


def test_every_import_between_rooms_is_an_arrow_of_the_table() -> None:
    assert list_unknown_arrows(CHECKOUT, TABLE) == [], REMEDY


def test_every_arrow_of_the_table_is_used() -> None:
    assert list_unused_arrows(CHECKOUT, TABLE) == [], REMEDY


def test_no_circle_of_rooms() -> None:
    assert find_circle(group_edges(CHECKOUT.room_imports)) == []


def test_no_circle_of_modules() -> None:
    assert find_circle(CHECKOUT.module_imports) == []


def test_every_folder_says_in_one_sentence_what_it_holds() -> None:
    assert list_other_sentences(ROOT, TABLE | read_rooms(TEXT, PARTS)) == []


def test_every_folder_has_its_row() -> None:
    tops = {path.partition("/")[0] for path in TABLE if not path.startswith("packages/")}
    tops = {top for top in tops if (ROOT / top).is_dir()}
    assert list_missing_folders(ROOT, tops, set(TABLE) | set(read_rooms(TEXT, PARTS))) == []


def test_the_small_house_keeps_all_rules(house: Path) -> None:
    table, checkout = read_rooms(HOUSE_TABLE), open_house(house)
    assert table["node/state"].imports == {"node/host"}
    assert list_unknown_arrows(checkout, table) == []
    assert list_unused_arrows(checkout, table) == []
    assert list_other_sentences(house, table) == []
    assert list_missing_folders(house, {"node"}, set(table)) == []
    assert find_circle(group_edges(checkout.room_imports)) == []
    assert find_circle(checkout.module_imports) == []


def test_a_planted_import_of_a_room_and_of_a_library_is_found(house: Path) -> None:
    (house / "node/host/late.py").write_text(
        "def f():\n    import rich\n    import node.state.lock\n"
    )
    assert list_unknown_arrows(open_house(house), read_rooms(HOUSE_TABLE)) == [
        "node/host/late.py imports node/state",
        "node/host/late.py imports rich",
    ]


def test_a_planted_arrow_that_nothing_uses_is_found(house: Path) -> None:
    table = read_rooms(HOUSE_TABLE.replace("| Files. | |", "| Files. | yaml |"))
    assert list_unused_arrows(open_house(house), table) == ["node/host does not import yaml"]


def test_a_planted_circle_of_rooms_is_found(house: Path) -> None:
    (house / "node/host/late.py").write_text("def f():\n    from node.state import lock\n")
    checkout = open_house(house)
    assert find_circle(group_edges(checkout.room_imports)) == ["node/host", "node/state"]
    assert find_circle(checkout.module_imports) == []


def test_a_planted_circle_of_modules_is_found(house: Path) -> None:
    (house / "node/host/system.py").write_text("def f():\n    from node.host import users\n")
    (house / "node/host/users.py").write_text("import node.host.system\n")
    circle = ["node/host/system.py", "node/host/users.py"]
    assert find_circle(open_house(house).module_imports) == circle


@pytest.mark.parametrize("text", ["", '"""Others."""'])
def test_a_planted_other_sentence_is_found(house: Path, text: str) -> None:
    (house / "node/host/__init__.py").write_text(text)
    sentences = list_other_sentences(house, read_rooms(HOUSE_TABLE))
    assert [sentence.partition(":")[0] for sentence in sentences] == ["node/host"]


def test_a_planted_folder_without_a_row_is_found(house: Path) -> None:
    (house / "node/host/new").mkdir()
    (house / "node/host/new/module.py").touch()
    paths = set(read_rooms(HOUSE_TABLE))
    assert list_missing_folders(house, {"node"}, paths) == ["node/host/new"]


def test_the_examples_hold() -> None:
    assert doctest.testmod(rooms).failed == 0
