"""A lazily imported module runs at its first use and not before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkform.commands.lazy import import_lazily


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that notes when it is executed."""
    note = tmp_path / "executed"
    (tmp_path / "slow_module.py").write_text(
        f"from pathlib import Path\nPath({str(note)!r}).touch()\nVALUE = 7\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "slow_module"
    sys.modules.pop("slow_module", None)


def test_a_module_is_executed_when_something_of_it_is_used(module: str, tmp_path: Path) -> None:
    imported = import_lazily(module)
    assert not (tmp_path / "executed").exists()
    assert imported.VALUE == 7
    assert (tmp_path / "executed").exists()


def test_a_module_that_is_imported_already_is_that_one(module: str) -> None:
    assert import_lazily(module) is import_lazily(module)
    assert import_lazily("json") is sys.modules["json"]


def test_a_module_of_a_package_is_its_attribute() -> None:
    import_lazily("sparkform.commands.speeds")
    assert sys.modules["sparkform.commands"].speeds.DIGITS == 4


def test_a_missing_module_is_found_missing_at_once() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_lazily("no_such_module")
